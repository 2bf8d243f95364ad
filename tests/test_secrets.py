"""A credential is only where the user put it, and message texts are only where rows are.

Each run has its own home, folder for temporary files and folder for dlt, and logs at level DEBUG.
The tests then search its output and every file that it left.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import duckdb
import pytest
from leaks import leaking_files, leaks
from running import BIN, chat_config, full_config
from serving import Server

from tap_chat.sandbox import API_KEY, Fault, Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from starlette.requests import Request

#: Files with rows, and with messages of a database about them, in a package that is not loaded.
ROWS = (
    "*.parquet",
    "*.duckdb",
    "*.duckdb.wal",
    "*.jsonl",
    "*.csv",
    "*.insert_values",
    "*.exception",
)
DEBUG = {
    "TAP_CHAT_LOGLEVEL": "DEBUG",
    "TARGET_DLT_LOGLEVEL": "DEBUG",
    "RUNTIME__LOG_LEVEL": "DEBUG",
    "RUNTIME__DLTHUB_TELEMETRY": "false",
}
LOAD = """
import dlt, json, sys
from dlt_bridge import load, singer

def main():
    pipeline = dlt.pipeline("secrets", dataset_name="data",
                            destination=dlt.destinations.duckdb("w.duckdb"))
    config = sys.stdin.read()
    source = singer("tap-seen", json.loads(config) if config else None)
    if sys.argv[1] == "run":
        pipeline.run(source)
    else:
        load(pipeline, source, checkpoint_every=0)

if __name__ == "__main__":
    main()
"""
#: A tap that records what other users can see of its process.
SEEN = """#!{python}
import os, pathlib, sys
pathlib.Path("seen").write_text(repr((sys.argv, dict(os.environ))))
os.execv({tap!r}, [{tap!r}, *sys.argv[1:]])
"""
SCHEMA = {"properties": {"id": {"type": "integer"}, "text": {"type": "string"}}}


@dataclass(frozen=True)
class Place:
    """The folder of a run.

    Attributes:
        folder: The folder.
    """

    folder: Path

    def environment(self, **own: str) -> dict[str, str]:
        folders = {"HOME": "home", "TMPDIR": "tmp", "DLT_DATA_DIR": "dlt"}
        for name in folders.values():
            (self.folder / name).mkdir(exist_ok=True)
        found = {name: str(self.folder / folder) for name, folder in folders.items()}
        path = {"PATH": f"{self.folder}{os.pathsep}{BIN}{os.pathsep}{os.environ['PATH']}"}
        return os.environ | found | path | DEBUG | own

    def run(
        self, command: list[str], given: bytes | None = None, *, rows: bool = False, **own: str
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command, and search its output and files. Standard output may have rows."""
        done = subprocess.run(
            command,
            input=given,
            cwd=self.folder,
            env=self.environment(**own),
            capture_output=True,
            check=False,
        )
        assert leaks(done.stderr) == []
        assert leaks(done.stdout, texts=not rows) == []
        self.searched()
        return done

    def searched(self) -> None:
        """Search the files, except the one with the user's credential."""
        found = leaking_files(self.folder, data=ROWS)
        found.pop("config.json", None)
        assert found == {}
        left = [path for path in (self.folder / "tmp").rglob("*") if path.is_file()]
        assert left == []


@pytest.fixture
def place(tmp_path: Path) -> Place:
    seen = tmp_path / "tap-seen"
    seen.write_text(SEEN.format(python=sys.executable, tap=str(BIN / "tap-chat")))
    seen.chmod(0o700)
    return Place(tmp_path)


@pytest.fixture
def api() -> Iterator[Sandbox]:
    with Sandbox(World(messages=300, users=5, dixa_conversations=20)) as running:
        yield running


@pytest.mark.parametrize(
    "flags",
    [[], ["--test"], ["--test=schema"], ["--discover"], ["--about"], ["--about", "--format=json"]],
)
def test_tap(place: Place, api: Sandbox, flags: list[str]) -> None:
    (place.folder / "config.json").write_text(json.dumps(full_config(api)))
    command = [str(BIN / "tap-chat"), "--config=config.json", *flags]
    assert place.run(command, rows=not flags).returncode == 0


@pytest.mark.parametrize("how", ["load", "run"])
def test_bridge_of_python(place: Place, api: Sandbox, how: str) -> None:
    config = json.dumps(chat_config(api)).encode()
    command = [sys.executable, "-c", LOAD, how]
    assert place.run(command, config).returncode == 0
    seen = (place.folder / "seen").read_text()
    assert "--config" in seen
    assert API_KEY not in seen
    # dlt keeps the values that it has looked up in a file.
    (place.folder / "seen").unlink()
    variable = {"SOURCES__SINGER__TAP_SEEN__CONFIG": config.decode()}
    done = subprocess.run(
        command, cwd=place.folder, env=place.environment(**variable), input=b"", check=True,
        capture_output=True,
    )  # fmt: skip
    (place.folder / "seen").unlink()  # a variable of the user
    assert leaks(done.stdout + done.stderr) == []
    place.searched()
    api.options.faults = [Fault(kind="drop", after=1, times=None)]
    assert b"has no `id`" in place.run(command, config).stderr
    api.options.faults = [Fault(kind="status", status=401, times=None)]
    assert b"401 Unauthorized" in place.run(command, config).stderr


