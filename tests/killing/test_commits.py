"""Rows without a key exist once, at whatever step of a commit a run is killed.

A step is a statement in the database, or a change of a file in the working folder.
"""

from __future__ import annotations

import os
from contextlib import closing, contextmanager
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bridge.destinations import DuckDB, Postgres
from killing.commits import Run, Runs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from bridge.destinations import Database
    from postgres import PostgresServer

    Opened = Callable[[Path], AbstractContextManager[Database]]

#: Steps before which a run is killed: the rows of a table are committed, and dlt has not noted it;
#: all tables are loaded, and the package is not committed; it is, and dlt has not noted it.
UNNOTED, UNCOMMITTED, COMMITTED = (
    r"save .*pending_transitions.a\.",
    r"INSERT INTO \S*_dlt_loads",
    r"atomic_rename .*loaded",
)
#: Steps before which it is killed: all files of a table are in the staging dataset; they have
#: replaced the table, and dlt has not noted it.
REPLACING, REPLACED = (
    r"execute_query .*INSERT INTO \S*f\b.* SELECT ",
    r"save .*pending_transitions.f\.\S*sql",
)
#: Steps before which it is killed when the tap is read and the package waits: dlt has not saved the
#: schema; it has, and not the state; the folder of the next step is empty.
WITHOUT_SCHEMA, WITHOUT_STATE, WITHOUT_FOLDER = (
    r"save \('counting\.schema\.json'",
    r"save \('state\.json', '{\"_state_version\":2",
    r"save \('\.version', '1\.0\.2'",
)
STREAMS = "abfkn"


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    with closing(Runs()) as runs:
        yield runs


@pytest.fixture(params=["duckdb", "postgres"])
def opened(request: pytest.FixtureRequest) -> Opened:
    """Opens an empty database, whose files are in a folder."""

    @contextmanager
    def opened(folder: Path) -> Iterator[Database]:
        if request.param == "duckdb":
            yield DuckDB(folder)
            return
        server: PostgresServer = request.getfixturevalue("postgres")
        with server.database() as url:
            yield Postgres(url)

    return opened


@pytest.fixture
def into(opened: Opened, tmp_path: Path) -> Iterator[Database]:
    with opened(tmp_path) as database:
        yield database


@pytest.fixture
def run(into: Database, tmp_path: Path) -> Run:
    return run_into(into, tmp_path)


def run_into(into: Database, folder: Path) -> Run:
    settings = into.settings
    return Run(
        folder=str(folder),
        destination=settings["destination"],
        credentials=settings["credentials"],
    )


def completes(runs: Runs, run: Run) -> None:
    assert runs(run)["code"] == 0, log(run)


def log(run: Run) -> str:
    return Path(run.folder, "log").read_text()


def ids(into: Database, stream: str) -> list[int]:
    return sorted(number for (number,) in into.read(stream, "id"))


def is_exact(into: Database, last: int) -> bool:
    if [text for (text,) in into.read("a", "w") if text] != ["new"] * (last - 10):
        return False
    return all(ids(into, stream) == list(range(1, last + 1)) for stream in STREAMS)


@pytest.mark.parametrize("kill", [UNNOTED, UNCOMMITTED])
def test_run_continues_elsewhere(runs: Runs, run: Run, into: Database, kill: str) -> None:
    completes(runs, replace(run, upto=10))
    assert runs(replace(run, kill=kill))["code"] == -9
    completes(runs, replace(run, machine="there"))
    assert is_exact(into, 20)
    # The first machine has a package that the other one has loaded.
    completes(runs, replace(run, upto=30))
    assert is_exact(into, 30)


@pytest.mark.parametrize("kill", [UNNOTED, COMMITTED])
def test_run_continues_from_its_files(runs: Runs, run: Run, into: Database, kill: str) -> None:
    completes(runs, replace(run, upto=10))
    assert runs(replace(run, kill=kill))["code"] == -9
    completes(runs, replace(run, upto=30))
    assert is_exact(into, 30)


@pytest.mark.parametrize("kill", [WITHOUT_SCHEMA, WITHOUT_STATE, WITHOUT_FOLDER])
def test_run_that_has_read_the_tap_continues_from_its_files(
    runs: Runs, run: Run, into: Database, kill: str
) -> None:
    run = replace(run, whole=True)
    if kill != WITHOUT_FOLDER:
        completes(runs, replace(run, upto=10))
    assert runs(replace(run, kill=kill))["code"] == -9
    completes(runs, replace(run, upto=30))
    assert is_exact(into, 30)


