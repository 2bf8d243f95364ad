"""Values as they are in databases that dlt knows by SQLAlchemy, such as SQLite and MySQL.

Of a text in a JSON column, SQLAlchemy makes a JSON string: an object would be quoted, as if it were
a text with braces. And where a database has no decimals, it makes doubles of all, long ids too. dlt
lets the tables of a dialect be adapted.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dlt.destinations.impl.sqlalchemy import dialect as dialects
from sqlalchemy import JSON, Numeric, TypeDecorator
from typing_extensions import override

from dlt_bridge.arrow.metadata_columns import SEQUENCE
from dlt_bridge.arrow.types import LARGEST_BIGINT

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Dialect, Table

# dlt knows it without being told anything of it.
_OTHER_DIALECTS = ("postgresql",)


class JsonText(TypeDecorator[Any]):
    """A JSON column that takes a text as the JSON text that it is."""

    impl = JSON
    cache_ok = True

    @override
    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        usual = super().bind_processor(dialect)
        return lambda value: value if isinstance(value, str) or not usual else usual(value)


class WholeNumber(TypeDecorator[Any]):
    """A column of decimals that are integers, if they are, where the database has no decimals."""

    impl = Numeric
    cache_ok = True

    @override
    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        usual = super().bind_processor(dialect)
        if dialect.supports_native_decimal or not usual:
            return usual
        return lambda value: int(value) if _is_whole(value) else usual(value)


def _is_whole(value: Any) -> bool:  # noqa: ANN401
    known = isinstance(value, Decimal) and abs(value) <= LARGEST_BIGINT
    return known and value == value.to_integral_value()


def take_values_as_they_are() -> None:
    """Let dlt take the values of streams' tables as they are, from now on."""
    for name in (*dialects.DIALECT_CAPS_REGISTRY, *_OTHER_DIALECTS):
        usual = dialects.DIALECT_CAPS_REGISTRY.get(name, dialects.DialectCapabilities)
        if not issubclass(usual, _AsTheyAre):
            made = type(usual.__name__, (_AsTheyAre, usual), {})
            dialects.register_dialect_capabilities(name, made)


class _AsTheyAre(dialects.DialectCapabilities):
    """What is the same in every dialect."""

    @override
    def adapt_table(self, table: Table, table_schema: Any) -> Table:
        adapted = super().adapt_table(table, table_schema)
        # Other tables are not ours.
        if any(column.name.casefold() == SEQUENCE for column in adapted.columns):
            for column in adapted.columns:
                if isinstance(column.type, JSON):
                    column.type = JsonText()
                elif type(column.type) is Numeric:
                    column.type = WholeNumber(column.type.precision, column.type.scale)
        return adapted
