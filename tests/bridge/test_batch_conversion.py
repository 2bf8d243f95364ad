"""A batch is converted just as its values are one by one, and rows are the same in any parts."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import Any

import pyarrow as pa
from fuzz.effort import examples
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from dlt_bridge.arrow.limits import Limits
from dlt_bridge.arrow.numbers import NUMBER
from dlt_bridge.arrow.types import ColumnType
from dlt_bridge.arrow.values import CONVERSION_ERRORS, convert, to_array
from dlt_bridge.tables.rows.buffer import joined

DOUBLE = ColumnType("double")
# Numbers as taps write them: with up to 17 digits, long, short, with exponents, at the borders.
NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda number: f"{number:.16e}"),
    st.integers(-(2**70), 2**70).map(str),
    st.decimals(-(10**17), 10**17, places=3).map(lambda number: f"{number:f}"),
    st.from_regex(NUMBER.pattern.decode(), fullmatch=True),
    st.sampled_from(["0.0", "-0", "-0.0", "1e23", "1E400", "4e-324", "5e-324", "1.5e-320", "1e-400",
                     "9007199254740993", "0.1000000000000000055511151231257827"]),
)  # fmt: skip


def bits(number: float) -> bytes:
    return struct.pack("d", number)


@examples(300)
@given(st.lists(st.one_of(NUMBERS, NUMBERS, st.just("null")), max_size=6))
def test_doubles_of_a_batch_are_those_of_each_value(texts: list[str]) -> None:
    def one(text: str) -> bytes | None:
        return None if text == "null" else bits(convert(DOUBLE, text.encode(), Limits()))

    try:
        expected = [one(text) for text in texts]
    except CONVERSION_ERRORS:
        # The batch must be refused, too; then each value is looked at.
        expected = None
    try:
        array = to_array(DOUBLE, [Raw(text.encode()) for text in texts])
    except CONVERSION_ERRORS:
        # A number that only Python takes is looked at alone.
        return
    assert expected is not None, texts
    assert [None if value is None else bits(value) for value in array.to_pylist()] == expected


@examples(50)
@given(st.lists(st.lists(st.integers(0, 9), max_size=3), max_size=5), st.data())
def test_joined_tables_have_the_same_rows_and_columns(parts: list[list[int]], data: Any) -> None:
    names = [data.draw(st.sampled_from(["a", "b"])) for _ in parts]
    tables = [
        pa.table({name: pa.array(part, pa.int64())})
        for name, part in zip(names, parts, strict=True)
    ]
    together = joined(tables)
    assert [row for table in together for row in table.to_pylist()] == [
        row for table in tables for row in table.to_pylist()
    ]
    kinds = [table.column_names for table in together]
    assert all(one != other for one, other in pairwise(kinds))
    assert {table.column_names[0] for table in together} == set(names)
