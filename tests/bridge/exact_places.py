"""Where a value must be: in its column or in one variant of it, exactly; or it is refused."""

from __future__ import annotations

import contextlib
import math
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from bridge.exact import STRINGS, Held, Misfit, Number, Type, Value, held, is_double

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping


#: The types whose values are strings in JSON: only the SCHEMA tells them from texts.
WRITTEN = STRINGS - {"text"}


def wrong(
    kind: Type | None,
    natural: Type | None,
    value: Value | None,
    places: Mapping[str, Any],
    *,
    signed_zero: bool = True,
) -> str:
    """Say what is wrong with the places of a value; nothing if all is as promised.

    Args:
        kind: The type of its column; None if it has none.
        natural: The type that its SCHEMA asks for.
        value: The value; None if the record lacks it.
        places: What was stored: by "" in the column, by a `data_type` in that variant.
        signed_zero: Whether -0.0 is not 0.0.
    """
    there = {place: stored for place, stored in places.items() if stored is not None}
    if value is None or value.parsed is None:
        return f"null is stored as {there}" if there else ""
    if len(there) != 1:
        return f"{value.text} is in {len(there)} places: {there}"
    [(place, stored)] = there.items()
    fits, only_looks = _held(kind, value), _only_looks_like(kind, natural, value)
    if place == "":
        right = (
            fits is not None
            and not only_looks
            and same(fits.stored, stored, signed_zero=signed_zero)
        )
    else:
        must_be_in_column = fits and fits.sure and not only_looks
        right = not must_be_in_column and any(
            same(expected, stored, signed_zero=signed_zero)
            for expected in _in_variant(place, natural, value)
        )
    where = f"the variant {place}" if place else "the column"
    return "" if right else f"{value.text} in {where} is {stored!r}; {kind} has {fits} for it"


def _only_looks_like(kind: Type | None, natural: Type | None, value: Value) -> bool:
    """Return whether a string is a time or bytes to its column, but not to its SCHEMA."""
    is_string = isinstance(value.parsed, str) and kind is not None and kind.name in WRITTEN
    return is_string and natural != kind


def _held(kind: Type | None, value: Value) -> Held | None:
    with contextlib.suppress(Misfit):
        return held(kind, value) if kind else None
    return None


def _in_variant(place: str, natural: Type | None, value: Value) -> Iterator[Any]:
    """Yield what a variant may hold for a value."""
    parsed = value.parsed
    if natural and natural.name == place and (found := _held(natural, value)):
        yield found.stored
    if natural and natural.name == place == "decimal" and isinstance(parsed, str):
        # The variant may have more digits than the SCHEMA declares.
        with contextlib.suppress(InvalidOperation):
            yield Decimal(parsed)
    if isinstance(parsed, Number):
        yield from _of_number(place, parsed)
    elif not value.proper:
        if place == "text":
            yield value.text
    elif not value.storable:
        if place == "binary":
            yield value.text.encode()
    elif place == {str: "text", bool: "bool"}.get(type(parsed), "json"):
        yield value.text if place == "json" else parsed


def _of_number(place: str, number: Number) -> Iterator[Any]:
    if place in {"bigint", "decimal"}:
        yield number.exact
    if place == "text":
        yield number.text
    if place == "double" and is_double(number):
        yield float(number.text)


def same(expected: Any, stored: Any, *, signed_zero: bool = True) -> bool:
    """Return whether two values are the same, of one type; NaN is NaN."""
    if isinstance(expected, float) and isinstance(stored, float):
        if not signed_zero and expected == stored == 0:
            return True
        alike = expected == stored or (math.isnan(expected) and math.isnan(stored))
        return alike and math.copysign(1, expected) == math.copysign(1, stored)
    if isinstance(expected, Decimal) and type(stored) is int:
        return expected == stored
    return type(expected) is type(stored) and bool(expected == stored)


def refused(
    schema: Mapping[str, Any],
    keys: Collection[str],
    row: Mapping[str, Value],
    kinds: Mapping[str, Type | None],
) -> bool:
    """Return whether a record must be refused: it lacks something, or its key does not fit."""
    if not {*schema.get("required", ()), *keys} <= row.keys():
        return True
    return any(row[name].parsed is None or _held(kinds[name], row[name]) is None for name in keys)
