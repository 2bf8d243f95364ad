"""What replaces, deletes and updates rows: with an account, those of the account alone."""

from __future__ import annotations

import json
import random
import shutil
from datetime import UTC, datetime
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from bridge.destinations import DATASET, Database
from dlt.destinations.exceptions import DatabaseTransientException
from dlt.destinations.impl.duckdb.sql_client import DuckDbSqlClient
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import Stage, bookmark, record, schema

from dlt_bridge import BridgeError, load
from dlt_bridge.target.target import TargetDlt

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

TEXT = {"type": ["string", "null"]}
INSTANT = {"type": ["string", "null"], "format": "date-time"}
OBJECTS = {"type": "array", "items": {"type": "object"}}
ACCOUNTS = ("acme", "b'eta")
GONE = "2026-01-01T00:00:00Z"


def go(stage: Stage, account: str, lines: list[Any], *, refresh: Any = None, **given: Any) -> None:
    run = given.pop("run", {})
    stage.load(lines, options={"account": account, **given}, refresh=refresh, run=run)


def both(stage: Stage, lines: list[Any], **given: Any) -> None:
    for account in ACCOUNTS:
        go(stage, account, lines, **given)


def read(stage: Stage, *columns: str, stream: str = "a") -> list[tuple[Any, ...]]:
    rows = stage.into.read(stream, "_account", *(columns or ("id", "v")))
    return ordered((*row[1:], row[0]) for row in rows)


