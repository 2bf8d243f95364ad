"""Records that come as Arrow columns become the same rows as their lines."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from staging import schema

from dlt_bridge.arrow.columns import columns
from dlt_bridge.arrow.decoder import RecordDecoder
from dlt_bridge.arrow.limits import Limits
from dlt_bridge.arrow.record_schema import RecordSchema
from dlt_bridge.errors import MessageError
from dlt_bridge.tap.column_texts import UnfitColumnError, record_texts

if TYPE_CHECKING:
    from pathlib import Path

    from staging import Stage

JSON = pa.json_(pa.string())


def json_column(*texts: str | None) -> pa.Array:
    return pa.ExtensionArray.from_storage(JSON, pa.array(texts, pa.string()))


NOON = datetime(2026, 1, 1, 12, 30, 0, 123456, UTC)
VALUES: dict[str, pa.Array] = {
    "int64": pa.array([1, None, 2**63 - 1, -(2**63)]),
    "int8": pa.array([1, None, -1], pa.int8()),
    "uint64": pa.array([1, 2**64 - 1], pa.uint64()),
    "beyond doubles": pa.array([1, 2**53 + 1]),
    "double": pa.array([0.1, None, 1e300, -0.0, 5.0]),
    "not finite": pa.array([0.5, float("nan"), float("inf"), None]),
    "float": pa.array([0.1, 1.5], pa.float32()),
    "decimal": pa.array([Decimal("12345678901234567.89"), None], pa.decimal128(38, 2)),
    "whole decimal": pa.array([Decimal(5), None], pa.decimal128(38, 0)),
    "wide decimal": pa.array([Decimal("9" * 40), Decimal(1)], pa.decimal256(76, 2)),
    "bool": pa.array([True, None, False]),
    "text": pa.array(["x", None, "", "null", "€\n"]),
    "large text": pa.array(["x", None], pa.large_string()),
    "text view": pa.array(["x", None], pa.string_view()),
    "NUL": pa.array(["a\0b", "c"]),
    "dictionary": pa.array(["x", None, "x"]).dictionary_encode(),
    "runs": pa.RunEndEncodedArray.from_arrays([2, 3], ["a", "b"]),
    "timestamp": pa.array([NOON, None], pa.timestamp("us", "UTC")),
    "second": pa.array([datetime(2026, 1, 1, tzinfo=UTC)], pa.timestamp("s", "UTC")),
    "naive": pa.array([NOON.replace(tzinfo=None), None], pa.timestamp("us")),
    "zone": pa.array([NOON, None], pa.timestamp("us", "Europe/Berlin")),
    "nanosecond": pa.array([1_767_225_600_000_000_001, None], pa.timestamp("ns", "UTC")),
    "whole nanosecond": pa.array([1_767_225_600_000_001_000, None], pa.timestamp("ns")),
    "time texts": pa.array(["2026-01-01T12:00:00+02:00", "2026-01-01t10:00:00z", None]),
    "some time texts": pa.array(["2026-01-01T12:00:00Z", "yesterday", None]),
    "no offset": pa.array(["2026-01-01 12:00:00", None]),
    "dates": pa.array([date(2026, 2, 28), None]),
    "date64": pa.array([date(2026, 2, 28), None], pa.date64()),
    "date texts": pa.array(["2026-02-28", None]),
    "times": pa.array([time(1, 2, 3, 4), None], pa.time64("us")),
    "times of seconds": pa.array([time(1, 2, 3), None], pa.time32("s")),
    "time of day texts": pa.array(["01:02:03.5", None]),
    "bytes": pa.array([b"ab", None]),
    "base64": pa.array(["YWI=", None]),
    "struct": pa.array([{"a": 1, "b": [float("nan")]}, None, {"a": None, "b": []}]),
    "list": pa.array([[1, None], None, []]),
    "map": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
    "null": pa.nulls(3),
    "JSON objects": json_column('{"a":1.10}', None, "null", " [1]\n", '{"b":\n2}'),
    "JSON line feed": json_column('{"a":\n1}', None),
    "JSON carriage return": json_column("[1,\r2]", '{"a":"\\r\\n"}'),
    "JSON": json_column('{"a":1.10}', None, "null", "[1]"),
    "JSON numbers": json_column("1.10", None, "12345678901234567890.123", "1e3", "-0"),
    "JSON doubles": json_column("1.5", None, "null", "0.1"),
    "JSON integers": json_column("1", str(2**70), None),
    "JSON mixture": json_column('"x"', "1", "true", "[]", None, '"2026-01-01"'),
    "JSON escapes": json_column('"\\ud800"', '{"a":"\\u0000"}', "NaN", '{"n":NaN}'),
}
TYPES: dict[str, Any] = {
    "integer": {"type": ["integer", "null"]},
    "number": {"type": ["number", "null"]},
    "decimal": {"type": ["number", "null"], "multipleOf": 0.01},
    "boolean": {"type": ["boolean", "null"]},
    "string": {"type": ["string", "null"]},
    "date-time": {"type": ["string", "null"], "format": "date-time"},
    "date": {"type": ["string", "null"], "format": "date"},
    "time": {"type": ["string", "null"], "format": "time"},
    "binary": {"type": ["string", "null"], "contentEncoding": "base64"},
    "object": {"type": ["object", "null"]},
    "struct": {"type": ["object", "null"], "properties": {"a": {"type": ["integer", "null"]}}},
    "any": {},
    "null": {"type": "null"},
    "undeclared": None,
}
NARROW = Limits(nul=False, non_finite=False, before_year_1=False, after_year_9999=False)


def decoded(decoder: RecordDecoder, rows: pa.RecordBatch, *, as_columns: bool) -> Any:
    """Return what the decoder makes of columns, or of their lines, twice."""
    tables = []
    for first in (True, False):
        if as_columns:
            table = decoder.table_of(rows, 7, None, 0, first=first)
        else:
            lines = [b'{"record":' + text + b"}" for text in record_texts(rows)]
            numbers = [range(7, 8)] * len(lines)
            table = decoder.table(b"\n".join(lines), numbers, 0, first=first)
        tables.append((str(table.schema), [str(row) for row in table.to_pylist()]))
    variants = [(new.name, new.line) for new in decoder.observed.new_variants]
    return tables, decoder.observed.unknown, decoder.observed.variants, variants


@pytest.mark.parametrize("limits", [Limits(), NARROW], ids=["", "narrow"])
@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("values", VALUES)
def test_columns_become_the_rows_of_their_lines(
    values: str,
    limits: Limits,
    native: bool,  # noqa: FBT001
) -> None:
    many = pa.concat_arrays([VALUES[values]] * 4)
    for name, declared in TYPES.items():
        properties = {"id": {"type": "integer"}} | ({"v": declared} if declared is not None else {})
        rows = pa.record_batch({"id": pa.arange(0, len(many)), "v": many})
        record_schema = RecordSchema(
            "a", columns({"properties": properties}, ["id"]), limits=limits, native=native
        )
        from_columns = decoded(RecordDecoder(record_schema), rows, as_columns=True)
        from_lines = decoded(RecordDecoder(record_schema), rows, as_columns=False)
        assert from_columns == from_lines, name


def test_json_texts_are_values() -> None:
    properties = {"properties": {"id": {"type": "integer"}, "v": {}, "n": {"type": "number"}}}
    rows = pa.record_batch(
        {
            "id": pa.array([1, 2]),
            "v": json_column('{"a":1.10}', None),
            "n": json_column("0.5", "null"),
        }
    )
    for as_columns in (True, False):
        decoder = RecordDecoder(RecordSchema("a", columns(properties, ["id"])))
        (_, found), _ = decoded(decoder, rows, as_columns=as_columns)[0]
        assert found == [
            str({"id": 1, "v": '{"a":1.10}', "n": 0.5, "_sdc_sequence": 0}),
            str({"id": 2, "v": None, "n": None, "_sdc_sequence": 1}),
        ]


@pytest.mark.parametrize("texts", [("{",), ("1,2",), ("[1", "2],3"), ("1 2", "3"), ("",)])
@pytest.mark.parametrize("as_columns", [True, False])
def test_texts_that_are_not_json_are_refused(
    texts: tuple[str, ...],
    as_columns: bool,  # noqa: FBT001
) -> None:
    rows = pa.record_batch({"id": pa.arange(0, len(texts)), "v": json_column(*texts)})
    for declared in ({}, {"type": "number"}, {"type": "object"}):
        properties = {"id": {"type": "integer"}, "v": declared}
        decoder = RecordDecoder(RecordSchema("a", columns({"properties": properties}, ["id"])))
        with pytest.raises((MessageError, UnfitColumnError), match="a column `v` that is not JSON"):
            decoded(decoder, rows, as_columns=as_columns)


def test_unknown_time_zone_is_an_error() -> None:
    rows = pa.record_batch(
        {"id": pa.array([1]), "v": pa.array([1], pa.timestamp("us", "Nowhere/City"))}
    )
    properties = {"properties": {"id": {"type": "integer"}, "v": {"type": "string"}}}
    for as_columns in (True, False):
        decoder = RecordDecoder(RecordSchema("a", columns(properties, ["id"])))
        with pytest.raises((MessageError, UnfitColumnError), match="a column `v` that can't be"):
            decoded(decoder, rows, as_columns=as_columns)


def test_key_must_be_there() -> None:
    properties = {"properties": {"id": {"type": "integer"}, "v": {"type": "integer"}}}
    decoder = RecordDecoder(RecordSchema("a", columns(properties, ["id"])))
    with pytest.raises(MessageError, match="line 7 lacks the property `id`"):
        decoder.table_of(pa.record_batch({"v": pa.array([1])}), 7, None, 0)
    with pytest.raises(MessageError, match="`id` in line 7 is null"):
        decoder.table_of(pa.record_batch({"id": pa.array([1, None])}), 7, None, 0)


def test_null_in_a_key_of_several_types_is_refused() -> None:
    properties = {"properties": {"id": {"type": ["integer", "string"]}}}
    decoder = RecordDecoder(RecordSchema("a", columns(properties, ["id"])))
    lines = b'{"record":{"id":1}}\n{"record":{"id":null}}'
    with pytest.raises(MessageError, match="`id` in line 2 is null"):
        decoder.table(lines, [range(1, 3)], 0)


def in_arrow(path: Path, rows: list[dict[str, Any]], version: int | None = None) -> dict[str, Any]:
    """Return a BATCH with records, in the form of the SDK 0.55."""
    table = pa.Table.from_pylist(rows)
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table)
    message: dict[str, Any] = {"type": "BATCH", "stream": "a", "manifest": [path.as_uri()]}
    message["encoding"] = {"format": "arrow", "compression": "none"}
    return message if version is None else message | {"version": version}


FIELDS: dict[str, Any] = {
    "at": {"type": ["string", "null"], "format": "date-time"},
    "o": {"type": ["object", "null"]},
    "n": {"type": ["number", "null"]},
    "s": {"type": ["string", "null"]},
}


def made(first: int, count: int, **values: Any) -> list[dict[str, Any]]:
    return [
        {
            "id": number,
            "at": "2026-01-01T12:00:00.5+02:00",
            "o": {"x": number},
            "n": number / 4,
            "s": f"text {number}",
        }
        | values
        for number in range(first, first + count)
    ]


def test_columns_are_merged_in_three_runs(stage: Stage, tmp_path: Path) -> None:
    """With lines between, a value of another type, a new property, and records that come again."""
    head = schema(**FIELDS)
    first = [head, in_arrow(tmp_path / "1", made(0, 3000)), *map(line, made(3000, 2))]
    stage.load([*first, in_arrow(tmp_path / "2", made(3002, 1500))])
    query = 'select count(*), sum(id), min("at"), max(n), count(s) from data.a'
    assert stage.rows(query) == [
        (4502, sum(range(4502)), datetime(2026, 1, 1, 10, 0, 0, 500000, UTC), 4501 / 4, 4502)
    ]
    changed = made(1000, 2000, s="changed", n="none", extra=1)
    stage.load([head, in_arrow(tmp_path / "3", changed)])
    in_variant = "select count(*), count(n__v_text), count(n) from data.a where s = 'changed'"
    assert stage.rows(in_variant) == [(2000, 2000, 0)]
    stage.load([head, in_arrow(tmp_path / "4", [*made(0, 1500), *made(0, 1500, s="last")])])
    assert stage.rows("select count(*), count(*) filter (s = 'last') from data.a") == [(4502, 1500)]


def line(row: dict[str, Any]) -> dict[str, Any]:
    return {"type": "RECORD", "stream": "a", "record": row}


def test_columns_have_versions(stage: Stage, tmp_path: Path) -> None:
    head = schema(**FIELDS)
    for version, count in ((1, 2000), (2, 1200)):
        activate = {"type": "ACTIVATE_VERSION", "stream": "a", "version": version}
        stage.load([head, in_arrow(tmp_path / str(version), made(0, count), version), activate])
        assert stage.rows("select count(*) from data.a") == [(count,)]
