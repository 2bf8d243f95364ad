"""Each value is in the right column and unchanged, compared with plain Python value by value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from bridge import exact
from bridge.exact_places import refused, wrong
from bridge.spaces import Stream, decimals, records, streams
from fuzz.effort import examples
from hypothesis import given
from hypothesis import strategies as st

from dlt_bridge import MessageError
from dlt_bridge.arrow.columns import columns
from dlt_bridge.arrow.decoder import RecordDecoder
from dlt_bridge.arrow.metadata_columns import SEQUENCE
from dlt_bridge.arrow.record_schema import RecordSchema

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dlt_bridge.arrow.types import ColumnType

FAST = examples(150)
ARROW = {
    "bigint": pa.int64(),
    "double": pa.float64(),
    "bool": pa.bool_(),
    "text": pa.string(),
    "json": pa.string(),
    "timestamp": pa.timestamp("us", "UTC"),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "binary": pa.binary(),
}
FIRST = 1000
SPELLED = {"date", "time", "timestamp", "binary"}


@dataclass(frozen=True)
class Given:
    """Lines of a stream, in batches."""

    stream: Stream
    lines: list[bytes]
    batches: list[range]

    @property
    def numbers(self) -> list[int]:
        return [10 + number for number in range(len(self.lines))]


@st.composite
def given_lines(draw: st.DrawFn, *, refused: bool = True) -> Given:
    stream = draw(streams())
    lines = draw(st.lists(records(stream, refused=refused), min_size=1, max_size=6))
    ends = sorted({*draw(st.lists(st.integers(1, len(lines)), max_size=3)), len(lines)})
    return Given(stream, lines, [range(a, b) for a, b in zip([0, *ends], ends, strict=False)])


def decoder(stream: Stream, **options: Any) -> RecordDecoder:
    return RecordDecoder(RecordSchema("a", columns(stream.schema, stream.keys), **options))


def plain(values: pa.ChunkedArray) -> list[Any]:
    """Return values as `exact` compares them."""
    if pa.types.is_timestamp(values.type) or pa.types.is_time64(values.type):
        values = values.cast(pa.int64())
    if pa.types.is_date(values.type):
        values = values.cast(pa.int32())
    found: list[Any] = values.to_pylist()
    return found


def rows(tables: Sequence[pa.Table]) -> list[dict[str, Any]]:
    """Return the rows of tables, with what is not null."""
    found: list[dict[str, Any]] = []
    for table in tables:
        columns = {name: plain(table[name]) for name in table.column_names}
        found += [
            {name: values[row] for name, values in columns.items() if values[row] is not None}
            for row in range(len(table))
        ]
    return found


def places(row: Mapping[str, Any], name: str) -> dict[str, Any]:
    variant = re.compile(re.escape(name) + "(?:__v_([a-z]+))?")
    found = {column: variant.fullmatch(column) for column in row}
    return {match.group(1) or "": row[column] for column, match in found.items() if match}


def arrow_type(kind: exact.Type) -> pa.DataType:
    return pa.decimal128(38, kind.scale) if kind.name == "decimal" else ARROW[kind.name]


def compared(given: Given, tables: Sequence[pa.Table], kinds: Mapping[str, Any]) -> None:
    natural = exact.types(given.stream.schema, given.stream.keys)
    there = rows(tables)
    assert [row[SEQUENCE] for row in there] == list(range(FIRST, FIRST + len(given.lines)))
    for line, row in zip(given.lines, there, strict=True):
        values = exact.record(line)
        known = {SEQUENCE}
        for name, kind in kinds.items():
            found = places(row, name)
            known |= {f"{name}__v_{place}" if place else name for place in found}
            problem = wrong(kind, natural[name], values.get(name), found)
            assert not problem, f"`{name}` {given.stream.schema['properties'][name]}: {problem}"
        assert row.keys() <= known


def decoded(
    given: Given, made: RecordDecoder, batches: Sequence[range], *, choose: bool = False
) -> list[pa.Table]:
    return [
        made.table(
            b"\n".join(given.lines[index] for index in batch),
            [range(given.numbers[index], given.numbers[index] + 1) for index in batch],
            FIRST + batch.start,
            first=choose and not batch.start,
        )
        for batch in batches
    ]


@FAST
@given(given_lines())
def test_every_value_is_in_its_column_or_variant(given: Given) -> None:
    kinds = exact.types(given.stream.schema, given.stream.keys)
    if not any(kinds.values()):
        return
    bad = [
        number
        for number, line in zip(given.numbers, given.lines, strict=True)
        if refused(given.stream.schema, given.stream.keys, exact.record(line), kinds)
    ]
    made = decoder(given.stream)
    if bad:
        with pytest.raises(MessageError, match="Stream a") as failed:
            decoded(given, made, given.batches)
        assert any(f"line {number} " in str(failed.value) for number in bad)
        return
    tables = decoded(given, made, given.batches)
    for name, kind in kinds.items():
        types = {table.schema.field(name).type for table in tables if name in table.schema.names}
        assert types == ({arrow_type(kind)} if kind else set())
    compared(given, tables, kinds)
    unknown = {name for line in given.lines for name in exact.record(line)} - kinds.keys()
    assert set(made.observed.unknown) == unknown


@FAST
@given(given_lines(refused=False))
def test_inferred_types_hold_the_first_records(given: Given) -> None:
    declared = exact.types(given.stream.schema, given.stream.keys)
    if not any(declared.values()):
        return
    made = decoder(given.stream)
    tables = decoded(given, made, given.batches, choose=True)
    kinds: dict[str, exact.Type | None] = dict.fromkeys(declared)
    kinds |= {
        name: exact.Type(kind.data_type, kind.scale or 0) for name, kind in made.types.items()
    }
    first = [exact.record(given.lines[index]) for index in given.batches[0]]
    for name, kind in kinds.items():
        if kind != declared[name]:
            values = [record[name] for record in first if name in record]
            assert kind
            assert exact.may_be_chosen(declared[name], kind, values)
    compared(given, tables, kinds)


@FAST
@given(given_lines(refused=False))
def test_rows_do_not_depend_on_batches(given: Given) -> None:
    """Observations in earlier records do not change the values of later ones."""
    if not any(exact.types(given.stream.schema, given.stream.keys).values()):
        return
    whole = rows(decoded(given, decoder(given.stream), [range(len(given.lines))]))
    split = rows(decoded(given, decoder(given.stream), given.batches))
    assert [repr(sorted(row.items())) for row in split] == [
        repr(sorted(row.items())) for row in whole
    ]


@st.composite
def changed(draw: st.DrawFn) -> tuple[Given, Given]:
    """Draw lines of a stream, and more of them under another SCHEMA with the same names."""
    first = draw(given_lines(refused=False))
    names = st.sampled_from([name for name in first.stream.values if name not in first.stream.keys])
    other = draw(streams(names=names, most=len(first.stream.values), keyed=False))
    keys = {name: first.stream.schema["properties"][name] for name in first.stream.keys}
    schema = {**other.schema, "properties": {**other.schema["properties"], **keys}}
    values = {**other.values, **{name: first.stream.values[name] for name in keys}}
    stream = Stream(schema, first.stream.keys, values)
    lines = draw(
        st.lists(
            records(stream, refused=False, narrow=decimals(first.stream)), min_size=1, max_size=4
        )
    )
    return first, Given(stream, lines, [range(len(lines))])


@FAST
@given(changed())
def test_changed_schema_changes_no_value(pair: tuple[Given, Given]) -> None:
    """The column keeps its type, and values that it can't hold go into variants."""
    first, second = pair
    before, now = (exact.types(part.stream.schema, part.stream.keys) for part in pair)
    if not any(before.values()) or not any(now.values()):
        return
    # A text of a time or bytes, in a property that is none any more, may be in either place.
    spelled = {name for name, kind in before.items() if kind and kind.name in SPELLED}
    if any(now.get(name) != before[name] for name in spelled):
        return
    earlier = decoder(first.stream)
    decoded(first, earlier, first.batches)
    variants: dict[str, dict[str, ColumnType]] = {}
    for name, kind in earlier.observed.variants.items():
        column, _, data_type = name.rpartition("__v_")
        variants.setdefault(column, {})[data_type] = kind
    later = decoder(second.stream, stored_types=earlier.types, stored_variants=variants)
    kinds = {name: before.get(name) or kind for name, kind in now.items()}
    compared(second, decoded(second, later, second.batches), kinds)