def test_target_continues_from_its_state(runs: Runs, run: Run, into: Database) -> None:
    run = replace(run, target=True)
    completes(runs, replace(run, upto=10))
    assert runs(replace(run, kill=UNCOMMITTED))["code"] == -9
    completes(runs, run)
    # It knows no catalog, so it appends the stream that is read in full.
    assert [ids(into, stream) for stream in "abk"] == [list(range(1, 21))] * 3


def test_child_tables_are_loaded_once(runs: Runs, run: Run, into: Database) -> None:
    run = replace(run, nested="tables")
    completes(runs, replace(run, upto=10))
    assert runs(replace(run, kill=r"save .*pending_transitions.a__v\."))["code"] == -9
    completes(runs, replace(run, machine="there"))
    assert is_exact(into, 20)
    names, rows = into.fetched("a__v")
    values = sorted(row[names.index("value")] for row in rows)
    assert values == sorted([*range(1, 21), *range(-20, 0)])


def test_rows_of_another_pipeline_are_left_alone(runs: Runs, run: Run, into: Database) -> None:
    """Both load into the same tables; the other one has loaded its rows, and not committed them."""
    other = replace(run, pipeline="other", machine="other")
    assert runs(replace(run, kill=UNCOMMITTED))["code"] == -9
    assert runs(replace(other, kill=UNCOMMITTED))["code"] == -9
    completes(runs, replace(run, machine="there"))
    assert ids(into, "b") == sorted([*range(1, 21), *range(1, 21)])
    completes(runs, other)
    assert ids(into, "b") == sorted([*range(1, 21), *range(1, 21)])


@pytest.mark.parametrize("opened", ["postgres"], indirect=True)
def test_run_that_another_run_has_discarded_fails(runs: Runs, run: Run, into: Database) -> None:
    completes(runs, replace(run, upto=10))
    process = runs(replace(run, kill="UPDATE .*_singer_loads", hold=True))["process"]
    completes(runs, replace(run, machine="there"))
    assert runs(replace(run, go_on=process))["code"] == 1
    assert "Another run of the pipeline p began before this package was committed" in log(run)
    assert is_exact(into, 20)
    completes(runs, replace(run, upto=30))
    assert is_exact(into, 30)


@pytest.mark.parametrize("opened", ["postgres"], indirect=True)
def test_rows_that_are_committed_late_are_deleted_by_the_next_run(
    runs: Runs, run: Run, into: Database
) -> None:
    completes(runs, replace(run, upto=10))
    # With one worker, no other file is being loaded, whose locks the other run would wait for.
    before = r"atomic_rename .*started_jobs.b\."
    process = runs(replace(run, kill=before, hold=True, workers=1))["process"]
    completes(runs, replace(run, machine="there"))
    assert runs(replace(run, go_on=process))["code"] == 1
    completes(runs, replace(run, machine="there", upto=30))
    assert is_exact(into, 30)


@pytest.mark.parametrize("kill", [REPLACING, REPLACED])
def test_replaced_table_has_its_old_rows_or_its_new_ones(
    runs: Runs, run: Run, into: Database, kill: str
) -> None:
    run = replace(run, replace_strategy="insert-from-staging")
    completes(runs, replace(run, upto=10))
    assert runs(replace(run, kill=kill))["code"] == -9
    assert ids(into, "f") == list(range(1, 11 if kill == REPLACING else 21))
    completes(runs, replace(run, upto=30))
    assert is_exact(into, 30)


@pytest.mark.skipif("EVERY_STEP" not in os.environ, reason="`make kills` runs it: 15 minutes")
@pytest.mark.parametrize("known", [0, 10])
def test_run_that_is_killed_before_any_step_continues(
    runs: Runs, opened: Opened, tmp_path: Path, known: int
) -> None:
    """From the begin of a first run, and of one that brings another table and another column."""
    for number in count():
        folder = tmp_path / str(number)
        folder.mkdir()
        with opened(folder) as into:
            run = run_into(into, folder)
            if known:
                completes(runs, replace(run, upto=known))
            code = runs(replace(run, whole=True, kill=number))["code"]
            for last in (20, 30):
                completes(runs, replace(run, upto=last))
                assert is_exact(into, last), number
        if code == 0:
            break
    assert number > 80
