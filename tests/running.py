"""Run the tap as a user does, and read the output."""

from __future__ import annotations

import fcntl
import json
import os
import resource
import subprocess
import sys
import termios
from array import array
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Any

import forked
from typing_extensions import override

from tap_chat.platforms import registry
from tap_chat.sandbox import API_KEY, DIALECTS
from tap_chat.tap import TapChat

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from serving import Server

    from tap_chat.sandbox import Sandbox

BIN = Path(sys.executable).parent

#: The platforms that are not declarations.
BUILT_IN = tuple(
    platform.name for platform in registry.PLATFORMS if platform not in registry.SHIPPED
)
#: All platforms of the sandbox.
ALL = tuple(dialect.name for dialect in DIALECTS)
#: The error of a config without a platform.
NO_PLATFORM = (
    "No platform is configured. Add a section:"
    f" {', '.join(platform.name for platform in registry.PLATFORMS)}, rest."
)
#: Settings that end a permanent failure soon.
QUICK = {"backoff_factor": 0.01, "max_retries": 3}
#: Returns the text of a row, by which rows are compared.
text_of = json.JSONEncoder(sort_keys=True).encode


@dataclass(frozen=True)
class Run:
    """A finished run of the tap.

    Attributes:
        code: The exit code.
        out: The standard output.
        err: The standard error.
    """

    code: int
    out: bytes
    err: str

    @cached_property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]

    def of_type(self, kind: str) -> list[dict[str, Any]]:
        return [message for message in self.messages if message["type"] == kind]

    @property
    def records(self) -> list[dict[str, Any]]:
        return [message["record"] for message in self.of_type("RECORD")]

    @cached_property
    def state(self) -> dict[str, Any]:
        """The value of the last STATE; empty without a STATE."""
        for line in reversed(self.out.splitlines()):
            if line.startswith(b'{"type":"STATE"'):
                state: dict[str, Any] = json.loads(line)["value"]
                return state
        return {}

    def bookmark(self, stream: str) -> Any:
        """Return the bookmark of a stream in the last STATE, or None."""
        return self.state["bookmarks"][stream].get("replication_key_value")

    def rows(self, stream: str) -> list[dict[str, Any]]:
        """Return the records of a stream."""
        messages = self.of_type("RECORD")
        return [message["record"] for message in messages if message["stream"] == stream]

    @property
    def errors(self) -> list[str]:
        """The errors in standard error."""
        return [line.rpartition("| ")[2] for line in self.err.splitlines() if "| ERROR" in line]


@dataclass(frozen=True)
class Runner:
    """Runs `tap-chat` in a folder of its own."""

    folder: Path

    def command(self, config: dict[str, Any], **files: dict[str, Any]) -> list[str]:
        command = [str(BIN / "tap-chat")]
        for name, content in {"config": config, **files}.items():
            path = self.folder / f"{name}.json"
            path.write_text(json.dumps(content))
            command += [f"--{name}", str(path)]
        return command

    def __call__(self, config: dict[str, Any], *, level: str = "INFO", **files: Any) -> Run:
        return self.run(self.command(config, **files), {"TAP_CHAT_LOGLEVEL": level})

    def run(self, command: list[str], env: dict[str, str] | None = None) -> Run:
        own = env or {}
        environment = os.environ | own
        program, *arguments = command
        # Python reads its own variables when it starts.
        for_python = any(not name.startswith("TAP_CHAT_") for name in own)
        if forked.POSSIBLE and program == str(BIN / "tap-chat") and not for_python:
            done = forked.run(arguments, self.folder, environment)
        else:
            done = subprocess.run(
                command, cwd=self.folder, env=environment, capture_output=True, check=False
            )
        return Run(done.returncode, done.stdout, done.stderr.decode())


@dataclass(frozen=True)
class SelectingRunner(Runner):
    """Runs `tap-chat` with a catalog of some streams.

    Attributes:
        streams: The names of the streams.
    """

    streams: tuple[str, ...]

    @override
    def command(self, config: dict[str, Any], **files: dict[str, Any]) -> list[str]:
        return super().command(config, **({"catalog": catalog_of(*self.streams)} | files))


@lru_cache
def catalog_of(*streams: str) -> dict[str, Any]:
    """Return a catalog of some streams."""
    extra = {
        platform.name: {"extra_streams": [stream.name for stream in platform.extra_streams]}
        for platform in registry.PLATFORMS
        if any(name.startswith(f"{platform.name}_") for name in streams)
    }
    config: dict[str, Any] = {
        name: settings for name, settings in extra.items() if settings["extra_streams"]
    }
    if set(streams) & {"livechat_chats", "livechat_messages", "livechat_events"}:
        config["livechat"] = {"api_version": "2"}
    entries = TapChat(config=config, validate_config=False).catalog_dict["streams"]
    found = [entry for entry in entries if entry["tap_stream_id"] in streams]
    assert len(found) == len(streams)
    return {"streams": found}


