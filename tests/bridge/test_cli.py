"""`dlt singer` as a user types it, with a tap that is a real process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tomllib
import traceback
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import duckdb
import pytest
from dlt._workspace.cli._dlt import main
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs import PluggableRunContext
from running import BIN, full_config
from staging import SCRIPTED_TAP, bookmark, entry, record, schema

from dlt_bridge import BridgeError
from dlt_bridge.ending import explained
from tap_chat.sandbox import Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = {"type": ["string", "null"]}
MESSAGE_TEXT = "my card is 4111"


@dataclass(frozen=True)
class Done:
    """What a command has said.

    Attributes:
        returncode: Its exit code.
        stdout: What it wrote to standard output.
        stderr: What it wrote to standard error.
    """

    returncode: Any
    stdout: str
    stderr: str


@dataclass
class Command:
    """Runs dlt's command line in a folder, with a tap that plays a script.

    Attributes:
        folder: The working folder.
        streams: The streams of the tap's catalog.
    """

    folder: Path
    streams: tuple[str, ...] = ("a",)
    environment: dict[str, str] = field(default_factory=dict)

    def plays(self, lines: list[Any], **script: Any) -> str:
        """Give the tap its lines, and return its command."""
        catalog = {"streams": [entry(name, "INCREMENTAL") for name in self.streams]}
        path = self.folder / "script.json"
        path.write_text(json.dumps({"catalog": catalog, "lines": lines, **script}))
        return f"{sys.executable} {SCRIPTED_TAP} {path}"

    @property
    def given(self) -> dict[str, Any]:
        given: dict[str, Any] = json.loads((self.folder / "script.given.json").read_text())
        return given

    def __call__(self, *words: str, program: str = "dlt") -> Done:
        """Run dlt's program within this process: to start it would take longer than the tests."""
        arguments = [program, *words]
        code: Any
        with (
            chdir(self.folder),
            patch.dict(os.environ, self.env),
            patch.object(sys, "argv", arguments),
            redirect_stdout(StringIO()) as out,
            redirect_stderr(StringIO()) as err,
        ):
            Container()[PluggableRunContext].reload_providers()
            try:
                code = main(program)
            except SystemExit as error:
                code = error.code
        Container()[PluggableRunContext].reload_providers()
        return Done(code, out.getvalue(), err.getvalue())

    def process(self, *words: str, program: str = "dlt") -> subprocess.CompletedProcess[str]:
        """Run dlt's program as a process of its own."""
        return subprocess.run(
            [str(BIN / program), *words],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def env(self) -> dict[str, str]:
        # Where dlt keeps pipelines; the width of its tables.
        own = {"DLT_DATA_DIR": str(self.folder / "dlt"), "COLUMNS": "120"}
        beside = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
        return os.environ | own | beside | self.environment

    def run(self, lines: list[Any], *words: str, **script: Any) -> str:
        """Load lines, and return what was printed."""
        done = self("singer", "run", self.plays(lines, **script), *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.folder / "scripted_tap.duckdb"), read_only=True) as database:
            return database.execute(query).fetchall()


@pytest.fixture
def dlt(tmp_path: Path) -> Command:
    return Command(tmp_path)


def lines_of_two(number: int) -> list[Any]:
    """Return one record of each of two streams, and a STATE."""
    lines: list[Any] = []
    for stream in ("a", "b"):
        lines += [schema(stream, v=TEXT), record(stream, id=number, v=MESSAGE_TEXT)]
    return [*lines, bookmark(a={"x": number}, b={"x": number})]


def cells(printed: str, first: str) -> list[str]:
    """Return the row of a printed table that begins with a cell."""
    rows = [[cell.strip() for cell in line.strip("│ ").split("│")] for line in printed.splitlines()]
    [found] = [row for row in rows if row[0] == first]
    return found


DATA = "scripted_tap_dataset"


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
    lines = [schema(v=TEXT, w=TEXT, x=TEXT), record(id=2, w="new")]
    assert cells(dlt.run(lines), "a")[4] == "w, x"
    assert dlt.given["state"]["bookmarks"]["a"] == {"x": 1}


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


#: Ways to hold it wrong, with a part of what is said then; TAP is the command of a tap.
WRONG = [
    ("run tap-nowhere", "There is no executable `tap-nowhere` on the PATH"),
    ("run TAP --config none.json", "config file none.json can't be read"),
    ("run TAP --config not.json", "config file not.json is no JSON."),
    ("run TAP --config list.json", "config file list.json is no JSON object"),
    ("run TAP --select z*", "The tap has no stream `z*`. It has: a."),
    ("run TAP --full-refresh z", "no selected stream `z`. There are: a."),
    ("run '", "The command of the tap can't be read"),
    ("run TAP --destination duckdbb", "There is no destination `duckdbb`. Did you mean `duckdb`?"),
    ("run TAP --destination snowflake", "pip install 'dlt[snowflake]'"),
    ("run TAP --credentials {x", "--credentials begins as an object, but is no JSON."),
    ("run TAP --dataset scripted_tap", "Choose another dataset"),
    ("run TAP --credentials nowhere/w.duckdb", "No such file or directory"),
    ("state TAP --set none.json", "state file none.json can't be read"),
    ("init tap-nowhere", "There is no executable `tap-nowhere`"),
    ("discover true", "--discover did not print a catalog"),
    ("run false", "failed with exit code 1"),
    ("run TAP --checkpoint-every -1", "--checkpoint-every: it must be 0 or more"),
    ("run TAP --catalog list.json", "catalog file list.json is no JSON object"),
]


