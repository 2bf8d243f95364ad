"""Records that do not have all properties of their SCHEMA: log-based taps, and deletes."""

from __future__ import annotations

import json
import random
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from bridge.command_line import DATA
from bridge.destinations import MERGING, SQL, Parquet
from bridge.test_target import Target
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import Stage, bookmark, record, schema

from dlt_bridge import BridgeError, chat, load, singer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.command_line import Command

TEXT = {"type": ["string", "null"]}
INSTANT = {"type": ["string", "null"], "format": "date-time"}
GONE = "2026-01-01T00:00:00Z"
KEEP: dict[str, Any] = {"absent": "keep"}

sql = pytest.mark.parametrize("warehouse", SQL, indirect=True)
merging = pytest.mark.parametrize("warehouse", MERGING, indirect=True)

DOCS = schema(title=TEXT, body=TEXT)
USERS = schema(name=TEXT, _sdc_deleted_at=INSTANT)


@sql
def test_update_with_changed_properties_only(anywhere: Stage) -> None:
    """PostgreSQL's log does not tell a TOASTed value that is as it was."""
    anywhere.load([DOCS, record(id=1, title="t1", body="long")])
    for title, absent, body in (("t2", "keep", "long"), ("t3", "keep", "long"), ("t4", None, None)):
        anywhere.load([DOCS, record(id=1, title=title)], options={"absent": absent})
        assert anywhere.into.read("a", "id", "title", "body") == [(1, title, body)]


@merging
def test_row_that_is_marked_as_deleted_keeps_its_values(anywhere: Stage) -> None:
    anywhere.load([USERS, record(id=1, name="Ada"), record(id=2, name="Bob")])
    lines = [USERS, record(id=1, _sdc_deleted_at=GONE), record(id=3, _sdc_deleted_at=GONE)]
    for absent in ("null", "keep"):
        anywhere.load(lines, options={"absent": absent})
        rows = anywhere.into.read("a", "id", "name", "_sdc_deleted_at")
        assert [(number, name, bool(gone)) for number, name, gone in rows] == [
            (2, "Bob", False),
            (1, "Ada", True),
            (3, None, True),
        ]


def test_row_that_was_marked_as_deleted_comes_again(stage: Stage) -> None:
    gone = [record(id=number, _sdc_deleted_at=GONE) for number in (1, 2)]
    stage.load([USERS, record(id=1, name="Ada"), record(id=2, name="Bob"), *gone])
    query = "select id, name, _sdc_deleted_at is not null from data.a order by id"
    assert stage.rows(query) == [(1, "Ada", True), (2, "Bob", True)]
    stage.load([USERS, record(id=1)], options=KEEP)
    stage.load([USERS, record(id=2)])
    assert stage.rows(query) == [(1, "Ada", False), (2, None, False)]


VALUES: dict[str, tuple[Any, Any]] = {
    "text": ({"type": "string"}, "ä 'x' %s"),
    "empty": ({"type": "string"}, ""),
    "big": ({"type": "integer"}, 2**63 - 1),
    "huge": ({"type": "integer", "maximum": 1e30}, 2**90),
    "real": ({"type": "number"}, 0.1),
    "money": ({"type": "number", "multipleOf": 0.01}, 12345678901234567.25),
    "truth": ({"type": "boolean"}, False),
    "at": ({"type": "string", "format": "date-time"}, "0001-01-01T00:00:00.123456Z"),
    "day": ({"type": "string", "format": "date"}, "9999-12-31"),
    "hour": ({"type": "string", "format": "time"}, "23:59:59.999999"),
    "bytes": ({"type": "string", "contentEncoding": "base64"}, "AP8="),
    "object": ({"type": "object"}, {"x": 12345678901234567890123, "y": [1.5, None, ""]}),
    "nothing": ({"type": ["string", "null"]}, None),
    "Weird Näme": ({"type": "string"}, "x"),
}


@merging
def test_every_type_is_kept_exactly(anywhere: Stage) -> None:
    head = schema(**{name: kind for name, (kind, _) in VALUES.items()}, v=TEXT)
    values = {name: value for name, (_, value) in VALUES.items()}
    anywhere.load([head, record(id=1, **values, v="1"), record(id=2, **values)])

    def cells(number: int) -> dict[str, Any]:
        names, rows = anywhere.into.fetched("a")
        [row] = [row for row in rows if row[names.index("id")] == number]
        found = dict(zip(names, row, strict=True))
        return {name: found[name] for name in anywhere.into.columns("a") - {"id", "v"}}

    before = cells(2)
    assert len(before) == len(VALUES)
    for number in (1, 2):
        # The second time, what was read back is read back.
        anywhere.load([head, record(id=1, v=str(number))], options=KEEP)
        assert cells(1) == before