def refusing(place: Place) -> None:
    """Make the table refuse texts; DuckDB then quotes the first one."""
    with duckdb.connect(str(place.folder / "w.duckdb")) as database:
        database.execute("delete from data.chat_messages")
        database.execute("alter table data.chat_messages alter message type uuid using null")


def test_destination_that_quotes_what_it_refuses(place: Place, api: Sandbox) -> None:
    config = json.dumps(chat_config(api)).encode()
    command = [sys.executable, "-c", LOAD, "load"]
    assert place.run(command, config).returncode == 0
    refusing(place)
    for words in (b"", b"an earlier run of the pipeline secrets has left can't be loaded"):
        done = place.run(command, config)
        assert done.returncode == 1
        assert b"so a value does not fit its column" in done.stderr
        assert words in done.stderr
        assert b"Conversion Error" not in done.stderr
        # The error shows where it happened.
        assert b"load_single_package" in done.stderr
    # The quotation exists, so that the search can find it.
    assert [
        path for path in (place.folder / "dlt").rglob("*.exception") if leaks(path.read_bytes())
    ]


def test_terminated_bridge(place: Place) -> None:
    messages = World(messages=300).chat.messages
    reached, ended = threading.Event(), threading.Event()

    def page(request: Request) -> bytes:
        offset = int(request.query_params["offset"])
        if offset == 198:
            reached.set()
            ended.wait(60)
        return json.dumps({"data": messages[offset : offset + 100]}).encode()

    with (
        Server(page) as server,
        subprocess.Popen(
            [sys.executable, "-c", LOAD, "load"],
            cwd=place.folder,
            env=place.environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        assert process.stdin is not None
        process.stdin.write(json.dumps(chat_config(server)).encode())
        process.stdin.close()
        assert reached.wait(60)
        # Until the tap's first line, its config is in a file that only this user can read.
        for name in leaking_files(place.folder, data=ROWS):
            path = place.folder / name
            assert path.name == "config.json"
            assert path.parent.stat().st_mode & 0o077 == 0
        process.send_signal(signal.SIGTERM)
        ended.set()
        assert process.stdout is not None
        said = process.stdout.read()
    assert process.returncode == 128 + signal.SIGTERM
    assert leaks(said) == []
    place.searched()


def test_dlt_singer(place: Place, api: Sandbox) -> None:
    (place.folder / "config.json").write_text(json.dumps(chat_config(api)))
    dlt = [str(BIN / "dlt"), "--debug", "singer"]
    given = ["tap-seen", "--config", "config.json"]
    into = ["--credentials", "w.duckdb", "--dataset", "data"]
    for command in (
        ["discover", *given],
        ["run", *given, *into],
        ["state", *given, *into, "--json"],
    ):
        assert place.run([*dlt, *command]).returncode == 0, command
    refusing(place)
    assert (
        place.run([*dlt, "run", *given, *into, "--full-refresh", "chat_messages"]).returncode == 0
    )
    refusing(place)
    assert place.run([*dlt, "state", *given, *into, "--clear"]).returncode == 0
    assert place.run([*dlt, "run", *given, *into]).returncode not in {0, 2}
    api.options.faults = [Fault(kind="drop", after=1, times=None)]
    assert place.run([*dlt, "run", *given, *into, "--pipeline", "other"]).returncode not in {0, 2}


def test_target(place: Place, api: Sandbox) -> None:
    (place.folder / "config.json").write_text(json.dumps(chat_config(api)))
    written = place.run([str(BIN / "tap-chat"), "--config=config.json"], rows=True)
    (place.folder / "target.json").write_text(
        json.dumps({"destination": "duckdb", "credentials": "w.duckdb", "dataset_name": "data",
                    "pipelines_dir": "dlt"})
    )  # fmt: skip
    target = [str(BIN / "target-dlt"), "--config=target.json"]
    assert place.run(target, written.stdout).returncode == 0
    refusing(place)
    done = place.run(target, written.stdout)
    assert done.returncode == 1
    assert b"so a value does not fit its column" in done.stderr
    half = written.stdout[: len(written.stdout) // 2]
    assert place.run(target, half).returncode == 1


@pytest.mark.parametrize(
    "bad",
    [
        b'{"type": "RECORD", "stream": "a", "record": {"id": null, "text": "hello order refund"}}',
        b'{"type": "RECORD", "stream": "a", "record": {"text": "hello order \xff refund"}}',
        b'{"type": "hello order refund", "stream": "a"}',
        b'{"type": "RECORD", "stream": "b", "record": {"text": "hello order refund"}}',
        b"hello order refund",
        b'{"id": 1, "text": "hello order refund"}',
    ],
)
def test_refused_line(place: Place, bad: bytes) -> None:
    message = {"type": "SCHEMA", "stream": "a", "schema": SCHEMA, "key_properties": ["id"]}
    lines = b"\n".join([json.dumps(message).encode(), bad])
    place.folder.joinpath("target.json").write_text('{"destination": "duckdb"}')
    done = place.run([str(BIN / "target-dlt"), "--config=target.json"], lines)
    assert done.returncode == 1
    assert b"ine 2" in done.stderr


def test_search_finds_a_secret(place: Place) -> None:
    place.environment()
    (place.folder / "dlt" / "trace.pickle").write_bytes(API_KEY.encode())
    with pytest.raises(AssertionError):
        place.searched()
