"""Records that their SCHEMA does not describe are kept whole, as JSON."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest
from bridge.destinations import TIMES
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import bookmark, record, schema

if TYPE_CHECKING:
    from pathlib import Path

    from staging import Stage

NUMBER = {"type": ["number", "null"]}


def bare(stream: str = "a", keys: tuple[str, ...] = ("_id",), **properties: Any) -> dict[str, Any]:
    declared = {"properties": properties} if properties else {}
    described = {"type": "object", **declared}
    return {**schema(stream, keys), "schema": described}


def columns(stage: Stage, table: str) -> list[str]:
    query = f"select column_name from information_schema.columns where table_name = '{table}'"
    return [name for (name,) in stage.rows(query) if not name.startswith(("_dlt", *TIMES))]


def test_documents_without_a_schema_are_kept_whole(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """tap-mongodb writes versions, and declares only the properties that it converted."""
    first: dict[str, Any] = {"_id": "a1", "pages": 3, "who": {"name": "Ada"}}
    activate = {"type": "ACTIVATE_VERSION", "stream": "a", "version": 1}
    stage.load(
        [
            bare(),
            activate,
            {**record(**first), "version": 1},
            {**record(_id=5), "version": 1},
            bare(price=NUMBER),
            {**record(_id="a2", price=1.5, x=None), "version": 1},
            activate,
            bookmark(a=1),
        ]
    )
    query = "select _id, price, _sdc_record from data.a order by _id"
    assert [(key, price, json.loads(text)) for key, price, text in stage.rows(query)] == [
        ("5", None, {"_id": 5}),
        ("a1", None, first),
        ("a2", 1.5, {"_id": "a2", "price": 1.5, "x": None}),
    ]
    assert caplog.text.count("are kept whole, as JSON, in the column `_sdc_record`") == 1
    # The last version of a key counts, and what is of an older version goes.
    stage.load(
        [
            bare(price=NUMBER),
            {**record(_id="a1", pages=4), "version": 2},
            {**activate, "version": 2},
        ]
    )
    stage.load([bare(), {**record(_id="a3"), "version": 2}])
    assert stage.rows(query) == [
        ("a1", None, '{"_id": "a1", "pages": 4}'),
        ("a3", None, '{"_id": "a3"}'),
    ]


def test_stream_without_properties_and_records_does_not_stop_others(
    stage: Stage,
) -> None:
    stage.streams = {"empty": "INCREMENTAL", "a": "INCREMENTAL"}
    for number in (1, 2):
        empty = {**schema("empty", keys=()), "schema": {"type": "object", "properties": {}}}
        stage.load([empty, schema(), record(id=number)])
    assert stage.rows("select id from data.a order by id") == [(1,), (2,)]
    assert columns(stage, "empty") == []


def test_record_without_key_and_schema_is_kept_whole(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "1.json").write_bytes(gzip.compress(b'{"x": 2}\n{"x": "\\ud83d"}\n'))
    batch = {
        "type": "BATCH",
        "stream": "a",
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "manifest": [str(tmp_path / "1.json")],
    }
    empty = {**schema(keys=()), "schema": {"type": "object", "properties": {}}}
    stage.load([empty, record(x=1), batch, record()])
    # Half of a surrogate pair is not valid text, so the record is in a variant.
    assert columns(stage, "a") == ["_sdc_record", "_sdc_record__v_binary", "_sdc_sequence"]
    query = "select _sdc_record, _sdc_record__v_binary from data.a order by _sdc_sequence"
    assert stage.rows(query) == [
        ('{"x": 1}', None),
        ('{"x": 2}', None),
        (None, b'{"x": "\\ud83d"}'),
        ("{}", None),
    ]


def test_property_declared_as_null_is_kept_whole(stage: Stage) -> None:
    stage.load([schema(keys=(), id={"type": "null"}), record(id=None), record(id=1)])
    rows = stage.rows("select _sdc_record from data.a order by _sdc_sequence")
    assert rows == [('{"id": null}',), ('{"id": 1}',)]


def test_whole_records_are_json_if_objects_become_tables(stage: Stage) -> None:
    stage.load([bare(), record(_id="a", x=[{"y": 1}])], options={"nested": "tables"})
    [(text,)] = stage.rows("select _sdc_record from data.a")
    assert json.loads(text) == {"_id": "a", "x": [{"y": 1}]}


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (record(x=1), "line 2 lacks the property `_id`"),
        (record(_id=None), "`_id` in line 2 is null"),
        ('{"type": "RECORD", "stream": "a", "record": [1]}', "line 2 can't be decoded"),
    ],
)
def test_record_without_its_key_is_refused(stage: Stage, line: Any, words: str) -> None:
    with pytest.raises(PipelineStepFailed, match=words):
        stage.load([bare(), line])
