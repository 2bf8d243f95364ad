"""A signal ends a run while dlt loads a package, too, with the exit code that says so."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from running import BIN
from staging import SCRIPTED_TAP, bookmark, entry, record, schema

if TYPE_CHECKING:
    from pathlib import Path

# The signal comes before dlt takes a step of its load for the second time.
STOPPED = """
import os, signal, sys
from dlt.load.load import Load

calls = []

def stopped(*arguments, going_on=Load.{step}, **options):
    calls.append(1)
    if len(calls) == 2:
        os.kill(os.getpid(), signal.{signum})
    return going_on(*arguments, **options)

Load.{step} = stopped
{program}
"""
COMMAND = """
from dlt._workspace.cli._dlt import main
sys.exit(main("dlt"))
"""
TARGET = """
from dlt_bridge.target.__main__ import target
target()
"""
SCRIPT = """
import dlt
from dlt_bridge import load, singer
duckdb = dlt.destinations.duckdb("w.duckdb")
pipeline = dlt.pipeline("p", pipelines_dir="dlt", destination=duckdb, dataset_name="data")
load(pipeline, singer(sys.stdin, name="lines"), checkpoint_every=0)
"""
WITH_TAP = SCRIPT.replace("singer(sys.stdin,", "singer(sys.argv[1:], {}, patience=600,")
LINES = [schema()] + [
    line for number in (1, 2, 3) for line in (record(id=number), bookmark(a={"x": number}))
]


def stopped(
    folder: Path, program: str, step: str, signum: str, *arguments: str
) -> subprocess.CompletedProcess[bytes]:
    code = STOPPED.format(step=step, signum=signum, program=program)
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        input=b"".join(json.dumps(line).encode() + b"\n" for line in LINES),
        cwd=folder,
        env=os.environ | {"DLT_DATA_DIR": str(folder / "dlt")},
        capture_output=True,
        check=False,
        timeout=60,
    )


def rows(folder: Path) -> list[Any]:
    with duckdb.connect(str(folder / "w.duckdb"), read_only=True) as database:
        return database.execute("select id from data.a order by id").fetchall()


@pytest.mark.parametrize("signum", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("step", ["initialize_package", "complete_package"])
def test_target_that_loads_is_stopped(tmp_path: Path, step: str, signum: str) -> None:
    config = tmp_path / "config.json"
    settings = {"destination": "duckdb", "credentials": "w.duckdb", "dataset_name": "data"}
    config.write_text(json.dumps(settings | {"checkpoint_every": 0}))
    run = stopped(tmp_path, TARGET, step, signum, "--config", str(config))
    assert run.returncode == 128 + getattr(signal, signum), run.stderr
    assert [json.loads(line) for line in run.stdout.splitlines()] == [bookmark(a={"x": 1})["value"]]
    assert (3,) not in rows(tmp_path)
    assert b"Traceback" not in run.stderr


@pytest.mark.parametrize("step", ["initialize_package", "complete_package"])
def test_stopped_command_continues_in_the_next_run(tmp_path: Path, step: str) -> None:
    script, catalog = tmp_path / "script.json", {"streams": [entry("a", "INCREMENTAL")]}
    script.write_text(json.dumps({"catalog": catalog, "lines": LINES}))
    tap = f"{sys.executable} {SCRIPTED_TAP} {script}"
    place = ["--credentials", "w.duckdb", "--dataset", "data", "--checkpoint-every", "0"]
    arguments = ["singer", "run", tap, *place]
    run = stopped(tmp_path, COMMAND, step, "SIGTERM", *arguments)
    assert run.returncode == 128 + signal.SIGTERM, run.stderr
    assert b"Stopped. Committed rows stay." in run.stderr
    assert (3,) not in rows(tmp_path)
    again = subprocess.run(
        [str(BIN / "dlt"), *arguments],
        cwd=tmp_path,
        env=os.environ | {"DLT_DATA_DIR": str(tmp_path / "dlt")},
        check=False,
    )
    assert again.returncode == 0
    assert rows(tmp_path) == [(1,), (2,), (3,)]


INTERRUPTED = """
import duckdb, os, signal, sys
from dlt.load.load import Load

def interrupted(*arguments, going_on=Load.complete_package, **options):
    os.posix_spawn(sys.executable, [sys.executable, "-c", KILL, str(os.getpid())], os.environ)
    duckdb.sql("select count(*) from range(10000000000) a, range(1000) b").fetchall()

