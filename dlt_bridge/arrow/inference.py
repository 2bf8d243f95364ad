"""The type of a new column whose first values are not of the type that its SCHEMA says.

Taps declare ids and decimals as numbers, numbers of any size as decimals, and flags as texts. A
column of the declared type would hold only some of the values, or none, with the others beside it.
"""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING

from dlt_bridge.arrow.types import (
    DECIMAL_PRECISION,
    NUMERIC,
    ROOMY,
    ROOMY_SCALE,
    Column,
    ColumnType,
    common,
    takes_strings,
)
from dlt_bridge.arrow.values import LONGEST_NUMBER
from dlt_bridge.arrow.variants import NUMBER, fit_column
from dlt_bridge.tap.placeholders import NON_FINITE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dlt_bridge.arrow.variants import Limits

#: Of so many values, one must fit the declared type: fewer may be all odd by chance.
ENOUGH = 10
# How the JSON texts of these types begin; those of numbers do not.
_STARTS = {
    b'"': ColumnType("text"),
    b"t": ColumnType("bool"),
    b"f": ColumnType("bool"),
    b"{": ColumnType("json"),
    b"[": ColumnType("json"),
}
_OF_STRINGS = frozenset({"timestamp", "date", "time"})


def infer_type(
    column: Column, declared: ColumnType | None, texts: Sequence[bytes], limits: Limits
) -> ColumnType | None:
    """Return a better type for a column than the declared one, if its first values ask for it.

    Args:
        column: The property.
        declared: The type of its column so far; None if it has none.
        texts: The JSON texts of its first values.
        limits: What the destination can't hold.
    """
    values = [text for text in texts if text != b"null" and text not in NON_FINITE]
    held = _held(column, declared, values, limits)
    if all(held):
        return None
    numbers = [text for text in values if text[:1] not in _STARTS and len(text) <= LONGEST_NUMBER]
    if declared and declared.data_type in NUMERIC:
        if declared.data_type == "decimal" and takes_strings(column.schema):
            numbers += [
                text for text in values if text[:1] == b'"' and NUMBER.fullmatch(text[1:-1])
            ]
        if not all(_held(column, declared, numbers, limits)):
            return _first(column, _numeric(column, declared, numbers), numbers, limits)
    # A key has no place beside its column.
    if any(held) or len(values) < (1 if column.key else ENOUGH):
        return None
    kinds = {_STARTS[text[:1]] for text in values if text[:1] in _STARTS}
    if numbers:
        kinds |= {
            _first(column, _numeric(column, None, numbers), numbers, limits) or ColumnType("json")
        }
    if (column.key and len(kinds) > 1) or (
        declared and declared.data_type in _OF_STRINGS and ColumnType("text") in kinds
    ):
        return None
    found = common(kinds)
    return _first(column, [found], values, limits) if found and found != declared else None


def _held(
    column: Column, kind: ColumnType | None, values: Sequence[bytes], limits: Limits
) -> list[bool]:
    return [value is not None for value in fit_column(column, kind, values, {}, limits).values]


def _first(
    column: Column, kinds: Iterable[ColumnType], values: Sequence[bytes], limits: Limits
) -> ColumnType | None:
    """Return the first type that holds all values."""
    return next((kind for kind in kinds if all(_held(column, kind, values, limits))), None)


def _numeric(
    column: Column, declared: ColumnType | None, numbers: Sequence[bytes]
) -> Iterator[ColumnType]:
    """Yield what may hold numbers that the declared type does not hold."""
    if declared is None:
        yield ColumnType("bigint")
    if declared in {None, ColumnType("bigint")}:
        yield ColumnType("decimal", DECIMAL_PRECISION, 0)
    yield ROOMY
    with suppress(ArithmeticError):  # an exponent that no decimal has
        digits = [_digits(text.strip(b'"').decode()) for text in numbers]
        least = declared.scale or 0 if declared and declared != ROOMY else 0
        scale = max([least, *(after for _, after in digits)])
        room = DECIMAL_PRECISION - scale - max(before for before, _ in digits)
        if room >= 0:
            # Of what is left, half is for more digits after the point; if there are few so far.
            yield ColumnType(
                "decimal", DECIMAL_PRECISION, scale + (scale < ROOMY_SCALE) * (room // 2)
            )
    # Who declares decimals wants no doubles.
    if column.key or declared is None or declared.data_type != "decimal":
        yield ColumnType("double")


def _digits(text: str) -> tuple[int, int]:
    """Return how many digits a number has before the point, and after it."""
    number = Decimal(text)
    _, digits, exponent = number.as_tuple()
    zeros = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    return max(0, number.adjusted() + 1), max(0, -int(exponent) - zeros) if number else 0
