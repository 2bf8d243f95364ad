"""`dlt singer` as a user types it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from bridge.command_line import DATA, MESSAGE_TEXT, TEXT, Command, cells
from staging import bookmark, entry, record, schema


def lines_of_two(number: int) -> list[Any]:
    """Return one record of each of two streams, and a STATE."""
    lines: list[Any] = []
    for stream in ("a", "b"):
        lines += [schema(stream, v=TEXT), record(stream, id=number, v=MESSAGE_TEXT)]
    return [*lines, bookmark(a={"x": number}, b={"x": number})]


@pytest.mark.parametrize("program", ["dlt", "dlthub"])
def test_both_programs_of_dlt_have_the_command(dlt: Command, program: str) -> None:
    done = dlt.process("singer", "--help", program=program)
    assert done.returncode == 0
    assert "Loads the output of any Singer tap" in done.stdout


def test_workspace_has_the_command_under_dlthub(dlt: Command) -> None:
    """There, `dlt` refuses all commands, and points to `dlthub`."""
    (dlt.folder / ".dlt").mkdir()
    (dlt.folder / ".dlt" / ".workspace").touch()
    done = dlt.process("singer", "discover", dlt.plays([]), program="dlthub")
    assert cells(done.stdout, "a")[2] == "INCREMENTAL"


def test_discover_shows_the_streams(dlt: Command) -> None:
    dlt.streams = ("a", "b")
    done = dlt("singer", "discover", dlt.plays([]))
    assert cells(done.stdout, "b") == ["b", "", "INCREMENTAL", "0", "yes"]
    done = dlt("singer", "discover", dlt.plays([]), "--json")
    assert json.loads(done.stdout) == {"streams": [entry(name, "INCREMENTAL") for name in "ab"]}


def test_run_loads_and_says_what(dlt: Command) -> None:
    dlt.streams = ("a", "b", "c")
    printed = dlt.run(lines_of_two(1))
    name, rows, size, seconds, new = cells(printed, "a")
    assert (name, rows, new) == ("a", "1", "new table")
    assert int(size.replace(",", "")) > 0
    assert float(seconds) >= 0
    assert cells(printed, "c")[:3] == ["c", "0", "0"]
    assert cells(printed, "all")[1] == "2"
    assert dlt.rows(f"select id, v from {DATA}.a") == [(1, MESSAGE_TEXT)]
    # What is new is so for the destination, whatever this machine knows of it.
    dlt.environment["DLT_DATA_DIR"] = str(dlt.folder / "another machine")
    lines = [schema(v=TEXT, w=TEXT, x=TEXT), record(id=2, w="new")]
    assert cells(dlt.run(lines), "a")[4] == "w, x"
    assert dlt.given["state"]["bookmarks"]["a"] == {"x": 1}


def test_names_may_be_as_those_of_taps(dlt: Command) -> None:
    printed = dlt.run([schema(), record(id=1)], "--pipeline", "tap-a", "--name", "tap-b")
    assert cells(printed, "a")[1] == "1"
    with duckdb.connect(str(dlt.folder / "tap_a.duckdb"), read_only=True) as database:
        assert database.execute("select id from tap_a_dataset.a").fetchall() == [(1,)]


def test_rows_of_all_packages_are_added_up(dlt: Command) -> None:
    lines = [schema(), record(id=1), bookmark(a={"x": 1}), record(id=2), bookmark(a={"x": 2})]
    printed = dlt.run(lines, "--checkpoint-every", "0")
    assert cells(printed, "a")[1] == "2"
    assert cells(printed, "all")[4] == "3 packages"


def test_selected_streams_alone_are_loaded(dlt: Command) -> None:
    dlt.streams = ("a", "b")
    dlt.run(lines_of_two(1), "--select", "b")
    assert dlt.rows("select table_name from information_schema.tables where table_name < '_'") == []
    assert dlt.rows(f"select id from {DATA}.b") == [(1,)]


def test_full_refresh_reads_one_stream_anew_and_leaves_the_others(dlt: Command) -> None:
    dlt.streams = ("a", "b")
    dlt.run(lines_of_two(1))
    dlt.run(lines_of_two(2), "--full-refresh", "a")
    assert dlt.rows(f"select id from {DATA}.a") == [(2,)]
    assert dlt.rows(f"select id from {DATA}.b order by id") == [(1,), (2,)]
    # The tap ran for the others last, and went on from their bookmarks.
    assert dlt.given["state"] == {"bookmarks": {"b": {"x": 1}}}


def test_full_refresh_that_fails_drops_nothing(dlt: Command) -> None:
    dlt.run([schema(), record(id=1)])
    tap = dlt.plays([schema(), record(id=2)], exit=1, stderr="token expired")
    done = dlt("singer", "run", tap, "--full-refresh", "a")
    assert done.returncode != 0
    assert "token expired" in done.stderr
    assert dlt.rows(f"select id from {DATA}.a") == [(1,)]


def test_config_comes_from_files_or_from_dlt(dlt: Command) -> None:
    (dlt.folder / "one.json").write_text('{"key": "s3cret", "x": 1}')
    (dlt.folder / "two.json").write_text('{"x": 2}')
    dlt.run([schema()], "--config", "one.json", "--config", "two.json")
    assert dlt.given["config"] == {"key": "s3cret", "x": 2}
    (dlt.folder / ".dlt").mkdir()
    secrets = dlt.folder / ".dlt" / "secrets.toml"
    secrets.write_text('[sources.singer.scripted_tap.config]\nkey = "from dlt"\n')
    dlt.run([schema()])
    assert dlt.given["config"] == {"key": "from dlt"}


def test_state_can_be_seen_taken_set_and_cleared(dlt: Command) -> None:
    dlt.streams = ("a", "b")
    tap = dlt.plays([])
    assert "There is no state" in dlt("singer", "state", tap).stderr
    dlt.run(lines_of_two(7))
    assert cells(dlt("singer", "state", tap).stdout, "a") == ["a", '{"x": 7}']
    taken = dlt("singer", "state", tap, "--json").stdout
    assert json.loads(taken) == {"bookmarks": {"a": {"x": 7}, "b": {"x": 7}}}

    state = {"bookmarks": {"a": {"x": 70}}, "currently_syncing": "a"}
    (dlt.folder / "state.json").write_text(json.dumps({"singer_state": state}))
    assert dlt("singer", "state", tap, "--set", "state.json").returncode == 0
    # It is in the destination: a new machine goes on from there, too.
    dlt.environment["DLT_DATA_DIR"] = str(dlt.folder / "another machine")
    assert json.loads(dlt("singer", "state", tap, "--json").stdout) == state
    dlt.run([schema()])
    assert dlt.given["state"] == state

    assert dlt("singer", "state", tap, "--clear").returncode == 0
    dlt.run([schema()])
    assert "state" not in dlt.given
    assert dlt.rows(f"select id from {DATA}.a") == [(7,)]


def test_state_of_another_runner_can_be_set_before_the_first_run(dlt: Command) -> None:
    (dlt.folder / "state.json").write_text('{"bookmarks": {"a": {"x": 5}}}')
    done = dlt("singer", "state", dlt.plays([]), "--set", "state.json")
    assert done.returncode == 0, done.stderr
    dlt.run([schema(), record(id=6)])
    assert dlt.given["state"] == {"bookmarks": {"a": {"x": 5}}}
    assert dlt.rows("select table_name from information_schema.tables where table_name < '_'") == []


def test_package_that_was_left_is_loaded_first(dlt: Command) -> None:
    """The run before could not load: its destination was taken by another program."""
    lines = [schema(), record(id=1), bookmark(a={"x": 1})]
    dlt.run(lines)
    code = f"""
import sys, dlt
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from dlt_bridge import singer
pipeline = dlt.pipeline("scripted_tap", destination="duckdb")
pipeline.extract(singer({dlt.plays([schema(), record(id=2)]).split()!r}))
"""
    subprocess.run([sys.executable, "-c", code], cwd=dlt.folder, env=dlt.env, check=True)
    done = dlt("singer", "run", dlt.plays([schema(), record(id=3)]))
    assert "an earlier run left" in done.stderr
    assert dlt.rows(f"select id from {DATA}.a order by id") == [(1,), (2,), (3,)]


def test_progress_is_shown_on_standard_error(dlt: Command) -> None:
    tap = dlt.plays(lines_of_two(1))
    dlt.streams = ("a", "b")
    done = dlt.process("singer", "run", dlt.plays(lines_of_two(1)), "--progress")
    assert "Extract scripted_tap" in done.stderr
    assert "Load scripted_tap" in done.stderr
    assert "Load scripted_tap" not in done.stdout
    assert "Extract" not in dlt.process("singer", "run", tap).stderr
