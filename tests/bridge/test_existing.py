"""Tables that are dropped or changed by hand, or made by another program, and are loaded into."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from bridge.command_line import DATA, cells
from bridge.destinations import Database, Postgres
from dlt.common.destination.exceptions import DestinationTerminalException
from dlt.pipeline.exceptions import PipelineStepFailed
from running import BIN
from staging import Stage, bookmark, record, schema

from dlt_bridge import BridgeError, load, singer
from dlt_bridge.run.failures import is_understood, sentence
from dlt_bridge.target.target import TargetDlt

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bridge.command_line import Command
    from bridge.destinations import Warehouse
    from dlt.extract import DltSource

INTEGER, NUMBER, TEXT = ({"type": [name, "null"]} for name in ("integer", "number", "string"))
TIME: dict[str, Any] = {**TEXT, "format": "date-time"}
TAGS = {"type": ["array", "null"], "items": {"type": ["array", "string", "null"]}}
SECRET = "my card is 4111"
BOTH = pytest.mark.parametrize("warehouse", ["duckdb", "postgres"], indirect=True)
POSTGRES = pytest.mark.parametrize("warehouse", ["postgres"], indirect=True)
DUCKDB = pytest.mark.parametrize("warehouse", ["duckdb"], indirect=True)


@dataclass
class Target:
    """target-dlt into a database, in this process."""

    into: Database

    def __call__(self, *lines: Any, **settings: Any) -> None:
        config = {**self.into.settings, "pipeline_name": "p", **settings}
        text = "".join(f"{json.dumps(line)}\n" for line in (*lines, bookmark(a={"x": 1})))
        with redirect_stdout(io.StringIO()):
            TargetDlt(config=config).load(io.BytesIO(text.encode()))

    def refused(self, *lines: Any, **settings: Any) -> str:
        """Return the error of lines that can't be loaded."""
        with pytest.raises(PipelineStepFailed) as failed:
            self(*lines, **settings)
        said = sentence(failed.value)
        assert SECRET not in said
        assert "Unexpected" not in said
        return said


@pytest.fixture
def into(warehouse: Warehouse) -> Database:
    assert isinstance(warehouse, Database)
    return warehouse


@pytest.fixture
def target(into: Database) -> Target:
    return Target(into)


FIRST = [schema(v=TEXT), record(id=1, v="a"), bookmark(a={"x": 1})]
OTHER_TYPES = [schema(id=TEXT, v=INTEGER), record(id="x", v=7), bookmark(a={"x": 2})]
WAYS: dict[str, Callable[[Stage, list[Any]], object]] = {
    "load": lambda stage, lines: load(stage.pipeline, stage.source(lines)),
    "run": lambda stage, lines: stage.load(lines),
}


def look(into: Database, *columns: str, table: str = "a") -> list[tuple[Any, ...]]:
    """Return rows, in an order that needs no column of the bridge's."""
    names, rows = into.fetched(table)
    places = [names.index(column) for column in columns]
    return sorted((tuple(row[place] for place in places) for row in rows), key=repr)