@sql
def test_numbers_within_json_are_kept_digit_by_digit(anywhere: Stage) -> None:
    """No driver makes floats of them on the way."""
    head = json.dumps(schema(v=TEXT, o={"type": "object"}))
    line = '{"type": "RECORD", "stream": "a", "record": %s}'
    number = '{"x": 0.1234567890123456789012}'
    anywhere.pipeline.run(singer([head, line % f'{{"id": 1, "o": {number}}}'], name="lines"))
    anywhere.pipeline.run(singer([head, line % '{"id": 1, "v": "x"}'], name="lines", **KEEP))
    assert anywhere.into.read("a", "v", "o") == [("x", number)]


def test_last_value_of_each_property_wins(stage: Stage) -> None:
    """Of one key: in one package, and over checkpoints, what is there in the end is the same."""
    for every in (600, 0):
        stage.load([DOCS, record(id=1, title="old", body="old")], refresh="drop_resources")
        state = bookmark(a={"x": every})
        lines = [
            DOCS,
            record(id=1, title="a"),
            record(id=2, title="b"),
            state,
            record(id=1, body="c"),
            record(id=2, title="d", body="e"),  # whole
            record(id=3, title="f", body="g"),
            state,
            record(id=1, body=None),
            record(id=3, body="h"),
            record(id=4),
        ]
        packages = load(stage.pipeline, stage.source(lines, options=KEEP), checkpoint_every=every)
        assert (len(packages) > 1) is (every == 0)
        assert sorted(stage.into.read("a", "id", "title", "body")) == [
            (1, "a", None),
            (2, "d", "e"),
            (3, "f", "h"),
            (4, None, None),
        ]