KILL = "import os, signal, sys; os.kill(int(sys.argv[1]), signal.SIGTERM)"
Load.complete_package = interrupted
{program}
"""


def test_signal_that_the_database_turns_into_an_error_stops_the_run(tmp_path: Path) -> None:
    """DuckDB looks for signals while it works, and says that the query was interrupted."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"destination": "duckdb", "credentials": "w.duckdb"}))
    run = subprocess.run(
        [sys.executable, "-c", INTERRUPTED.format(program=TARGET), "--config", str(config)],
        input=b"".join(json.dumps(line).encode() + b"\n" for line in LINES),
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert run.returncode == 128 + signal.SIGTERM, run.stderr
    assert run.stdout == b""
    assert b"Traceback" not in run.stderr


REPLACED = """
import os, signal, sys
from dlt.load.load import Load

def replaced(*arguments, **options):
    try:
        os.kill(os.getpid(), signal.SIGTERM)
    except SystemExit as stopped:
        raise RuntimeError("Query interrupted") from stopped

Load.complete_package = replaced
{program}
"""


def test_exit_that_the_database_replaces_by_an_error_ends_a_script(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", REPLACED.format(program=SCRIPT)],
        input=b"".join(json.dumps(line).encode() + b"\n" for line in LINES),
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert run.returncode == 128 + signal.SIGTERM, run.stderr
    assert b"Traceback" not in run.stderr


@pytest.mark.parametrize("step", ["initialize_package", "complete_package"])
def test_script_that_loads_is_stopped(tmp_path: Path, step: str) -> None:
    run = stopped(tmp_path, SCRIPT, step, "SIGTERM")
    assert run.returncode == 128 + signal.SIGTERM
    assert (3,) not in rows(tmp_path)


@pytest.mark.parametrize("step", ["initialize_package", "complete_package"])
@pytest.mark.parametrize("program", [COMMAND, WITH_TAP], ids=["command", "script"])
def test_tap_that_continues_is_stopped_with_its_loader(
    tmp_path: Path, program: str, step: str
) -> None:
    """It fills the pipe while a package is loaded, and does not end by itself."""
    script, catalog = tmp_path / "script.json", {"streams": [entry("a", "INCREMENTAL")]}
    lines = [*LINES, record(id=4)]
    script.write_text(json.dumps({"catalog": catalog, "lines": lines, "endless": True}))
    arguments = [sys.executable, str(SCRIPTED_TAP), str(script)]
    if program == COMMAND:
        options = ["--credentials", "w.duckdb", "--dataset", "data", "--checkpoint-every", "0"]
        arguments = ["singer", "run", " ".join(arguments), *options, "--patience", "600"]
    run = stopped(tmp_path, program, step, "SIGTERM", *arguments)
    assert run.returncode == 128 + signal.SIGTERM, run.stderr
    assert b"Traceback" not in run.stderr
    assert (4,) not in rows(tmp_path)


LOST = """
import os, signal, sys
from dlt.destinations.impl.duckdb.configuration import DuckDbConnectionPool

deleted = []

def lost(pool, going_on=DuckDbConnectionPool.__del__):
    deleted.append(1)
    if len(deleted) == 1:
        os.kill(os.getpid(), signal.{signum})
    going_on(pool)

DuckDbConnectionPool.__del__ = lost
{program}
"""

# DuckDB looks for this module in each query with values.
IGNORED = """
import os, signal, sys, traceback

class Finder:
    def find_spec(self, name, path=None, target=None):
        callers = {{frame.f_code.co_name for frame, _ in traceback.walk_stack(None)}}
        if name == "pandas" and {{"_read_tables", "execute_query"}} <= callers:
            sys.meta_path.remove(self)
            os.kill(os.getpid(), signal.{signum})

sys.meta_path.insert(0, Finder())
{program}
"""


@pytest.mark.parametrize("signum", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize(
    ("program", "lines"), [(LOST, LINES), (IGNORED, LINES[:2])], ids=["destructor", "import"]
)
def test_signal_that_is_ignored_stops_the_run(
    tmp_path: Path, program: str, lines: list[Any], signum: str
) -> None:
    """The exit that is raised there has no effect, and the target waits for a tap that waits."""
    config = tmp_path / "config.json"
    settings = {"destination": "duckdb", "credentials": "w.duckdb", "checkpoint_every": 0}
    config.write_text(json.dumps(settings))
    code = program.format(signum=signum, program=TARGET)
    with subprocess.Popen(
        [sys.executable, "-c", code, "--config", str(config)],
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
    ) as process:
        assert process.stdin
        assert process.stderr
        process.stdin.write(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        process.stdin.flush()
        try:
            assert process.wait(60) == 128 + getattr(signal, signum)
        finally:
            process.kill()
        assert b"Traceback" not in process.stderr.read()