@DUCKDB
@pytest.mark.parametrize("way", WAYS)
def test_dropped_table_is_created_again(
    tmp_path: Path, into: Database, way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """And has the types that the SCHEMA has now; the tap continues from its bookmark."""
    stage = Stage(tmp_path, warehouse=into)
    WAYS[way](stage, FIRST)
    into.execute("drop table data.a")
    for _ in range(2):
        WAYS[way](stage, OTHER_TYPES)
    assert look(into, "id", "v") == [("x", 7)]
    assert stage.given["state"] == {"bookmarks": {"a": {"x": 2}}}
    [warning] = [text for text in caplog.messages if "no longer exists in the destination" in text]
    assert "`a`" in warning
    assert "--full-refresh" in warning


@BOTH
def test_key_of_another_type_is_refused_until_the_table_is_dropped(
    target: Target, into: Database
) -> None:
    target(*FIRST)
    said = target.refused(*OTHER_TYPES)
    assert "`id` in line 2 does not fit its column (bigint). It is part of the key" in said
    for remedy in ("setting `refresh`", "--full-refresh", 'refresh="drop_resources"'):
        assert remedy in said
    assert "pipeline_name" in said
    into.execute("drop table data.a")
    for _ in range(2):
        target(*OTHER_TYPES)
    assert look(into, "id", "v") == [("x", 7)]


def test_full_refresh_creates_a_table_again(dlt: Command) -> None:
    dlt.run(FIRST)
    dlt.run(OTHER_TYPES, "--full-refresh", "a")
    assert dlt.rows(f"select id, v from {DATA}.a") == [("x", 7)]
    dlt.run(FIRST, "--full-refresh", "a")
    by_hand(dlt, f"drop table {DATA}.a")
    assert cells(dlt.run(OTHER_TYPES), "a")[-1] == "new table"
    by_hand(dlt, f"alter table {DATA}.a drop column _sdc_sequence")
    assert cells(dlt.run(OTHER_TYPES), "a")[-1] == "_sdc_sequence"
    assert dlt.rows(f"select id, v from {DATA}.a") == [("x", 7)]


def by_hand(dlt: Command, statement: str) -> None:
    with duckdb.connect(str(dlt.folder / "scripted_tap.duckdb")) as database:
        database.execute(statement)


@BOTH
def test_dropped_columns_are_created_again(
    target: Target, into: Database, caplog: pytest.LogCaptureFixture
) -> None:
    target(*FIRST)
    into.execute("alter table data.a drop column v", "alter table data.a drop column _sdc_sequence")
    for _ in range(2):
        target(schema(v=INTEGER), record(id=2, v=7))
    assert look(into, "id", "v") == [(1, None), (2, 7)]
    [warning] = [text for text in caplog.messages if "has lost the columns" in text]
    assert "`v`, `_sdc_sequence`" in warning
    into.execute("drop table data_staging_p.a")
    target(schema(v=INTEGER), record(id=2, v=8))
    assert look(into, "id", "v") == [(1, None), (2, 8)]


@POSTGRES
def test_numeric_of_another_program_takes_decimals(target: Target, into: Database) -> None:
    into.execute("create schema data", "create table data.a (id bigint, v numeric)")
    into.execute("insert into data.a values (1, 0.1)")
    number = {"type": ["null", "number"]}
    for _ in range(2):
        target(schema(v=number), record(id=2, v=0.12345678901234))
    assert look(into, "id", "v") == [(1, Decimal("0.1")), (2, Decimal("0.12345678901234"))]


@BOTH
def test_rows_are_loaded_into_a_table_of_another_program(target: Target, into: Database) -> None:
    """Its rows stay, its types hold, and a time without a zone is that of UTC."""
    into.execute(
        "create schema data",
        "create table data.a (id bigint primary key, v varchar, t timestamp, n numeric(10, 2))",
        "insert into data.a values (1, 'old', null, 1), (2, 'old', null, 2)",
    )
    if isinstance(into, Postgres):
        name = into.url.rpartition("/")[2]
        into.execute(f"alter database {name} set timezone to 'America/New_York'")
    lines = [
        schema(v=TEXT, t=TIME, n=NUMBER),
        record(id=1, v="new", t="2024-01-01T02:00:00+02:00", n=1.25),
        record(id=5, v="five", n=1.234),
    ]
    for _ in range(3):
        target(*lines)
    midnight = datetime(2024, 1, 1)  # noqa: DTZ001 - the column has no zone
    assert look(into, "id", "v", "t", "n") == [
        (1, "new", midnight, Decimal("1.25")),
        (2, "old", None, Decimal(2)),
        (5, "five", None, None),
    ]
    assert look(into, "n__v_double") == [(1.234,), (None,), (None,)]


@BOTH
def test_type_that_was_changed_by_hand_is_kept(target: Target, into: Database) -> None:
    lines = [schema(v=NUMBER), record(id=1, v=2), record(id=2, v=2.5)]
    target(*lines)
    into.execute("delete from data.a", "alter table data.a alter column v type bigint")
    for _ in range(2):
        target(*lines)
    assert look(into, "id", "v", "v__v_double") == [(1, 2, None), (2, None, 2.5)]


@DUCKDB
def test_type_that_would_round_is_refused(target: Target, into: Database) -> None:
    into.execute("create schema data", "create table data.a (id bigint, v real)")
    said = target.refused(schema(v=NUMBER), record(id=1, v=0.1))
    assert "the column `v` of its table `a` has the type float, which would round" in said


@BOTH
def test_refresh_creates_a_table_again_once(
    target: Target, into: Database, caplog: pytest.LogCaptureFixture
) -> None:
    other = [schema("b"), record("b", id=1)]
    target(*FIRST, *other)
    anew = [schema(id=TEXT), record(id="x")]
    target(*anew, refresh=["a", "c"], checkpoint_every=0)
    assert look(into, "id") == [("x",)]
    assert "names c, of which the tap sent nothing" in caplog.text
    # The setting stays in the config in later runs.
    target(schema(id=TEXT), record(id="y"), refresh=["a"])
    assert look(into, "id") == [("x",), ("y",)]
    assert "was created again in an earlier run" in caplog.text
    target(schema(id=TEXT), record(id="z"))
    target(*anew, refresh=["a"])
    assert look(into, "id") == [("x",)]
    assert look(into, "id", table="b") == [(1,)]


TAGGED = schema(tags=TAGS)
KEYLESS = schema(keys=(), tags=TAGS)
ROW = record(id=1, tags=["a", "b"])
ACTIVATED = [{**ROW, "version": 7}, {"type": "ACTIVATE_VERSION", "stream": "a", "version": 7}]


@DUCKDB
@pytest.mark.parametrize(
    ("nested", "first", "then", "lines", "lacking"),
    [
        ("tables", KEYLESS, "tables", [TAGGED, ROW], "`a__tags` was loaded without"),
        ("tables", KEYLESS, "tables", [KEYLESS, *ACTIVATED], "`a__tags` was loaded without"),
        ("json", TAGGED, "tables", [TAGGED, ROW], "`a` was loaded without the column `_dlt_id`"),
        ("tables", TAGGED, "json", [TAGGED, ROW], "its column `_dlt_id` can't be null"),
    ],
)
def test_child_tables_without_links_are_refused(
    target: Target, into: Database, nested: str, first: Any, then: str, lines: Any, lacking: str
) -> None:
    target(first, ROW, nested=nested)
    said = target.refused(*lines, nested=then)
    assert lacking in said
    assert "setting `refresh`" in said
    target(*lines, nested=then, refresh=["a"])
    assert look(into, "id") == [(1,)]


@DUCKDB
def test_dropped_child_table_is_created_again(target: Target, into: Database) -> None:
    target(TAGGED, record(id=1, tags=[["a"], "b"]), nested="tables")
    into.execute("drop table data.a__tags", "drop table data.a__tags__list")
    # No row comes for it at first.
    rows: list[Any] = [[], ["c"], [["d"], "e"]]
    for tags in rows:
        target(TAGGED, record(id=1, tags=tags), nested="tables")
    assert look(into, "value", table="a__tags") == [("e",), (None,)]
    assert look(into, "value", table="a__tags__list") == [("d",)]


@POSTGRES
def test_more_columns_than_a_table_can_have_are_refused(target: Target) -> None:
    wide: dict[str, Any] = {f"c{number}": TEXT for number in range(1700)}
    said = target.refused(schema(**wide))
    assert "Stream a: its table would have 1,706 columns, but postgres has at most 1,600." in said
    assert "Deselect properties" in said


@pytest.mark.parametrize(
    ("warehouse", "columns", "sentence"),
    [
        ("duckdb", "v varchar, w varchar not null", "NOT NULL constraint failed: a.w."),
        ("duckdb", "v varchar unique", "a constraint of the table does not hold."),
        ("duckdb", "v uuid", "ConversionException, so a value does not fit its column."),
        ("postgres", "v varchar, w varchar not null", 'null value in column "w" of relation "a"'),
        ("postgres", "v varchar unique", 'violates unique constraint "a_v_key"'),
        ("postgres", "v uuid", 'column "v" is of type uuid but expression is'),
        ("postgres", "v char(3)", "StringDataRightTruncation (22001), so a value does not fit"),
    ],
    indirect=["warehouse"],
)
def test_refusal_of_a_database_is_shown_without_values(
    target: Target, into: Database, columns: str, sentence: str
) -> None:
    into.execute("create schema data", f"create table data.a (id bigint, {columns})")
    said = target.refused(schema(v=TEXT), record(id=1, v=SECRET), record(id=2, v=SECRET))
    assert said.startswith("The destination refused what was to be loaded for table `a`: ")
    assert sentence in said


@POSTGRES
def test_table_on_which_a_view_depends_is_not_dropped(target: Target, into: Database) -> None:
    target(*FIRST)
    into.execute("create view data.w as select * from data.a")
    said = target.refused(*FIRST, refresh=["a"])
    assert "cannot drop table" in said
    assert "Drop the objects that depend on it, such as views" in said


def test_text_of_dlt_about_a_configuration_is_shown(stage: Stage) -> None:
    """As lancedb does: there are no values in it."""
    failed = PipelineStepFailed(
        stage.pipeline, "load", "1", DestinationTerminalException("Enable this by\n ADD_IT=TRUE")
    )
    failed.__cause__ = failed.exception
    assert sentence(failed) == "dlt refuses to load: Enable this by ADD_IT=TRUE"


@DUCKDB
def test_leftovers_that_the_destination_never_takes_are_given_up(
    tmp_path: Path, into: Database, caplog: pytest.LogCaptureFixture
) -> None:
    stage = Stage(tmp_path, warehouse=into)
    load(stage.pipeline, stage.source(FIRST))
    stage.pipeline.extract(stage.source([schema(v=TEXT), record(id=2, v="b")]))
    into.execute("drop table data.a")
    for _ in range(2):
        load(stage.pipeline, stage.source([schema(v=TEXT), record(id=2, v="b")]))
        # Nothing of what was discarded has moved the bookmark.
        assert stage.given["state"] == {"bookmarks": {"a": {"x": 1}}}
    assert look(into, "id", "v") == [(2, "b")]
    assert "is discarded: the tap continues from the last commit" in caplog.text


@DUCKDB
def test_leftovers_that_are_not_sent_again_are_kept(tmp_path: Path, into: Database) -> None:
    stage = Stage(tmp_path, warehouse=into)

    def lines(number: int) -> DltSource:
        return singer(map(json.dumps, [schema(), record(id=number)]), name="lines")

    load(stage.pipeline, lines(1))
    stage.pipeline.extract(lines(2))
    into.execute("drop table data.a")
    with pytest.raises(BridgeError, match="delete the folder") as failed:
        load(stage.pipeline, lines(3))
    assert stage.pipeline.has_pending_data
    # What it says to do helps.
    assert stage.pipeline.working_dir in str(failed.value)
    shutil.rmtree(stage.pipeline.working_dir)
    load(stage.new_pipeline("pipelines"), lines(3))
    assert look(into, "id") == [(3,)]


@POSTGRES
@pytest.mark.parametrize("nested", ["tables", "json"])
def test_warning_of_dlt_is_shown_once(into: Database, tmp_path: Path, nested: str) -> None:
    """With child tables all goes well; the other load fails in the end."""
    config = {**into.settings, "dataset_name": "9f1c-4c1e", "nested": nested}
    path = tmp_path / "target.json"
    path.write_text(json.dumps(config))
    into.execute("create schema _9f1c_4c1e")
    if nested == "json":
        into.execute("create table _9f1c_4c1e.a (id bigint, v uuid)")
    # PostgreSQL takes an empty text in another file format only.
    lines = [schema(v=TEXT, w=TEXT, tags=TAGS), record(id=1, v="", tags=[["x"]])]
    run = subprocess.run(
        [str(BIN / "target-dlt"), "--config", str(path)],
        input="".join(f"{json.dumps(line)}\n" for line in lines),
        capture_output=True,
        text=True,
        check=False,
    )
    said = [line for line in run.stderr.splitlines() if "|dlt|" in line]
    assert len(said) == 1, run.stderr
    assert "dataset name got changed from '9f1c-4c1e'" in said[0]
    assert run.returncode == (1 if nested == "json" else 0)
    assert ('column "v" is of type uuid' in run.stderr) is (nested == "json")


@DUCKDB
def test_leftovers_with_loaded_rows_are_given_up(tmp_path: Path, into: Database) -> None:
    """Their rows have no key. They are deleted by the load id of the package, and sent again."""
    stage = Stage(tmp_path, {"a": "INCREMENTAL", "b": "INCREMENTAL"}, into)
    lines = [schema(keys=()), record(id=1), schema("b", keys=(), v=TEXT), record("b", id=1, v="x")]
    into.execute("create schema data", "create table data.b (id bigint, v uuid)")
    for _ in range(2):
        with pytest.raises(PipelineStepFailed, match="does not fit its column"):
            load(stage.pipeline, stage.source(lines))
    into.execute("drop table data.b")
    load(stage.pipeline, stage.source(lines))
    assert look(into, "id") == [(1,)]
    assert look(into, "id", "v", table="b") == [(1, "x")]


def test_temporary_refusal_is_retried() -> None:
    assert is_understood(duckdb.TransactionException("TransactionContext Error: Conflict on t!"))
    assert not is_understood(
        duckdb.ConversionException(f"Conversion Error: Could not cast {SECRET}")
    )