@pytest.mark.parametrize(("words", "sentence"), WRONG, ids=[words for words, _ in WRONG])
def test_wrong_use_is_one_sentence(dlt: Command, words: str, sentence: str) -> None:
    tap = dlt.plays([schema(v=TEXT), record(id=1, v=MESSAGE_TEXT)])
    (dlt.folder / "not.json").write_text("s3cret")
    (dlt.folder / "list.json").write_text('["s3cret"]')
    done = dlt("singer", *(tap if word == "TAP" else word for word in words.split()))
    assert done.returncode not in {0, None}
    assert sentence in done.stderr
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


def test_what_an_error_says_of_rows_is_in_no_traceback() -> None:
    def database() -> None:
        raise KeyError(MESSAGE_TEXT)

    def load() -> None:
        try:
            database()
        except KeyError as error:
            raise ValueError(MESSAGE_TEXT) from error

    with pytest.raises(BridgeError) as failed, explained():
        load()
    shown = "".join(traceback.format_exception(failed.value))
    assert MESSAGE_TEXT not in shown
    assert "Unexpected KeyError" in shown
    assert "ValueError" in shown
    assert "test_cli.py" in shown


def test_what_was_committed_before_a_failure_is_shown(dlt: Command) -> None:
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


# `dlt singer init`


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(World(messages=450)) as running:
        yield running


def test_init_writes_a_project_that_runs(dlt: Command, sandbox: Sandbox) -> None:
    done = dlt.process("singer", "init", "tap-chat")
    assert done.returncode == 0, done.stderr
    secrets = dlt.folder / ".dlt" / "secrets.toml"
    assert secrets.stat().st_mode & 0o077 == 0
    assert "secrets.toml" in (dlt.folder / ".gitignore").read_text()
    assert "[sources.singer.tap_chat]" in (dlt.folder / ".dlt" / "config.toml").read_text()
    text = secrets.read_text()
    assert "[sources.singer.tap_chat.config.freshchat]" in text
    # As a user would: the comment signs of one platform go, and its values are filled in.
    config = full_config(sandbox, "chat")["chat"]
    lines = ["[sources.singer.tap_chat.config.chat]"]
    lines += [f"{name} = {json.dumps(config[name])}" for name in ("api_url", "api_key")]
    assert f"# {lines[0]}" in text
    secrets.write_text(text.replace(f"# {lines[0]}", "\n".join(lines)))
    script = [sys.executable, "tap_chat_pipeline.py"]
    run = subprocess.run(script, cwd=dlt.folder, env=dlt.env, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode()
    with duckdb.connect(str(dlt.folder / "tap_chat.duckdb"), read_only=True) as database:
        count = "select count(*) from tap_chat_data.chat_messages"
        assert database.execute(count).fetchall() == [(450,)]


def test_init_asks_for_what_the_destination_needs(dlt: Command) -> None:
    assert dlt("singer", "init", "tap-chat", "--destination", "postgres").returncode == 0
    found = tomllib.loads((dlt.folder / ".dlt" / "secrets.toml").read_text())
    credentials = found["destination"]["postgres"]["credentials"]
    assert credentials.keys() >= {"database", "username", "password", "host"}
    assert credentials["port"] == 5432
    assert 'destination="postgres"' in (dlt.folder / "tap_chat_pipeline.py").read_text()


def test_init_leaves_what_is_there(dlt: Command) -> None:
    (dlt.folder / ".dlt").mkdir()
    secrets = dlt.folder / ".dlt" / "secrets.toml"
    secrets.write_text('[destination.postgres]\ncredentials = "s3cret"\n')
    (dlt.folder / ".gitignore").write_text("mine\n")
    (dlt.folder / "requirements.txt").write_text("mine\n")
    assert dlt("singer", "init", "tap-chat").returncode == 0
    assert secrets.read_text().startswith('[destination.postgres]\ncredentials = "s3cret"\n')
    assert "mine" in (dlt.folder / ".gitignore").read_text().splitlines()
    assert (dlt.folder / "requirements.txt").read_text() == "mine\n"
    script = dlt.folder / "tap_chat_pipeline.py"
    script.write_text("mine")
    done = dlt("singer", "init", "tap-chat")
    assert done.returncode != 0
    assert "is there already" in done.stderr
    assert script.read_text() == "mine"


def test_init_of_a_tap_that_tells_nothing_of_itself(dlt: Command) -> None:
    tap = dlt.folder / "tap-plain"
    tap.write_text(f"#!{sys.executable}\nimport sys\nsys.exit(2)\n")
    tap.chmod(0o700)
    assert dlt("singer", "init", str(tap)).returncode == 0
    text = (dlt.folder / ".dlt" / "secrets.toml").read_text()
    assert text.startswith("[sources.singer.tap_plain.config]")