def chat_config(server: Sandbox | Server, **settings: Any) -> dict[str, Any]:
    return {"chat": {"api_url": server.url, "api_key": API_KEY, **QUICK, **settings}}


def full_config(sandbox: Sandbox, *sections: str, **changes: dict[str, Any]) -> dict[str, Any]:
    """Return the config of platforms of the sandbox, which ends at the sandbox's time.

    Args:
        sandbox: The sandbox.
        sections: The platforms; empty for the built-in ones.
        changes: Additional settings by section.
    """
    return config_of(sandbox, "", *sections, **changes)


def config_of(
    sandbox: Sandbox, account: str, /, *sections: str, **changes: dict[str, Any]
) -> dict[str, Any]:
    """Return the config of `full_config` for an account of the sandbox.

    Args:
        sandbox: The sandbox.
        account: The name of the account; empty for the one whose paths have no prefix.
        sections: The platforms; empty for the built-in ones.
        changes: Additional settings by section.
    """
    url = sandbox.url_of(account)
    return {
        "start_date": "2025-01-01",
        "end_date": sandbox.world_of(account).now.isoformat(),
        **{
            dialect.name: dialect.config_of(url, sandbox.world)
            | QUICK
            | changes.get(dialect.name, {})
            for dialect in DIALECTS
            if dialect.name in (sections or BUILT_IN)
        },
    }


def by_stream(run: Run) -> dict[str, list[dict[str, Any]]]:
    """Return the records of a run by stream."""
    found: dict[str, list[dict[str, Any]]] = {}
    for message in run.of_type("RECORD"):
        found.setdefault(message["stream"], []).append(message["record"])
    return found


def merged(runs: list[Run]) -> dict[str, dict[tuple[Any, ...], dict[str, Any]]]:
    """Return the rows of a loader that merges on the keys, after some runs."""
    tables: dict[str, dict[tuple[Any, ...], dict[str, Any]]] = {}
    for run in runs:
        keys = {message["stream"]: message["key_properties"] for message in run.of_type("SCHEMA")}
        for stream, records in by_stream(run).items():
            table = tables.setdefault(stream, {})
            table |= {tuple(record[key] for key in keys[stream]): record for record in records}
    return tables


def missing(truth: list[dict[str, Any]], found: list[dict[str, Any]]) -> list[str]:
    """Return the missing rows of the truth, as text."""
    there = set(map(text_of, found))
    return [text for text in map(text_of, truth) if text not in there]


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows in a canonical order."""
    return sorted(rows, key=text_of)


def is_built_in(stream: str) -> bool:
    """Return whether a stream is one of the built-in platforms."""
    return stream.partition("_")[0] in BUILT_IN


def is_by_option(stream: str) -> bool:
    """Return whether a stream is read only if `extra_streams` names it."""
    return any(stream == extra.name for part in registry.PLATFORMS for extra in part.extra_streams)


def assert_complete(run: Run, sandbox: Sandbox, *streams: str) -> None:
    """Check that a run wrote all rows of some streams once, by default of the built-in ones."""
    assert run.code == 0, run.err
    found, truth = by_stream(run), sandbox.world.truth
    for stream in streams or filter(is_built_in, truth):
        assert in_order(found.get(stream, [])) == in_order(truth[stream]), stream


def assert_up_to_date(runs: list[Run], sandbox: Sandbox, streams: Iterable[str]) -> None:
    """Check that a loader that merges has all rows of the sandbox after some runs."""
    assert runs[-1].code == 0, runs[-1].err
    tables = merged(runs)
    for stream in streams:
        truth = sandbox.world.truth[stream]
        assert missing(truth, list(tables[stream].values())) == [], stream


def ended_after(
    command: list[str],
    lines: int,
    signum: int,
    before: Callable[[], None] | None = None,
    *,
    blocked: bool = False,
) -> Run:
    """Run a command until it has written some lines, then send it a signal.

    Args:
        command: The command.
        lines: The number of lines.
        signum: The signal.
        before: A function to call before the signal.
        blocked: Whether to send it during a write that waits for the reader.
    """
    # A pipe of the smallest size, so that every write of more than a page waits.
    size = resource.getpagesize() if blocked else -1
    with (
        TemporaryFile() as err,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=err, pipesize=size) as process,
    ):
        assert process.stdout is not None
        out = b"".join(process.stdout.readline() for _ in range(lines))
        if before:
            before()
        while blocked and waiting(process.stdout) < size:
            assert process.poll() is None
        process.send_signal(signum)
        out += process.stdout.read()
        process.wait()
        err.seek(0)
        return Run(process.returncode, out, err.read().decode())


def waiting(pipe: IO[bytes]) -> int:
    """Return the number of bytes in a pipe."""
    count = array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]
