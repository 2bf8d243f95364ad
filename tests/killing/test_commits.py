"""Rows without a key exist once, at whatever step of a commit a run is killed.

`make kills` kills at each step; these tests do so at those that matter.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from bridge.destinations import DuckDB, Postgres
from killing.commits import Run, Runs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.destinations import Database
    from postgres import PostgresServer

#: Steps before which a run is killed: the rows of a table are committed, and dlt has not noted it;
#: all tables are loaded, and the package is not committed; it is, and dlt has not noted it.
UNNOTED, UNCOMMITTED, COMMITTED = (
    r"save .*pending_transitions.a\.",
    "INSERT INTO .*_dlt_loads",
    r"atomic_rename .*loaded",
)
STREAMS = "abfk"


@pytest.fixture(scope="module")
def runs() -> Iterator[Runs]:
    with closing(Runs()) as runs:
        yield runs


@pytest.fixture(params=["duckdb", "postgres"])
def into(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    if request.param == "duckdb":
        yield DuckDB(tmp_path)
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    with server.database() as url:
        yield Postgres(url)


@pytest.fixture
def run(into: Database, tmp_path: Path) -> Run:
    settings = into.settings
    return Run(
        folder=str(tmp_path),
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
    return all(ids(into, stream) == list(range(1, last + 1)) for stream in STREAMS)


@pytest.mark.parametrize("kill", [UNNOTED, UNCOMMITTED])
def test_run_goes_on_elsewhere(runs: Runs, run: Run, into: Database, kill: str) -> None:
    completes(runs, replace(run, upto=10))
    assert runs(replace(run, kill=kill))["code"] == -9
    completes(runs, replace(run, machine="there"))
    assert is_exact(into, 20)
    # The first machine has a package that the other one has loaded.
    completes(runs, replace(run, upto=30))
    assert is_exact(into, 30)


@pytest.mark.parametrize("kill", [UNNOTED, COMMITTED])
def test_run_goes_on_from_its_files(runs: Runs, run: Run, into: Database, kill: str) -> None:
    completes(runs, replace(run, upto=10))
    assert runs(replace(run, kill=kill))["code"] == -9
    completes(runs, replace(run, upto=30))
    assert is_exact(into, 30)
