"""Tables that are replaced by what waits on disk until the tap has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from bridge.destinations import DATA, DuckDB
from dlt.destinations.sql_jobs import SqlStagingReplaceFollowupJob
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import Stage, bookmark, record, schema

from dlt_bridge import load

if TYPE_CHECKING:
    from collections.abc import Mapping

INTEGER = {"type": ["integer", "null"]}
NUMBER = {"type": ["number", "null"]}
TEXT = {"type": ["string", "null"]}
DAY = {"type": ["string", "null"], "format": "date"}
MOMENT = {"type": ["string", "null"], "format": "date-time"}
SKIP = {"on_bad_stream": "skip"}
BROKEN = '{"type": "RECORD", "stream": "b", "record": {"id": [,]}}'
#: The setting of dlt by which a table is replaced in one transaction.
THROUGH_STAGING = ("DESTINATION__REPLACE_STRATEGY", "insert-from-staging")
BOTH = pytest.mark.parametrize("every", [0, 600])


def go(
    stage: Stage,
    lines: list[Any],
    every: float = 600,
    *,
    run: Mapping[str, Any] | None = None,
    **script: Any,
) -> None:
    load(stage.pipeline, stage.source(lines, **script), checkpoint_every=every, **(run or {}))


def ids(stage: Stage, stream: str) -> list[Any]:
    return [key for (key,) in stage.rows(f"select id from data.{stream} order by id")]


#: The type of a property and its values; and those after a changed SCHEMA.
CHANGES: list[tuple[Any, list[Any], Any, list[Any]]] = [
    (INTEGER, [1.5], INTEGER, [2]),
    (INTEGER, [True] * 12, INTEGER, [5] * 12),
    (INTEGER, ["x"] * 12, INTEGER, [2] * 12),
    (INTEGER, [10**25], INTEGER, [1]),
    (NUMBER, [0.5], INTEGER, [2]),
    (TEXT, ["x"], INTEGER, [2]),
    (INTEGER, [2], TEXT, ["x"]),
    (MOMENT, ["2026-01-01T12:00:00Z"], DAY, ["2026-01-02"]),
]


@pytest.fixture(scope="module", params=[0, 600])
def changed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> list[dict[str, Any]]:
    """The rows of CHANGES after each of two runs, for a table that is replaced and one that isn't;
    and of a stream whose SCHEMA adds a key."""
    stage = Stage(tmp_path_factory.mktemp("changed"))
    before: list[Any] = [schema("keyed", ()), record("keyed", id=1)]
    after: list[Any] = [schema("keyed"), record("keyed", id=2), record("keyed", id=2)]
    stage.streams = {"keyed": "FULL_TABLE"}
    for case, (first, values, later, others) in enumerate(CHANGES):
        for kind, method in (("whole", "FULL_TABLE"), ("other", "INCREMENTAL")):
            name = f"{kind}_{case}"
            stage.streams[name] = method
            before += [schema(name, (), v=first)]
            before += [record(name, id=number, v=value) for number, value in enumerate(values)]
            after += [schema(name, (), v=later, z=TEXT)]
            after += [record(name, id=100 + number, v=value) for number, value in enumerate(others)]
    found = []
    for _ in range(2):
        go(stage, [*before, bookmark(a={"x": 1}), *after, bookmark(a={"x": 2})], request.param)
        # Those that are not replaced are there once a run.
        found.append(
            {
                name: stage.rows(
                    f"select {'distinct' if 'other' in name else ''} {DATA}"
                    f" from data.{name} order by id"
                )
                for name in stage.streams
            }
        )
    return found


@pytest.mark.parametrize("case", range(len(CHANGES)))
def test_changed_schema_changes_no_value(changed: list[dict[str, Any]], case: int) -> None:
    """What waits is as it is in the table of a stream that does not wait."""
    _, values, _, others = CHANGES[case]
    for found in changed:
        assert len(found[f"whole_{case}"]) == len(values) + len(others)
        assert found[f"whole_{case}"] == found[f"other_{case}"]


def test_rows_before_a_schema_with_a_key_are_loaded(changed: list[dict[str, Any]]) -> None:
    """They wait on disk when the SCHEMA adds a key, and the stream is merged."""
    assert changed[0]["keyed"] == [(1,), (2,)]


def test_colliding_names_keep_their_columns_after_a_changed_schema(stage: Stage) -> None:
    stage.streams = {"a": "FULL_TABLE"}
    lines = [schema("a", (), V=TEXT), record("a", id=1, V="big"), schema("a", (), V=TEXT, v=TEXT)]
    lines += [record("a", id=2, V="big", v="small"), bookmark(a={})]
    for _ in range(2):
        go(stage, lines, options={"on_name_collision": "suffix"})
        rows = stage.rows("select id, v, v_4c9448 from data.a order by id")
        assert rows == [(1, "big", None), (2, "big", "small")]


@BOTH
def test_child_tables_after_a_changed_schema(stage: Stage, every: float) -> None:
    stage.streams = {"a": "FULL_TABLE"}
    items = {"type": "array", "items": {"type": "object"}}
    lines = [schema("a", (), items=items), record("a", id=1, items=[{"q": 1}])]
    lines += [schema("a", (), z=TEXT, items=items), record("a", id=3, items=[{"q": 2}], z="z")]
    for _ in range(2):
        go(stage, [*lines, bookmark(a={})], every, options={"nested": "tables"})
        assert stage.rows("select id, z from data.a order by id") == [(1, None), (3, "z")]
        assert stage.rows("select q from data.a__items order by q") == [(1,), (2,)]


@BOTH
def test_skipped_stream_keeps_its_table(stage: Stage, every: float) -> None:
    stage.streams = {"a": "INCREMENTAL", "b": "FULL_TABLE", "changed": "FULL_TABLE"}
    heads = [schema("a"), schema("b", ()), schema("changed", ())]
    whole = [record(name, id=number) for name in ("b", "changed") for number in (1, 2)]
    go(stage, [*heads, record("a", id=1), *whole, bookmark(a={"x": 1})], every, options=SKIP)
    bad: list[Any] = [*heads, record("a", id=2)]
    for name in ("b", "changed"):
        bad += [record(name, id=3), BROKEN.replace('"b"', f'"{name}"')]
    bad += [schema("changed", (), v=TEXT), bookmark(a={"x": 2})]
    for _ in range(2):
        with pytest.raises(PipelineStepFailed, match="not loaded whole: changed, b"):
            go(stage, bad, every, options=SKIP)
        assert [ids(stage, name) for name in stage.streams] == [[1, 2]] * 3


def test_skipped_stream_that_is_replaced_on_request_keeps_its_table(stage: Stage) -> None:
    stage.streams = {"a": "INCREMENTAL", "b": "INCREMENTAL"}
    replacing = {"write_disposition": "replace"}
    lines = [schema("a"), schema("b"), record("a", id=1), record("b", id=1), bookmark(a={})]
    go(stage, lines, run=replacing, options=SKIP)
    bad = [schema("a"), schema("b"), record("a", id=2), record("b", id=3), BROKEN, bookmark(a={})]
    with pytest.raises(PipelineStepFailed, match="not loaded whole: b"):
        go(stage, bad, run=replacing, options=SKIP)
    assert (ids(stage, "a"), ids(stage, "b")) == ([2], [1])


def test_repeated_schema_takes_effect_again(stage: Stage) -> None:
    whole, part = schema(v=TEXT, w=TEXT), schema(w=TEXT)
    lines = [whole, record(id=1, v="1", w="1"), part, record(id=2, w="2")]
    go(stage, [*lines, whole, record(id=3, v="3", w="3"), bookmark(a={})])
    found = stage.rows("select id, v, w from data.a order by id")
    assert found == [(1, "1", "1"), (2, None, "2"), (3, "3", "3")]


@BOTH
def test_state_is_not_ahead_of_rows_of_a_renamed_stream(stage: Stage, every: float) -> None:
    stage.streams = {"a": "FULL_TABLE"}
    options = {"renamed": True}
    head = schema("a", ())
    go(stage, [head, record("a", id=1), bookmark(a={})], every, options=options)
    broken = [head, record("a", id=11), bookmark(a={"page": 1}), record("a", id=12)]
    with pytest.raises(PipelineStepFailed):
        go(stage, broken, every, options=options, exit=1)
    assert ids(stage, "a") == [1]
    go(stage, [head, record("a", id=11), record("a", id=12)], every, options=options)
    assert "a" not in stage.given.get("state", {}).get("bookmarks", {})
    assert ids(stage, "a") == [11, 12]


def test_saved_state_is_not_ahead_of_rows_before_a_changed_schema(stage: Stage) -> None:
    """A bad record of a slow stream takes the package back to an earlier STATE."""
    stage.streams = {"a": "INCREMENTAL", "b": "INCREMENTAL"}
    lines: list[Any] = [schema("a", ()), schema("b", ()), record("b", id=0), record("a", id=0)]
    lines += [bookmark(a={"x": 0}), BROKEN, record("a", id=1), bookmark(a={"x": 1})]
    lines += [schema("a", (), v=TEXT), record("a", id=2, v="q")]
    with pytest.raises(PipelineStepFailed):
        go(stage, lines)
    assert ids(stage, "a") == [0]
    go(stage, [schema("a", ()), schema("b", ()), record("a", id=1), bookmark(a={"x": 1})])
    assert stage.given["state"] == {"bookmarks": {"a": {"x": 0}}}
    assert ids(stage, "a") == [0, 1]


@pytest.mark.parametrize("unfit", [{"type": "STATE", "value": 5}, bookmark(a={"x": 2**70})])
def test_state_that_cannot_be_saved_leaves_the_previous_one(stage: Stage, unfit: Any) -> None:
    lines = [schema("a", ()), record("a", id=1), bookmark(a={"x": 1}), record("a", id=2), unfit]
    with pytest.raises(PipelineStepFailed, match="STATE in line 5"):
        go(stage, [*lines, record("a", id=3)])
    assert ids(stage, "a") == [1]
    go(stage, [schema("a", ()), record("a", id=2), bookmark(a={"x": 2})])
    assert stage.given["state"] == {"bookmarks": {"a": {"x": 1}}}
    assert ids(stage, "a") == [1, 2]


@pytest.mark.parametrize("nested", ["json", "tables"])
@pytest.mark.parametrize("warehouse", ["duckdb", "postgres"], indirect=True)
def test_load_that_fails_leaves_the_table_as_it_was(
    anywhere: Stage, monkeypatch: pytest.MonkeyPatch, nested: str
) -> None:
    """The old rows are deleted by then, and those of the child table are not."""
    monkeypatch.setenv(*THROUGH_STAGING)
    database: Any = anywhere.into
    anywhere.streams["a"] = "FULL_TABLE"
    make = SqlStagingReplaceFollowupJob.generate_sql

    def with_error(tables: Any, client: Any) -> list[str]:
        delete, *statements = make(tables, client)
        return [delete, "SELECT * FROM data.missing;", *statements]

    def load_rows(*numbers: int) -> None:
        tags = {"type": "array", "items": {"type": "integer"}}
        rows = [record(id=number, tags=[number]) for number in numbers]
        anywhere.load([schema(keys=(), tags=tags), *rows], options={"nested": nested})

    def loaded() -> list[Any]:
        found = [database.query("select id from data.a order by id")]
        if nested == "tables":
            found.append(database.query("select value from data.a__tags order by value"))
        assert found[1:] in ([], found[:1])
        return [number for (number,) in found[0]]

    load_rows(1, 2)
    with monkeypatch.context() as patch:
        patch.setattr(SqlStagingReplaceFollowupJob, "generate_sql", with_error)
        with pytest.raises(PipelineStepFailed, match="missing"):
            load_rows(3, 4, 5)
    assert loaded() == [1, 2]
    database.execute("create table data.missing (id integer)")
    anywhere.pipeline.load()
    assert loaded() == [3, 4, 5]
    load_rows(6)
    assert loaded() == [6]
    load_rows()
    assert loaded() == []


@pytest.mark.parametrize("warehouse", ["duckdb", "postgres"], indirect=True)
@pytest.mark.parametrize(
    "change",
    ["drop table {name}", "alter table {name} drop column v", "drop schema {schema} cascade"],
)
def test_what_is_dropped_from_the_staging_dataset_is_created_again(
    anywhere: Stage, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    monkeypatch.setenv(*THROUGH_STAGING)
    anywhere.streams = {"a": "FULL_TABLE", "b": "INCREMENTAL"}
    database: Any = anywhere.into
    for number in range(3):
        lines = [schema(keys=(), v=INTEGER), record(id=number, v=number), schema("b")]
        go(anywhere, [*lines, record("b", id=number)])
        assert database.query("select id, v from data.a") == [(number, number)]
        copy = [] if isinstance(database, DuckDB) else [(number, number)]
        assert database.query("select id, v from data_staging_test.a") == copy
        database.execute(change.format(name="data_staging_test.a", schema="data_staging_test"))
    assert sorted(database.query("select id from data.b")) == [(0,), (1,), (2,)]


def test_null_that_a_constraint_refuses_leaves_the_rows(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(*THROUGH_STAGING)
    stage.streams = {"a": "FULL_TABLE", "b": "INCREMENTAL"}
    database: Any = stage.into

    def lines(value: int | None) -> list[Any]:
        return [
            *(schema(keys=(), v=INTEGER), record(id=1, v=value), record(id=2, v=value)),
            *(schema("b", v=INTEGER), record("b", id=1, v=value)),
        ]

    stage.load(lines(1))
    database.execute(
        "alter table data.a alter v set not null", "alter table data.b alter v set not null"
    )
    with pytest.raises(PipelineStepFailed, match="NOT NULL constraint failed"):
        stage.load(lines(None))
    assert stage.rows("select id, v from data.a order by id") == [(1, 1), (2, 1)]
    assert stage.rows("select id, v from data.b") == [(1, 1)]
