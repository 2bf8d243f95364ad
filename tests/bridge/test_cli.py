"""`dlt singer` as a user types it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import duckdb
import pytest
from bridge.command_line import DATA, MESSAGE_TEXT, TEXT, Command, cells
from dlt import attach
from staging import bookmark, entry, record, schema

from dlt_bridge.run.report import size


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


def test_discover_shows_the_fields(dlt: Command) -> None:
    fields = {"id": {"type": "integer", "description": "The [id]."}, "v": {"type": "object"}}
    schema = {"type": "object", "description": "The rows.", "properties": fields}
    catalog = {"streams": [entry("a", "INCREMENTAL") | {"schema": schema}]}
    done = dlt("singer", "discover", dlt.plays([], catalog=catalog), "--fields")
    assert done.stdout.startswith("a: The rows.")
    assert cells(done.stdout, "id") == ["id", "bigint", "The [id]."]
    assert cells(done.stdout, "v") == ["v", "json"]


def test_run_loads_and_shows_what_was_loaded(dlt: Command) -> None:
    dlt.streams = ("a", "b", "c")
    printed = dlt.run(lines_of_two(1))
    name, rows, size, seconds, new = cells(printed, "a")
    assert (name, rows, new) == ("a", "1", "new table")
    assert re.fullmatch(r"\d+ B|[\d.]+ kB", size)
    assert float(seconds) >= 0
    assert cells(printed, "1 stream without new rows")[1] == "0"
    assert cells(printed, "all")[1] == "2"
    assert dlt.rows(f"select id, v from {DATA}.a") == [(1, MESSAGE_TEXT)]
    # What is new is so for the destination, whatever this machine knows of it.
    dlt.environment["DLT_DATA_DIR"] = str(dlt.folder / "another machine")
    lines = [schema(v=TEXT, w=TEXT, x=TEXT), record(id=2, w="new")]
    assert cells(dlt.run(lines), "a")[4] == "w, x"
    assert dlt.given["state"]["bookmarks"]["a"] == {"x": 1}


def test_source_and_pipeline_may_have_the_name_of_a_tap(dlt: Command) -> None:
    printed = dlt.run([schema(), record(id=1)], "--pipeline", "tap-a", "--name", "tap-b")
    assert cells(printed, "a")[1] == "1"
    with duckdb.connect(str(dlt.folder / "tap_a.duckdb"), read_only=True) as database:
        assert database.execute("select id from tap_a_dataset.a").fetchall() == [(1,)]


def test_rows_of_all_packages_are_added_up(dlt: Command) -> None:
    lines = [schema(), record(id=1), bookmark(a={"x": 1}), record(id=2), bookmark(a={"x": 2})]
    printed = dlt.run(lines, "--checkpoint-every", "0")
    assert cells(printed, "a")[1] == "2"
    assert cells(printed, "all")[4] == "3 packages"


def test_only_selected_streams_are_loaded(dlt: Command) -> None:
    dlt.streams = ("a", "b")
    dlt.run(lines_of_two(1), "--select", "b")
    assert dlt.rows("select table_name from information_schema.tables where table_name < '_'") == []
    assert dlt.rows(f"select id from {DATA}.b") == [(1,)]


def test_full_refresh_reads_one_stream_again_and_leaves_the_others(dlt: Command) -> None:
    dlt.streams = ("a", "b")
    dlt.run(lines_of_two(1))
    dlt.run(lines_of_two(2), "--full-refresh", "a")
    assert dlt.rows(f"select id from {DATA}.a") == [(2,)]
    assert dlt.rows(f"select id from {DATA}.b order by id") == [(1,), (2,)]
    # The last run of the tap was for the other streams, and continued from their bookmarks.
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


def test_state_can_be_shown_exported_set_and_cleared(dlt: Command) -> None:
    dlt.streams = ("a", "b")
    tap = dlt.plays([])
    assert dlt("singer", "state", tap).returncode == 1
    dlt.run(lines_of_two(7))
    assert cells(dlt("singer", "state", tap).stdout, "a") == ["a", '{"x": 7}']
    taken = dlt("singer", "state", tap, "--json").stdout
    assert json.loads(taken) == {"bookmarks": {"a": {"x": 7}, "b": {"x": 7}}}

    state = {"bookmarks": {"a": {"x": 70}}, "currently_syncing": "a"}
    (dlt.folder / "state.json").write_text(json.dumps({"singer_state": state}))
    assert dlt("singer", "state", tap, "--set", "state.json").returncode == 0
    # It is in the destination: a new machine continues from there, too.
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


def test_leftover_package_is_loaded_first(dlt: Command) -> None:
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


def test_progress_of_dlt_is_shown_on_standard_error(dlt: Command) -> None:
    done = dlt.process("singer", "run", dlt.plays(lines_of_two(1)), "--progress", "log")
    assert "Extract scripted_tap" in done.stdout + done.stderr
    done = dlt.process("singer", "run", dlt.plays(lines_of_two(1)))
    assert "Extract" not in done.stdout + done.stderr


def test_quiet_run_shows_nothing_but_warnings(
    dlt: Command, caplog: pytest.LogCaptureFixture
) -> None:
    dlt.streams = ("a", "b")
    tap = dlt.plays(lines_of_two(1), stderr="WARNING two of them")
    done = dlt("singer", "run", tap, "--quiet")
    assert (done.returncode, done.stdout) == (0, "")
    # Warnings go to Python's log, which pytest keeps.
    assert not done.stderr
    assert "two of them" in caplog.text
    done = dlt("singer", "run", tap, "--quiet", "--json")
    assert json.loads(done.stdout)["rows"] == 2


@pytest.mark.parametrize("dataset", ["scripted_tap_dataset", "My Data"])
def test_last_line_is_a_command_that_shows_rows(dlt: Command, dataset: str) -> None:
    dlt.streams = ("a", "b")
    tap = dlt.plays(lines_of_two(7))
    done = dlt("singer", "run", tap, "--dataset", dataset, "--naming", "direct")
    command = done.stderr.splitlines()[-1].removeprefix("Next: ")
    shown = subprocess.run(
        ["/bin/sh", "-c", command], cwd=dlt.folder, env=dlt.env, capture_output=True, check=True
    )
    assert MESSAGE_TEXT in shown.stdout.decode()


def test_stream_is_shown_once_with_the_name_of_its_table(dlt: Command) -> None:
    names = ("public-Incr", "[bold]x", "\x1b[31mred\r\n", "quiet one")
    dlt.streams = names
    lines: list[Any] = []
    for name in names[:3]:
        lines += [schema(name, v=TEXT), record(name, id=1, v=MESSAGE_TEXT)]
    shown = ["public-Incr", "[bold]x", r"\x1b[31mred\r\n", "quiet one"]
    discovered = dlt("singer", "discover", dlt.plays([])).stdout
    for name in shown:
        assert cells(discovered, name)[2] == "INCREMENTAL"
    printed = dlt.run(lines)
    assert cells(printed, "public-Incr (table public_incr)")[1::3] == ["1", "new table"]
    assert cells(printed, "[bold]x (table _bold_x)")[1] == "1"
    assert cells(printed, r"\x1b[31mred\r\n (table _31mred)")[1] == "1"
    assert cells(printed, "1 stream without new rows")[1] == "0"
    assert cells(printed, "all")[1::3] == ["3", "1 package"]
    assert len([line for line in printed.splitlines() if "│" in line]) == 5
    assert "\x1b" not in discovered + printed


def test_run_prints_json_for_programs(dlt: Command) -> None:
    dlt.streams = ("a-1", "b")
    lines = [
        schema("a-1", v={"type": "integer"}),
        *(record("a-1", id=n, v=v) for n, v in ((1, 1), (2, "x"))),
    ]
    told = json.loads(dlt.run(lines, "--json"))
    assert told["destination"].endswith(f"scripted_tap.duckdb, dataset {DATA}")
    assert (told["rows"], told["packages"], told["warnings"]) == (2, 1, 0)
    assert told["values_in_variants"] == {"a_1.v__v_text": 1}
    first, second = told["tables"]
    assert first.pop("bytes") > 0
    assert first.pop("seconds") >= 0
    assert first == {
        "stream": "a-1",
        "table": "a_1",
        "rows": 2,
        "new_table": True,
        "new_columns": [],
    }
    assert (second["table"], second["rows"], second["bytes"]) == ("b", 0, 0)


def test_report_counts_warnings_and_values_in_variants(dlt: Command) -> None:
    """Over all packages of the run, and each once."""
    whole = schema(n={"type": ["integer", "null"]})
    lines = [whole, *(record(id=number, n=number) for number in range(20)), bookmark(a={"x": 0})]
    dlt.run(lines)
    lines = [whole, record(id=21, n="x"), bookmark(a={"x": 1}), record(id=22, n="y")]
    warned = {"stderr": "WARNING Something is odd.\nINFO All is well."}
    printed = dlt.run(lines, "--checkpoint-every", "0", **warned)
    assert cells(printed, "values in second columns")[1] == "2"
    assert "a.n__v_text" in printed
    assert cells(printed, "warnings of the tap")[1] == "1"
    told = json.loads(dlt.run(lines, "--json", **warned))
    assert (told["warnings"], told["values_in_variants"]) == (1, {"a.n__v_text": 2})


def test_sizes_are_shown_with_units() -> None:
    sizes = {0: "0 B", 999: "999 B", 1000: "1.0 kB", 1_531_886: "1.5 MB", 999_960: "1.0 MB"}
    assert {number: size(number) for number in sizes} == sizes
    assert size(5 * 10**15) == "5,000.0 TB"


def test_database_file_is_in_the_current_folder(dlt: Command) -> None:
    """dlt alone keeps using the file of the folder in which the pipeline ran first."""
    lines = [schema(), record(id=1), bookmark(a={"x": 1})]
    dlt.run(lines)
    other = Command(dlt.folder / "other", environment={"DLT_DATA_DIR": str(dlt.folder / "dlt")})
    other.folder.mkdir()
    for number in (2, 3):
        tap = other.plays([schema(), record(id=number), bookmark(a={"x": number})])
        done = other("singer", "run", tap)
        where = f"duckdb:///{other.folder}/scripted_tap.duckdb, dataset {DATA}."
        # The place is shown before anything is written.
        assert done.stderr.startswith(f"Loading into {where}")
        assert f"Loaded 1 row of 1 stream into {where}\n" in done.stderr
        # The state is that of the place, too.
        known = {"bookmarks": {"a": {"x": number - 1}}} if number > 2 else None
        assert other.given.get("state") == known
    assert other.rows(f"select id from {DATA}.a order by id") == [(2,), (3,)]
    assert dlt.rows(f"select id from {DATA}.a") == [(1,)]
    assert json.loads(dlt("singer", "state", dlt.plays([]), "--json").stdout) == lines[-1]["value"]


def test_dataset_is_that_of_the_last_run_in_this_folder(
    dlt: Command, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [schema(), record(id=1), bookmark(a={"x": 1})]
    dlt.run(lines, "--dataset", "mine")
    other = Command(dlt.folder / "other", environment={"DLT_DATA_DIR": str(dlt.folder / "dlt")})
    other.folder.mkdir()
    for _ in range(2):
        dlt.run(lines)
        assert dlt.given["state"] == lines[-1]["value"]
    for known in (None, lines[-1]["value"]):
        done = other("singer", "run", other.plays(lines))
        assert f"dataset {DATA}." in done.stderr
        # Nothing waits, so there is nothing to say.
        assert "are discarded" not in caplog.text
        assert other.given.get("state") == known
    assert other.rows(f"select id from {DATA}.a") == [(1,)]
    assert dlt.rows("select id from mine.a") == [(1,)]


def test_command_in_another_folder_leaves_packages_that_wait(
    dlt: Command, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [schema(), record(id=1), bookmark(a={"x": 1})]
    dlt.run(lines, "--dataset", "mine")
    pipeline = attach("scripted_tap", pipelines_dir=str(dlt.folder / "dlt" / "pipelines"))
    pipeline.extract([{"id": 2}], table_name="a")
    waiting = pipeline.list_extracted_load_packages()
    other = Command(dlt.folder / "other", environment={"DLT_DATA_DIR": str(dlt.folder / "dlt")})
    other.folder.mkdir()
    assert other("singer", "state", other.plays(lines)).returncode == 1
    assert pipeline.list_extracted_load_packages() == waiting
    # A run says that it discards them.
    other.run(lines)
    assert "They are discarded: the tap continues from the last commit there." in caplog.text
    assert pipeline.list_extracted_load_packages() == []


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_files_have_the_format_that_is_asked_for(dlt: Command, kind: str) -> None:
    place = ["--destination", "filesystem", "--credentials", "files"]
    lines = [schema(v=TEXT), record(id=1, v=MESSAGE_TEXT), bookmark(a={"x": 1})]
    how = ["--write-disposition", "append", "--loader-file-format", kind]
    # Several packages: the options of the run hold for each of them.
    more = [schema(v=TEXT, w=TEXT), record(id=2, w="x"), bookmark(a={"x": 2})]
    dlt.run([*lines, *more], *place, *how, "--checkpoint-every", "0")
    files = sorted((dlt.folder / "files" / DATA / "a").iterdir())
    assert all(f".{kind}" in file.suffixes for file in files)
    assert len(files) == 2