@sql
def test_random_records_update_rows_like_dicts(
    anywhere: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlt_bridge.tables.sink.BATCH_ROWS", 7)
    monkeypatch.setattr("dlt_bridge.tables.rows.completion.LOOKUP_KEYS", 5)
    random.seed(7)
    head = schema(keys=("id", "k"), k={"type": "string"}, a=TEXT, b={"type": "integer"}, c={})
    expected: dict[tuple[int, str], dict[str, Any]] = {}
    for _ in range(3):
        lines: list[Any] = [head]
        for _ in range(60):
            key = random.randrange(5), random.choice("xyz")
            given: dict[str, Any] = {
                "a": random.choice([None, "", "p", "q"]),
                "b": random.choice([None, 1, 2, "odd"]),
                "c": random.choice([None, 1.5, [1]]),
            }
            names = random.sample(sorted(given), random.randrange(4))
            values = {name: given[name] for name in names}
            lines.append(record(id=key[0], k=key[1], **values))
            expected.setdefault(key, dict.fromkeys(given)).update(values)
        anywhere.load(lines, options=KEEP)
        rows = anywhere.into.read("a", "id", "k", "a", "b", "b__v_text", "c")
        assert {(number, k): (a, b, odd, c) for number, k, a, b, odd, c in rows} == {
            key: (
                row["a"],
                None if row["b"] == "odd" else row["b"],
                "odd" if row["b"] == "odd" else None,
                None if row["c"] is None else json.dumps(row["c"]),
            )
            for key, row in expected.items()
        }


def test_values_of_variants_are_kept(stage: Stage) -> None:
    head = schema(price={"type": "integer"}, v=TEXT)
    query = "select id, price, price__v_text, v from data.a order by id"
    stage.load([head, record(id=1, price="on request"), record(id=2, price=5)])
    stage.load([head, record(id=1, v="x"), record(id=2, v="x")], options=KEEP)
    assert stage.rows(query) == [(1, None, "on request", "x"), (2, 5, None, "x")]
    stage.load([head, record(id=1, price=7), record(id=2, price="none")], options=KEEP)
    assert stage.rows(query) == [(1, 7, None, "x"), (2, None, "none", "x")]


def test_column_that_the_schema_lacks_is_kept(stage: Stage) -> None:
    """It was deselected, or is gone at the source."""
    stage.load([DOCS, record(id=1, title="t1", body="b1"), record(id=2, title="u", body="c")])
    fewer = schema(title=TEXT, _sdc_deleted_at=INSTANT)
    stage.load([fewer, record(id=1, title="t2")], options=KEEP)
    assert stage.into.read("a", "id", "title", "body") == [(2, "u", "c"), (1, "t2", "b1")]
    stage.load([fewer, record(id=2, _sdc_deleted_at=GONE), record(id=1, title="t3")])
    assert stage.into.read("a", "id", "title", "body") == [(2, "u", "c"), (1, "t3", None)]


def test_property_whose_column_has_another_name(stage: Stage) -> None:
    head = schema(v=TEXT, V=TEXT, _dlt_id=TEXT)
    options: dict[str, Any] = {"on_name_collision": "suffix"}
    stage.load([head, record(id=1, v="a", V="b", _dlt_id="c")], options=options)
    stage.load([head, record(id=1, v="d")], options={**options, **KEEP})
    names, [row] = stage.into.fetched("a")
    [suffixed] = [name for name in names if name.startswith("v_")]
    found = dict(zip(names, row, strict=True))
    assert [found[name] for name in ("v", suffixed, "source_dlt_id")] == ["d", "b", "c"]


def test_schema_changes_within_a_package(stage: Stage) -> None:
    stage.load([schema(a=TEXT, b=TEXT), record(id=1, a="1", b="1"), record(id=2, a="1", b="1")])
    lines = [
        schema(a=TEXT, b=TEXT),
        record(id=1, a="2"),
        record(id=3, b="3"),
        schema(a=TEXT, c=TEXT),
        record(id=1, c="2"),
        record(id=3, c="3"),
    ]
    stage.load(lines, options=KEEP)
    assert stage.rows("select id, a, b, c from data.a order by id") == [
        (1, "2", "1", "2"),
        (2, "1", "1", None),
        (3, None, "3", "3"),
    ]


def test_key_change_within_a_package_is_refused(stage: Stage) -> None:
    other = schema(keys=("id", "title"), title={"type": "string"}, body=TEXT)
    lines = [DOCS, record(id=1, title="a"), other, record(id=1, title="a")]
    with pytest.raises(PipelineStepFailed, match="a SCHEMA changes the key"):
        stage.load(lines, options=KEEP)


def test_one_version_of_a_key_is_written_where_rows_are_updated(stage: Stage) -> None:
    upsert = {"write_disposition": {"disposition": "merge", "strategy": "upsert"}}
    lines = [DOCS, record(id=1, title="a", body="b"), record(id=2, title="c")]
    stage.load(lines, run=upsert)
    lines = [DOCS, record(id=1, body="d"), record(id=1, title="e"), record(id=3, title="f")]
    stage.load(lines, run=upsert, options=KEEP)
    assert sorted(stage.into.read("a", "id", "title", "body")) == [
        (1, "e", "d"),
        (2, "c", None),
        (3, "f", None),
    ]


def test_deleted_row_has_no_values_to_keep(stage: Stage) -> None:
    options = {**KEEP, "hard_delete": True}
    stage.load([USERS, record(id=1, name="Ada"), record(id=2, name="Bob")], options=options)
    gone = [record(id=number, _sdc_deleted_at=GONE) for number in (1, 2)]
    stage.load([USERS, *gone, record(id=2)], options=options)
    assert stage.rows("select id, name from data.a") == [(2, None)]


def test_row_of_an_older_version_has_no_values_to_keep(stage: Stage) -> None:
    """What is there does not depend on whether the older row is gone already."""

    def versioned(version: int, **values: Any) -> dict[str, Any]:
        return {**record(**values), "version": version}

    activation = {"type": "ACTIVATE_VERSION", "stream": "a"}
    stage.load([DOCS, versioned(1, id=1, title="a", body="b"), versioned(1, id=2, body="c")])
    lines = [DOCS, {**activation, "version": 1}, versioned(1, id=2, title="d")]
    stage.load(lines, options=KEEP)
    rows = "select id, title, body from data.a order by id"
    assert stage.rows(rows) == [(1, "a", "b"), (2, "d", "c")]
    lines = [DOCS, versioned(2, id=1, title="e"), versioned(2, id=1, title="f")]
    stage.load([*lines, {**activation, "version": 2}], options=KEEP)
    assert stage.rows(rows) == [(1, "f", None)]


@pytest.mark.parametrize("refresh", ["drop_resources", "drop_data"])
def test_refreshed_table_has_no_values_to_keep(stage: Stage, refresh: str) -> None:
    stage.load([DOCS, record(id=1, title="a", body="b")])
    stage.load([DOCS, record(id=1, title="c")], options=KEEP, refresh=refresh)
    assert stage.rows("select id, title, body from data.a") == [(1, "c", None)]


def test_versions_that_the_user_appends_are_as_they_came(stage: Stage) -> None:
    stage.load([DOCS, record(id=1, title="a", body="b")])
    stage.load([DOCS, record(id=1, title="c")], options=KEEP, run={"write_disposition": "append"})
    assert stage.rows("select title, body from data.a order by 1") == [("a", "b"), ("c", None)]


def test_required_property_may_be_missing_if_its_value_is_kept(stage: Stage) -> None:
    head = schema(title=TEXT, body=TEXT)
    head["schema"]["required"] = ["id", "body"]
    stage.load([head, record(id=1, title="a", body="b")])
    stage.load([head, record(id=1, title="c")], options=KEEP)
    assert stage.rows("select title, body from data.a") == [("c", "b")]
    with pytest.raises(PipelineStepFailed, match="lacks the property `body`"):
        stage.load([head, record(id=1, title="d")])


def test_rows_that_wait_to_be_loaded_are_not_forgotten(stage: Stage) -> None:
    stage.pipeline.extract(stage.source([DOCS, record(id=1, title="a", body="b")]))
    later = stage.source([DOCS, record(id=1, title="c")], options=KEEP)
    with pytest.raises(PipelineStepFailed, match=r"Stream a: .*Load these first"):
        stage.pipeline.extract(later)
    stage.pipeline.normalize()
    stage.pipeline.load()
    stage.pipeline.run(later)
    assert stage.rows("select title, body from data.a") == [("c", "b")]


def test_column_of_another_type_than_the_schema(stage: Stage) -> None:
    """Somebody has changed it by hand."""
    stage.load([DOCS, record(id=1, title="a", body="b")])
    with stage.pipeline.sql_client() as client:
        client.execute_sql("alter table a alter body type integer using 1")
        client.execute_sql("alter table a alter body type integer[] using [1]")
    with pytest.raises(PipelineStepFailed, match="another type for `body`"):
        stage.load([DOCS, record(id=1, title="c")], options=KEEP)


def test_rows_that_cannot_be_read_back(tmp_path: Path) -> None:
    stage = Stage(tmp_path, warehouse=Parquet(tmp_path))
    with pytest.raises(PipelineStepFailed, match="needs the rows of its table"):
        stage.load([DOCS, record(id=1)], options=KEEP, run={"table_format": "iceberg"})


@pytest.mark.parametrize(
    "source", [partial(singer, []), partial(chat, "chat", api_url="https://a.example", api_key="x")]
)
def test_child_tables_are_refused(source: Callable[..., Any]) -> None:
    with pytest.raises(BridgeError, match='with nested="tables"'):
        source(absent="keep", nested="tables")


def test_steps_of_the_user_add_their_columns_once(stage: Stage) -> None:
    def owned(table: pa.Table) -> pa.Table:
        return table.append_column("owner", pa.repeat("me", len(table)))

    for values in ({"name": "Ada"}, {"_sdc_deleted_at": GONE}):
        source = stage.source([USERS, record(id=1, **values)])
        source.a.add_map(owned)
        stage.pipeline.run(source)
    rows = stage.rows("select id, name, owner, _sdc_deleted_at is null from data.a")
    assert rows == [(1, "Ada", "me", False)]


def test_command_line_and_configuration_have_it_too(dlt: Command) -> None:
    dlt.run([DOCS, record(id=1, title="a", body="b")])
    dlt.run([DOCS, record(id=1, title="c")], "--absent", "keep")
    assert dlt.rows(f"select title, body from {DATA}.a") == [("c", "b")]
    dlt.environment["SOURCES__SINGER__SCRIPTED_TAP__ABSENT"] = "keep"
    dlt.run([DOCS, record(id=1, title="d")])
    assert dlt.rows(f"select title, body from {DATA}.a") == [("d", "b")]


def test_target_has_a_setting(tmp_path: Path) -> None:
    target = Target(tmp_path)
    head = schema(title=TEXT, body=TEXT, _sdc_deleted_at=INSTANT)
    target([head, record(id=1, title="a", body="b"), record(id=2, body="c")])
    lines = [head, record(id=1, title="d"), record(id=2, _sdc_deleted_at=GONE)]
    run = target(lines, absent="keep")
    assert run.returncode == 0, run.stderr
    rows = target.rows("select id, title, body from data.a order by id")
    assert rows == [(1, "d", "b"), (2, None, "c")]
