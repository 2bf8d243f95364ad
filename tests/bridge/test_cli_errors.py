"""Ways to hold `dlt singer` wrong: each ends with a sentence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING

import duckdb
import pytest
from bridge.command_line import DATA, MESSAGE_TEXT, TEXT, Command, cells
from running import BIN
from staging import bookmark, entry, record, schema

from dlt_bridge import BridgeError
from dlt_bridge.run.checkpoints import reading
from dlt_bridge.run.signals import explaining_errors, stoppable

if TYPE_CHECKING:
    from dlt_bridge.tables.driver import Driver

#: Wrong uses of the command, with a part of the error; TAP is the command of a tap.
WRONG = [
    ("run tap-nowhere", "There is no executable `tap-nowhere` on the PATH"),
    ("run TAP --config none.json", "config file none.json can't be read"),
    ("run TAP --config not.json", "config file not.json is not valid JSON: line 1, column 1."),
    ("run TAP --config list.json", "config file list.json is not a JSON object"),
    ("run TAP --select z*", "The tap has no stream `z*`. It has: a."),
    ("run TAP --full-refresh z", "no selected stream `z`. There are: a."),
    ("run '", "The command of the tap can't be read"),
    ("run TAP --destination duckdbb", "There is no such destination. Did you mean `duckdb`?"),
    ("run TAP --destination snowflake", "pip install 'dlt[snowflake]'"),
    ("run TAP --credentials {x", "--credentials begins as an object, but is not valid JSON."),
    ("run TAP --dataset scripted_tap", "Choose another dataset"),
    ("run TAP --credentials nowhere/w.duckdb", "No such file or directory"),
    ("state TAP --set none.json", "state file none.json can't be read"),
    ("init tap-nowhere", "There is no executable `tap-nowhere`"),
    ("discover true", "--discover did not print a catalog"),
    ("run false", "failed with exit code 1"),
    ("run --select a TAP", "TAP is missing. Write it before all options: dlt singer run tap-chat"),
    ("run TAP --config latin.json", "config file latin.json is not UTF-8 text."),
    ("run --progress TAP", "--progress: it is one of streams, none, log,"),
    ("state tap-nowhere", "tap_nowhere.duckdb, dataset tap_nowhere_dataset (pipeline tap_nowhere)"),
    ("state tap-nowhere --json", "Is the tap's name right, and is this the folder of its runs?"),
    ("state TAP --clear", "There is no duckdb:///"),
    ("run TAP --loader-file-format model", "--loader-file-format: invalid choice"),
    ("run TAP --checkpoint-every -1", "--checkpoint-every: it must be 0 or more"),
    ("run TAP --catalog list.json", "catalog file list.json is not a JSON object"),
]


@pytest.mark.parametrize(("words", "sentence"), WRONG, ids=[words for words, _ in WRONG])
def test_wrong_use_is_one_sentence(dlt: Command, words: str, sentence: str) -> None:
    tap = dlt.plays([schema(v=TEXT), record(id=1, v=MESSAGE_TEXT)])
    (dlt.folder / "not.json").write_text("s3cret")
    (dlt.folder / "latin.json").write_text('{"key": "s3cret \u00e9"}', encoding="latin-1")
    (dlt.folder / "list.json").write_text('["s3cret"]')
    done = dlt("singer", *(tap if word == "TAP" else word for word in words.split()))
    usage = done.stderr.startswith("Usage: dlt singer run TAP")
    assert done.returncode == (2 if usage else 1)
    assert sentence in done.stderr
    assert not usage or len(done.stderr.splitlines()) == 2
    # To look for a state makes no database.
    assert not words.startswith("state") or list(dlt.folder.glob("*.duckdb")) == []
    assert "Traceback" not in done.stderr
    assert "s3cret" not in done.stderr
    assert MESSAGE_TEXT not in done.stderr + done.stdout


def test_debug_shows_where_it_happened_and_no_values(dlt: Command) -> None:
    lines = [schema(v={"type": "integer"}), {**record(id=None, v=MESSAGE_TEXT)}]
    done = dlt.process("--debug", "singer", "run", dlt.plays(lines))
    assert done.returncode == 1
    assert "Traceback" in done.stderr
    assert "driver.py" in done.stderr
    assert MESSAGE_TEXT not in done.stderr


def test_tracebacks_hold_no_values_of_rows() -> None:
    def database() -> None:
        raise KeyError(MESSAGE_TEXT)

    def load() -> None:
        try:
            database()
        except KeyError as error:
            raise ValueError(MESSAGE_TEXT) from error

    with pytest.raises(BridgeError) as failed, explaining_errors():
        load()
    shown = "".join(traceback.format_exception(failed.value))
    assert MESSAGE_TEXT not in shown
    assert "The bridge failed (KeyError)" in shown
    assert "ValueError" in shown
    assert "test_cli_errors.py" in shown


def test_failed_run_shows_what_it_committed(dlt: Command) -> None:
    lines = [schema(), record(id=1), bookmark(a={"x": 1}), record(id=2)]
    tap = dlt.plays(lines, exit=1)
    done = dlt("singer", "run", tap, "--checkpoint-every", "0")
    assert done.returncode != 0
    assert cells(done.stdout, "a")[1] == "1"
    assert dlt.rows(f"select id from {DATA}.a") == [(1,)]


def test_file_that_another_program_has_open_is_named(dlt: Command) -> None:
    with duckdb.connect(str(dlt.folder / "scripted_tap.duckdb")):
        done = dlt.process("singer", "run", dlt.plays([schema()]))
    assert done.returncode != 0
    assert f"is open in another program (process {os.getpid()})" in done.stderr
    assert "Traceback" not in done.stderr


WAITING_TAP = """
import json, os, signal, sys
if "--discover" in sys.argv:
    print(json.dumps({"streams": [{"tap_stream_id": "a"}]}))
    sys.exit()