def ordered(rows: Iterable[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Return rows in an order that takes nulls."""
    return sorted(rows, key=lambda row: tuple(map(str, row)))


def both_streams(*rows: dict[str, Any]) -> list[Any]:
    """Return rows of the streams `keyed` and `keyless`."""
    heads = [schema("keyed", v=TEXT), schema("keyless", keys=(), v=TEXT)]
    return [
        line
        for head in heads
        for line in (head, *({**row, "stream": head["stream"]} for row in rows))
    ]


STREAMS = dict.fromkeys(("keyed", "keyless"), "INCREMENTAL")
REFRESHES = ("drop_sources", "drop_resources", "drop_data")
RUNS: list[dict[str, Any]] = [{}, {"write_disposition": "append"}]


@pytest.fixture(scope="module")
def refreshed(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, bool, str], Any]:
    """The rows after each refresh of one account, with and without `append`, by stream."""
    found = {}
    for run in RUNS:
        folder, loaded = tmp_path_factory.mktemp("refreshed"), tmp_path_factory.mktemp("loaded")
        lines = both_streams(record(id=1, v="x"), record(id=2, v="x"))
        stage = Stage(folder, STREAMS)
        both(stage, [*lines, bookmark(keyed={"x": 2}, keyless={"x": 2})], run=run)
        shutil.copytree(folder, loaded, dirs_exist_ok=True)
        for refresh in REFRESHES:
            # As it was, in the same place.
            shutil.rmtree(folder)
            shutil.copytree(loaded, folder)
            stage = Stage(folder, STREAMS)
            lines = both_streams(record(id=2, v="y"), record(id=2, v="y"))
            lines += [bookmark(keyed={"x": 3}, keyless={"x": 3})]
            go(stage, "acme", lines, refresh=refresh, run=run)
            assert "state" not in stage.given
            go(stage, "acme", both_streams(record(id=3, v="z")), run=run)
            for stream in STREAMS:
                found[refresh, bool(run), stream] = read(stage, stream=stream)
    return found


@pytest.mark.parametrize("refresh", REFRESHES)
@pytest.mark.parametrize(("keys", "run"), [(("id",), RUNS[0]), ((), RUNS[0]), (("id",), RUNS[1])])
def test_refresh_deletes_the_rows_of_the_account(
    refreshed: dict[tuple[str, bool, str], Any],
    refresh: str,
    keys: tuple[str, ...],
    run: dict[str, Any],
) -> None:
    twice = [(2, "y", "acme")] * (1 if keys and not run else 2)
    others = [(1, "x", "b'eta"), (2, "x", "b'eta"), (3, "z", "acme")]
    found = refreshed[refresh, bool(run), "keyed" if keys else "keyless"]
    assert found == ordered([*twice, *others])


def test_refreshed_rows_are_deleted_once_in_a_run_of_several_packages(stage: Stage) -> None:
    lines = [schema(v=TEXT), record(id=1, v="x"), record(id=2, v="x"), bookmark(a={"x": 2})]
    both(stage, lines)
    new = [schema(v=TEXT)]
    for number in (2, 3, 4):
        new += [record(id=number, v="y"), bookmark(a={"x": number})]
    source = stage.source(new, options={"account": "acme"})
    packages = load(stage.pipeline, source, checkpoint_every=0, refresh="drop_resources")
    assert len(packages) > 2
    assert [row[0] for row in read(stage) if row[2] == "acme"] == [2, 3, 4]
    assert [row[0] for row in read(stage) if row[2] != "acme"] == [1, 2]


@pytest.mark.parametrize("nested", ["tables", "json"])
def test_objects_belong_to_an_account(stage: Stage, nested: str) -> None:
    head = schema(items=OBJECTS)
    both(stage, [head, record(id=1, items=[{"n": 1}, {"n": 2}]), record(id=2)], nested=nested)
    go(stage, "acme", [head, record(id=1, items=[{"n": 3}])], nested=nested)
    go(stage, "acme", [head, record(id=5, items=[])], nested=nested, refresh="drop_data")
    assert read(stage, "id") == [(1, "b'eta"), (2, "b'eta"), (5, "acme")]
    if nested == "tables":
        assert stage.rows("select n from data.a__items order by n") == [(1,), (2,)]


@pytest.fixture(scope="module")
def replaced(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """The rows of each stream after each run."""
    stage = Stage(tmp_path_factory.mktemp("replaced"), STREAMS)
    found: dict[str, list[Any]] = {stream: [] for stream in STREAMS}

    def look() -> None:
        for stream, rows in found.items():
            rows.append(read(stage, stream=stream))

    both(stage, [*both_streams(record(id=1, v="x")), bookmark(keyed={"x": 1}, keyless={"x": 1})])
    state = bookmark(keyed={"x": 2}, keyless={"x": 2})
    lines = [*both_streams(record(id=2, v="y")), state]
    source = stage.source(lines, options={"account": "acme"})
    for run in (stage.pipeline.run, load, stage.pipeline.run):
        arguments: Any = (stage.pipeline, source) if run is load else (source,)
        run(*arguments, write_disposition="replace")
        assert "state" not in stage.given
        look()
    go(stage, "acme", both_streams(record(id=3, v="z")))
    assert stage.given["state"] == state["value"]
    look()
    go(stage, "acme", both_streams(), run={"write_disposition": "replace"})
    look()
    return found


@pytest.mark.parametrize("keys", [("id",), ()])
def test_replace_replaces_the_rows_of_the_account(
    replaced: dict[str, list[Any]], keys: tuple[str, ...]
) -> None:
    """A source that is run again reads everything again, as with dlt's own `replace`."""
    other, rows = (1, "x", "b'eta"), [(2, "y", "acme"), (3, "z", "acme")]
    assert replaced["keyed" if keys else "keyless"] == [
        *[[other, rows[0]]] * 3,
        [other, *rows],
        [other],
    ]


def test_values_in_child_tables_do_not_take_the_type_of_another_account(stage: Stage) -> None:
    head = schema(items=OBJECTS, o={"type": "object"})

    def send(account: str, value: Any) -> None:
        values = record(id=1, items=[{"n": value, "of": [value]}], o={"n": value})
        go(stage, account, [head, values], nested="tables")

    send("acme", 1)
    for value in (1.5, "x", 2.5):
        send("b'eta", value)
    assert read(stage, "o__n", "o__n__v_double") == [(1, None, "acme"), (None, 2.5, "b'eta")]
    rows = stage.rows("select n, n__v_double from data.a__items order by n")
    assert rows == [(1, None), (None, 2.5)]
    rows = stage.rows("select value, value__v_double from data.a__items__of order by value")
    assert rows == [(1, None), (None, 2.5)]


@pytest.mark.parametrize("warehouse", ["duckdb", "exact postgres"], indirect=True)
def test_any_text_is_an_account(anywhere: Stage) -> None:
    """dlt divides the SQL of a merge at semicolons and line breaks."""
    account = "a; --\n{b} '%s\\ ;;"
    run = {"write_disposition": "replace"}
    for value in ("x", "y"):
        for name in (account, account.replace("; ", ";\n")):
            go(anywhere, name, [schema(keys=(), v=TEXT), record(id=1, v=value)], run=run)
    assert [row[:2] for row in read(anywhere)] == [(1, "y"), (1, "y")]


@pytest.mark.parametrize("warehouse", ["duckdb", "exact postgres"], indirect=True)
@pytest.mark.parametrize("naming", [None, "direct"])
def test_nested_columns_of_another_account_keep_their_names(
    anywhere: Stage, naming: str | None
) -> None:
    head = schema(items=OBJECTS, o={"type": "object"})
    values = {"größe": 1, "Straße": "x"}
    for number, account in enumerate((*ACCOUNTS, *ACCOUNTS)):
        lines = [head, record(id=number, items=[values], o=values)]
        go(anywhere, account, lines, nested="tables", naming=naming)
    convention = anywhere.pipeline.default_schema.naming
    names = [convention.normalize_path(name) for name in values]
    columns = [f"o{convention.PATH_SEPARATOR}{name}" for name in names]
    for table, expected in (("a", columns), (f"a{convention.PATH_SEPARATOR}items", names)):
        found, rows = anywhere.into.fetched(table)
        places = [found.index(column) for column in expected]
        assert [tuple(row[place] for place in places) for row in rows] == [(1, "x")] * 4


@pytest.mark.parametrize("nested", ["json", "tables"])
@pytest.mark.parametrize("run", ["load", "pipeline.run"])
def test_a_stream_without_rows_empties_its_account(tmp_path: Path, nested: str, run: str) -> None:
    stage = Stage(tmp_path, {"a": "FULL_TABLE"})
    head = schema(keys=(), items=OBJECTS)
    both(stage, [head, record(id=1, items=[{"n": 1}])], nested=nested)
    source = stage.source([head], options={"account": "acme", "nested": nested})
    if run == "load":
        load(stage.pipeline, source)
    else:
        stage.pipeline.run(source)
    assert read(stage, "id") == [(1, "b'eta")]
    if nested == "tables":
        assert stage.rows("select n from data.a__items") == [(1,)]


@pytest.mark.parametrize("strategy", ["upsert", "insert-only", "delete-insert"])
@pytest.mark.parametrize("warehouse", ["duckdb", "exact postgres"], indirect=True)
def test_merge_strategies(anywhere: Stage, strategy: str) -> None:
    run = {"write_disposition": {"disposition": "merge", "strategy": strategy}}
    head = schema(v=TEXT)
    both(anywhere, [head, record(id=1, v="x"), record(id=1, v="y")], run=run)
    go(anywhere, "acme", [head, record(id=1, v="z"), record(id=2, v="z")], run=run)
    # insert-only keeps the first row of a key.
    value = "z" if strategy != "insert-only" else "y"
    expected = [(1, "y", "b'eta"), (1, value, "acme"), (2, "z", "acme")]
    assert read(anywhere) == ordered(expected)
    go(anywhere, "acme", [head, record(id=7, v="new")], run=run, refresh="drop_resources")
    assert [row for row in read(anywhere) if row[2] == "acme"] == [(7, "new", "acme")]
    assert [row[0] for row in read(anywhere) if row[2] != "acme"] == [1]
    go(anywhere, "acme", [head, record(id=7, v="newer")], run=run)
    assert [row[0] for row in read(anywhere)] == [1, 7]


def test_deleted_records_and_lacking_properties(stage: Stage) -> None:
    """`absent="keep"` reads the row of the account; a deletion is of the account alone."""
    head = schema(v=TEXT, w=TEXT, _sdc_deleted_at=INSTANT)
    both(stage, [head, record(id=1, v="x", w="x"), record(id=2, v="x", w="x")], absent="keep")
    go(stage, "acme", [head, record(id=1, w="acme")], absent="keep")
    go(stage, "acme", [head, record(id=2, _sdc_deleted_at=GONE)], hard_delete=True)
    others = [(1, "x", "x", "b'eta"), (2, "x", "x", "b'eta")]
    assert read(stage, "id", "v", "w") == [(1, "x", "acme", "acme"), *others]
    go(stage, "b'eta", [head, record(id=1, _sdc_deleted_at=GONE)])
    deleted = {(key, account): at for key, at, account in read(stage, "id", "_sdc_deleted_at")}
    assert deleted == {
        (1, "acme"): None,
        (1, "b'eta"): datetime(2026, 1, 1, tzinfo=UTC),
        (2, "b'eta"): None,
    }


@pytest.mark.parametrize("warehouse", ["delta", "parquet"], indirect=True)
def test_files_refuse_to_replace_rows_of_one_account(anywhere: Stage) -> None:
    anywhere.streams = {"a": "FULL_TABLE"}
    head = schema(keys=(), v=TEXT)
    with pytest.raises(PipelineStepFailed, match="can only replace those of all accounts"):
        both(anywhere, [head, record(id=1, v="x")])
    append = {"write_disposition": "append"}
    both(anywhere, [head, record(id=1, v="x")], run=append)
    with pytest.raises(PipelineStepFailed, match="can only replace those of all accounts"):
        go(anywhere, "acme", [head], run=append, refresh="drop_data")
    assert read(anywhere) == [(1, "x", "acme"), (1, "x", "b'eta")]


@pytest.mark.parametrize("warehouse", ["delta"], indirect=True)
def test_delta_merges_by_account(anywhere: Stage) -> None:
    both(anywhere, [schema(v=TEXT), record(id=1, v="x")])
    go(anywhere, "acme", [schema(v=TEXT), record(id=1, v="y"), record(id=2, v="y")])
    assert read(anywhere) == [(1, "x", "b'eta"), (1, "y", "acme"), (2, "y", "acme")]


def test_large_files_are_merged_by_account(stage: Stage) -> None:
    """DuckDB merges a file of more than one MiB without a staging table."""
    texts = [random.Random(number).randbytes(160).hex() for number in range(8_000)]
    for account, sign in (("acme", "a"), ("b'eta", "b"), ("acme", "n")):
        rows = (record(id=number, v=sign + text) for number, text in enumerate(texts))
        go(stage, account, [schema(v=TEXT), *rows])
    counts = stage.rows("select _account, v[1], count(*) from data.a group by all order by 1")
    assert counts == [("acme", "n", 8_000), ("b'eta", "b", 8_000)]


@pytest.mark.parametrize("disposition", [None, "append", "merge"])
def test_refresh_of_target_dlt_deletes_the_rows_of_the_account(
    stage: Stage, tmp_path: Path, disposition: str | None
) -> None:
    settings = {
        "destination": "duckdb",
        "credentials": str(tmp_path / "w.duckdb"),
        "dataset_name": DATASET,
        **({"write_disposition": disposition} if disposition else {}),
    }
    for account, refresh, numbers in (
        ("acme", [], (1, 2)),
        ("b'eta", [], (1, 2)),
        ("acme", ["a"], (2, 3)),
        ("acme", ["a"], (4,)),
    ):
        target = TargetDlt(config={**settings, "account": account, "refresh": refresh})
        lines = [schema(), *(record(id=number) for number in numbers), bookmark(a=1)]
        target.load(StringIO("\n".join(map(json.dumps, lines))))
    assert read(stage, "id") == [
        (1, "b'eta"),
        (2, "acme"),
        (2, "b'eta"),
        (3, "acme"),
        (4, "acme"),
    ]


def test_replace_of_accounts_that_the_tap_adds_is_refused(stage: Stage) -> None:
    lines = [schema(_account={"type": "string", "const": "acme"}), record(id=1, _account="acme")]
    stage.load(lines)
    with pytest.raises(PipelineStepFailed, match="needs the account in the bridge"):
        stage.load(lines, run={"write_disposition": "replace"})
    stage.load(lines, refresh="drop_resources")
    assert read(stage, "id") == [(1, "acme")]


STAGING = "select schema_name from information_schema.schemata where schema_name like '%staging%'"


@pytest.mark.parametrize("warehouse", ["duckdb", "exact postgres"], indirect=True)
def test_loaded_account_leaves_no_staging_dataset(anywhere: Stage) -> None:
    assert isinstance(anywhere.into, Database)
    for turn in range(3):
        for account in ("acme", "b'eta"):
            rows = [record(id=number, v=f"{account} {turn}") for number in (0, turn)]
            lines = [schema(v=TEXT), rows[0], bookmark(a=0), rows[1], bookmark(a=turn)]
            source = anywhere.source(lines, options={"account": account})
            load(anywhere.pipeline, source, checkpoint_every=0)
            assert anywhere.into.query(STAGING) == []
    assert sorted(anywhere.into.query("select _account, id, v from data.a")) == [
        (account, number, f"{account} {turn}")
        for account in ("acme", "b'eta")
        for number, turn in ((0, 2), (1, 1), (2, 2))
    ]
    # A pipeline without accounts keeps its own.
    anywhere.streams = {"b": "INCREMENTAL"}
    load(anywhere.pipeline, anywhere.source([schema("b"), record("b", id=1)]))
    assert len(anywhere.into.query(STAGING)) == 1


@pytest.mark.parametrize("warehouse", ["exact postgres"], indirect=True)
def test_package_that_is_pending_keeps_the_staging_dataset(anywhere: Stage) -> None:
    assert isinstance(anywhere.into, Database)

    def go_on(number: int) -> None:
        lines = [schema(v=TEXT), record(id=number, v="text"), bookmark(a=number)]
        source = anywhere.source(lines, options={"account": "acme"})
        load(anywhere.pipeline, source, checkpoint_every=0)

    go_on(1)
    anywhere.into.execute("alter table data.a add constraint few check (id < 2)")
    for _ in range(2):
        with pytest.raises(BridgeError):
            go_on(2)
        assert len(anywhere.into.query(STAGING)) == 1
    anywhere.into.execute("alter table data.a drop constraint few")
    go_on(3)
    assert anywhere.into.query(STAGING) == []
    assert sorted(anywhere.into.query("select id from data.a")) == [(1,), (2,), (3,)]


def test_staging_dataset_that_stays_is_a_warning(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(_: object) -> None:
        raise DatabaseTransientException(Exception("out of shared memory: secret"))

    monkeypatch.setattr(DuckDbSqlClient, "drop_dataset", refuse)
    for number in (1, 2):
        lines = [schema(v=TEXT), record(id=number, v="x"), bookmark(a=number)]
        load(stage.pipeline, stage.source(lines, options={"account": "acme"}))
        [warning] = [text for text in caplog.messages if "can't be dropped" in text]
        assert "DatabaseTransientException" in warning
        assert "secret" not in warning
        caplog.clear()
    assert stage.rows("select count(*) from data.a") == [(2,)]
