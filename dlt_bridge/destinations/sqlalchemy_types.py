"""Column types that keep values unchanged in databases that dlt loads through SQLAlchemy.

These are SQLite and MySQL, for example. SQLAlchemy quotes a text for a JSON column as a JSON
string, so that an object would become a text with braces. Where a database has no decimals, it
turns all of them into doubles, long ids too. dlt lets a dialect adapt its tables.
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

# dlt supports it without an entry in its registry of dialects.
_OTHER_DIALECTS = ("postgresql",)


class JsonText(TypeDecorator[Any]):
    """A JSON column that takes JSON text."""

    impl = JSON
    cache_ok = True

    @override
    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        default = super().bind_processor(dialect)
        return lambda value: value if isinstance(value, str) or not default else default(value)


class WholeNumber(TypeDecorator[Any]):
    """A decimal column that stores whole numbers as integers where the database has no decimals."""

    impl = Numeric
    cache_ok = True

    @override
    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        default = super().bind_processor(dialect)
        if dialect.supports_native_decimal or not default:
            return default
        return lambda value: int(value) if _is_whole(value) else default(value)

    @override
    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        if dialect.supports_native_decimal:
            return super().result_processor(dialect, coltype)
        # SQLAlchemy's own makes a double of an integer.
        return lambda value: None if value is None else Decimal(str(value))


def _is_whole(value: Any) -> bool:  # noqa: ANN401
    is_bigint = isinstance(value, Decimal) and abs(value) <= LARGEST_BIGINT
    return is_bigint and value == value.to_integral_value()


def register_exact_types() -> None:
    """Make dlt use the types of this module for tables of streams, in all dialects."""
    for name in (*dialects.DIALECT_CAPS_REGISTRY, *_OTHER_DIALECTS):
        default = dialects.DIALECT_CAPS_REGISTRY.get(name, dialects.DialectCapabilities)
        if not issubclass(default, ExactCapabilities):
            exact = type(default.__name__, (ExactCapabilities, default), {})
            dialects.register_dialect_capabilities(name, exact)


class ExactCapabilities(dialects.DialectCapabilities):
    """Adapts tables of streams, in every dialect."""

    @override
    def adapt_table(self, table: Table, table_schema: Any) -> Table:
        adapted = super().adapt_table(table, table_schema)
        # Tables without the column are not the bridge's.
        if any(column.name.casefold() == SEQUENCE for column in adapted.columns):
            for column in adapted.columns:
                if isinstance(column.type, JSON):
                    column.type = JsonText()
                elif type(column.type) is Numeric:
                    column.type = WholeNumber(column.type.precision, column.type.scale)
        return adapted