out = {"type": "SCHEMA", "stream": "a", "schema": {"properties": {"id": {"type": "integer"}}}}
print(json.dumps(out), flush=True)
os.kill(os.getppid(), int(sys.argv[1]))
signal.pause()
"""


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_stopped_run_says_so_and_stops_the_tap(dlt: Command, signum: int) -> None:
    (dlt.folder / "waiting.py").write_text(WAITING_TAP)
    tap = f"{sys.executable} {dlt.folder / 'waiting.py'} {int(signum)}"
    done = dlt.process("singer", "run", tap)
    assert done.returncode == 128 + signum
    assert "Traceback" not in done.stderr


CANARY = "MY-REAL-SECRET"
#: Settings of a source in dlt's configuration, by their places in TOML.
SETTINGS = [
    f'nested = "{CANARY}"',
    f'nested = ["{CANARY}"]',
    f'absent = "{CANARY * 5000}"',
    f'select = "{CANARY}"',
    f'config = "{CANARY}"',
    f'config = ["{CANARY}"]',
    f'patience = "{CANARY}"',
    f"[sources.singer.scripted_tap.select]\nx = '{CANARY}'",
]
#: Arguments.
ARGUMENTS = [
    ["--credentials", f'{{"x": "{CANARY}"'],
    ["--credentials", f'{{"x": "{CANARY}"}}', "--destination", "postgres"],
    ["--credentials", CANARY, "--destination", "postgres"],
    ["--credentials", f"postgresql://u:{CANARY}@127.0.0.1:1/d", "--destination", "postgres"],
    ["--destination", CANARY],
    ["--progress", CANARY],
    ["--config", "canary.json"],
]


@pytest.mark.parametrize("way", ["config.toml", "secrets.toml", "environment", "arguments"])
def test_no_value_of_a_setting_is_in_an_error(dlt: Command, way: str) -> None:
    tap = dlt.plays([schema(), record(id=1)], exit=1)
    (dlt.folder / "canary.json").write_text(f'{{"key": "{CANARY}", }}')
    (dlt.folder / ".dlt").mkdir()
    if way == "arguments":
        for words in ARGUMENTS:
            done = dlt("singer", "run", tap, *words)
            assert done.returncode in {1, 2}, words
            assert CANARY not in done.stderr + done.stdout, words
            assert "Unexpected" not in done.stderr, (words, done.stderr)
        return
    for setting in SETTINGS:
        name, _, value = setting.partition(" = ")
        if way == "environment":
            if name.startswith("["):
                continue
            dlt.environment = {f"SOURCES__SINGER__SCRIPTED_TAP__{name.upper()}": value.strip('"')}
        else:
            head = "" if name.startswith("[") else "[sources.singer.scripted_tap]\n"
            (dlt.folder / ".dlt" / way).write_text(f"{head}{setting}\n")
        done = dlt("singer", "run", tap)
        assert done.returncode == 1, setting
        assert CANARY not in done.stderr + done.stdout, setting
        assert "Unexpected" not in done.stderr, (setting, done.stderr)


def test_signal_that_a_library_has_ignored_ends_the_run_before_it_waits() -> None:
    """DuckDB ignores what a signal handler raises while it imports a module."""

    def start() -> Driver:
        raise AssertionError("The tap is read")

    with stoppable():
        with suppress(SystemExit):
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(SystemExit) as stopped, reading(start) as packages:
            next(packages)
        assert stopped.value.code == 128 + signal.SIGTERM
    with stoppable(), pytest.raises(AssertionError, match="is read"), reading(start):
        """The next run is not stopped."""


@pytest.mark.parametrize("flag", ["--json", "--fields"])
def test_reader_may_close_the_output(dlt: Command, flag: str) -> None:
    """As `| head` does. The output is larger than a pipe."""
    described = {"type": "string", "description": "word " * 2000}
    wide = {f"field_{number}": described for number in range(300)}
    streams = [entry("a", "INCREMENTAL") | {"schema": {"type": "object", "properties": wide}}]
    tap = dlt.plays([], catalog={"streams": streams})
    with subprocess.Popen(
        [str(BIN / "dlt"), "singer", "discover", tap, flag],
        cwd=dlt.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout
        assert process.stdout.readline()
        process.stdout.close()
        assert process.stderr
        assert process.stderr.read() == b""
        assert process.wait() == 0


def test_error_of_a_run_is_shown_though_nobody_reads_its_report(dlt: Command) -> None:
    lines = [schema(v=TEXT), record(id=1, v="x"), bookmark(a={"x": 1}), record(id=2, v="y")]
    tap = dlt.plays(lines, exit=1)
    reading, writing = os.pipe()
    os.close(reading)
    for report in ([], ["--json"]):
        done = subprocess.run(
            [str(BIN / "dlt"), "singer", "run", tap, "--checkpoint-every", "0", *report],
            cwd=dlt.folder,
            stdout=writing,
            stderr=subprocess.PIPE,
            check=False,
        )
        assert done.returncode == 1
        assert b"failed with exit code 1" in done.stderr
    os.close(writing)
