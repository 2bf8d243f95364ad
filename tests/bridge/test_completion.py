"""Missing properties of records, and rows that are completed, without a destination."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlt_bridge.arrow.columns import columns
from dlt_bridge.arrow.decoder import RecordDecoder
from dlt_bridge.arrow.metadata_columns import DELETED, SEQUENCE
from dlt_bridge.arrow.missing_properties import MISSING, KeepPolicy
from dlt_bridge.arrow.record_schema import RecordSchema
from dlt_bridge.tables.rows.completion import RowColumns, RowCompletion

if TYPE_CHECKING:
    from collections.abc import Sequence

TEXT = {"type": ["string", "null"]}
SCHEMA = {"properties": {"id": {"type": "integer"}, "a": TEXT, "b": {}, DELETED: TEXT}}


def decoder(lacking: KeepPolicy, schema: Any = SCHEMA) -> RecordDecoder:
    return RecordDecoder(RecordSchema("s", columns(schema, ("id",)), keep=lacking))


def decoded(decoder: RecordDecoder, records: Sequence[str], sequence: int = 0) -> pa.Table:
    lines = b"\n".join(b'{"record":%s}' % text.encode() for text in records)
    return decoder.table(lines, [range(len(records))], sequence)


@pytest.mark.parametrize(
    ("lacking", "expected"),
    [
        (KeepPolicy(live=True, deleted=True), [None, '["a", "b"]', '["b"]', '["a", "b"]', '["a"]']),
        (KeepPolicy(live=True, deleted=False), [None, '["a", "b"]', '["b"]', None, None]),
        (
            KeepPolicy(live=True, deleted=True, other_columns=True),
            ["[]", '["a", "b"]', '["b"]', '["a", "b"]', '["a"]'],
        ),
        (KeepPolicy(live=False, deleted=True), [None, None, None, '["a", "b"]', '["a"]']),
    ],
)
def test_missing_properties_of_records_are_noted(
    lacking: KeepPolicy, expected: list[str | None]
) -> None:
    records = [
        '{"id": 1, "a": null, "b": "\\ud800"}',
        '{"id": 2}',
        '{"id": 3, "a": "x", "_sdc_deleted_at": null}',
        '{"id": 4, "_sdc_deleted_at": "2026"}',
        '{"id": 5, "b": null, "_sdc_deleted_at": 1}',  # in a variant
    ]
    assert decoded(decoder(lacking), records)[MISSING].to_pylist() == expected


def test_no_column_if_no_property_is_missing() -> None:
    whole = ['{"id": 1, "a": "x", "b": null}', '{"id": 2, "a": null, "b": 1}']
    assert MISSING not in decoded(decoder(KeepPolicy(live=True, deleted=True)), whole).column_names
    assert (
        MISSING
        not in decoded(decoder(KeepPolicy(live=False, deleted=True)), ['{"id": 1}']).column_names
    )


def test_missing_property_with_a_name_that_needs_escapes() -> None:
    schema = {"properties": {"id": {"type": "integer"}, 'a "b"': TEXT, "c": TEXT}}
    table = decoded(decoder(KeepPolicy(live=True, deleted=True), schema), ['{"id": 1, "c": "x"}'])
    assert table[MISSING].to_pylist() == ['["a \\"b\\""]']


values = st.fixed_dictionaries(
    {"id": st.integers(1, 4)},
    optional={
        "a": st.sampled_from([None, "", "x"]),
        "b": st.sampled_from([None, 1, "y"]),
        DELETED: st.sampled_from([None, "2026"]),
    },
)


@given(
    records=st.lists(values, min_size=1, max_size=12),
    stored=st.dictionaries(st.integers(1, 4), st.sampled_from([None, "old"])),
    living=st.booleans(),
    gone=st.booleans(),
    size=st.integers(1, 5),
)
@settings(deadline=None, max_examples=60)
def test_completed_rows_equal_updated_dicts(
    records: list[dict[str, Any]],
    stored: dict[int, str | None],
    living: bool,  # noqa: FBT001
    gone: bool,  # noqa: FBT001
    size: int,
) -> None:
    expected: dict[int, dict[str, Any]] = {
        number: {"id": number, "a": old, "b": None, DELETED: None} for number, old in stored.items()
    }
    for record in records:
        keeps = living if record.get(DELETED) is None else gone
        nothing = {"id": record["id"], "a": None, "b": None}
        before = expected.get(record["id"], nothing) if keeps else nothing
        expected[record["id"]] = {**before, DELETED: None, **record}
    source = decoder(KeepPolicy(live=living, deleted=gone))
    waiting = RowCompletion(["id"])
    found = []
    for start in range(0, len(records), size):
        batch = decoded(source, list(map(json.dumps, records[start : start + size])), start)
        found += waiting.add(batch).to_pylist()

    def before_package(keys: pa.Table) -> pa.Table:
        numbers = sorted(set(keys["id"].to_pylist()) & stored.keys())
        olds = [stored[number] for number in numbers]
        return pa.table({"id": pa.array(numbers, pa.int64()), "a": pa.array(olds, pa.string())})

    layout = RowColumns(["id"], source.schema, {"a": ["a"], "b": ["b"]}, [])
    for table in waiting.tables(layout, before_package):
        assert pc.all(pc.is_valid(table[SEQUENCE])).as_py()
        found += table.to_pylist()
    waiting.close()
    found.sort(key=lambda row: row[SEQUENCE])
    touched = {record["id"] for record in records}
    assert {
        row["id"]: {name: row[name] for name in ("id", "a", "b", DELETED)} for row in found
    } == {
        number: {**row, "b": None if row["b"] is None else json.dumps(row["b"])}
        for number, row in expected.items()
        if number in touched
    }


@pytest.mark.parametrize("key", ["part", "is_complete"])
def test_key_of_any_name(key: str) -> None:
    schema = {"properties": {key: {"type": "integer"}, "a": TEXT, "b": TEXT}}
    policy = KeepPolicy(live=True, deleted=True)
    decoder = RecordDecoder(RecordSchema("s", columns(schema, (key,)), keep=policy))
    completion = RowCompletion([key])
    completion.add(
        decoded(decoder, [f'{{"{key}": 1, "a": "x", "b": "y"}}', f'{{"{key}": 1, "a": "z"}}'])
    )
    rows = RowColumns([key], decoder.schema, {"a": ["a"], "b": ["b"]}, [])
    (table,) = completion.tables(rows, None)
    completion.close()
    assert table.select([key, "a", "b"]).to_pylist() == [{key: 1, "a": "z", "b": "y"}]
