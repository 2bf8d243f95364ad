"""The packages do nothing besides their work: no network, no process, no shell."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dist import ROOT
from ruamel.yaml import YAML
from running import chat_config, full_config
from staging import record, schema

from tap_chat.sandbox import Sandbox, World

if TYPE_CHECKING:
    from running import Runner

PACKAGES = ("tap_chat", "dlt_bridge")
SOURCES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
SHELLS = {"sh", "bash", "dash", "zsh", "cmd", "cmd.exe", "powershell", "powershell.exe"}

#: Records the actions of an interpreter: https://docs.python.org/3/library/audit_events.html
WATCH = """
import os, sys

out = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
NETWORK = ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname")
PROCESSES = ("subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "pty.")
SETTINGS = (".toml", ".env", ".yml", ".yaml")

def plain(part):
    return [str(word) for word in part] if isinstance(part, (list, tuple)) else str(part)

def watch(event, arguments):
    if event.startswith((*NETWORK, *PROCESSES)):
        # Not the socket itself.
        shown = arguments[event == "socket.connect":][:2]
    elif event == "open" and str(arguments[0]).endswith(SETTINGS):
        shown = arguments[:1]
    else:
        return
    os.write(out, (repr((event, list(map(plain, shown)))) + "\\n").encode())

sys.addaudithook(watch)
"""
IMPORT = """
import importlib, pkgutil
for name in {packages}:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        importlib.import_module(module.name)
"""


def watched(
    folder: Path, program: str, *arguments: str, **environment: str
) -> list[tuple[str, list[Any]]]:
    """Run a program, and return its actions other than computing."""
    events = folder / "events"
    events.unlink(missing_ok=True)
    subprocess.run(
        [sys.executable, "-c", WATCH + program, str(events), *arguments],
        cwd=folder,
        env=os.environ | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=True,
    )
    return [ast.literal_eval(line) for line in events.read_text().splitlines()]


def connections(events: list[tuple[str, list[Any]]]) -> set[tuple[str, ...]]:
    return {tuple(shown[0]) for event, shown in events if event == "socket.connect"}


def commands(events: list[tuple[str, list[Any]]]) -> list[list[str]]:
    """Return the started processes. Each must be a list of words, not a text for a shell."""
    assert {event for event, _ in events if not event.startswith(("socket.", "open"))} <= {
        "subprocess.Popen"
    }
    found = [shown[1] for event, shown in events if event == "subprocess.Popen"]
    assert all(isinstance(words, list) for words in found), found
    return found


def test_import_has_no_side_effects(tmp_path: Path) -> None:
    (tmp_path / ".dlt").mkdir()
    for name in (".dlt/config.toml", ".dlt/secrets.toml", ".env"):
        (tmp_path / name).write_text("")
    events = watched(tmp_path, IMPORT.format(packages=PACKAGES))
    # A dependency of dlt asks `file` whether Python is of 32 bits (croniter/croniter.py).
    rest = [event for event in events if event[1][:1] != ["file"]]
    assert [event for event in rest if str(tmp_path) in str(event) or event[0] != "open"] == []


def calls(path: Path) -> list[tuple[str, ast.Call]]:
    tree = ast.parse(path.read_text())
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [(ast.unparse(node.func), node) for node in found]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_code_starts_a_shell(path: Path) -> None:
    for name, call in calls(path):
        assert not any(keyword.arg == "shell" for keyword in call.keywords), name
        module, _, function = name.rpartition(".")
        assert not (module == "os" and function.startswith(("system", "popen", "exec", "spawn")))
        assert function not in {"getoutput", "getstatusoutput", "create_subprocess_shell"}, name
        assert function not in {"eval", "exec"} or module, name


def test_tap_talks_to_the_configured_host_alone(tap: Runner) -> None:
    program = "from tap_chat.__main__ import main\nsys.exit(main())"
    with Sandbox(World(messages=30, dixa_conversations=20)) as api:
        _, *arguments = tap.command(full_config(api, "chat", "dixa"))
        events = watched(tap.folder, program, *arguments)
        host, _, port = api.url.removeprefix("http://").partition(":")
    assert connections(events) == {(host, port)}
    assert commands(events) == []


LOAD = """
import dlt, json
from dlt_bridge import load, singer

def main():
    pipeline = dlt.pipeline("watched", pipelines_dir=".", dataset_name="data",
                            destination=dlt.destinations.duckdb("w.duckdb"))
    load(pipeline, singer(sys.argv[1], json.loads(sys.argv[2])))

if __name__ == "__main__":
    main()
"""


def test_bridge_starts_the_tap_and_no_shell_and_talks_to_nobody(tmp_path: Path) -> None:
    tap = str(Path(sys.executable).parent / "tap-chat")
    with Sandbox(World(messages=30)) as api:
        config = json.dumps(chat_config(api))
        events = watched(tmp_path, LOAD, tap, config, RUNTIME__DLTHUB_TELEMETRY="false")
    started = commands(events)
    # The other process is this Python, which removes the config.
    others = {"file", sys.executable}
    assert [words[0] for words in started if words[0] not in others] == [tap, tap]
    assert not SHELLS.intersection(Path(words[0]).name for words in started)
    assert connections(events) == set()


def test_large_stream_is_decoded_without_a_shell(tmp_path: Path) -> None:
    """The decoding processes are this Python, and their arguments have no data."""
    lines = [schema(x={"type": "string"}), *(record(id=n, x="hunter2" * 99) for n in range(40_000))]
    path = tmp_path / "lines"
    path.write_text("\n".join(map(json.dumps, lines)))
    program = LOAD.replace(
        "singer(sys.argv[1], json.loads(sys.argv[2]))", "singer(open(sys.argv[1], 'rb'))"
    )
    events = watched(tmp_path, program, str(path), RUNTIME__DLTHUB_TELEMETRY="false")
    started = [words for words in commands(events) if words[0] != "file"]
    assert {words[0] for words in started} <= {sys.executable}
    assert len(started) >= (2 if len(os.sched_getaffinity(0)) > 1 else 0)
    assert "hunter2" not in str(started)


def test_telemetry_of_meltano_is_off_in_this_project() -> None:
    project = YAML(typ="safe", pure=True).load(ROOT / "meltano.yml")
    assert project["send_anonymous_usage_stats"] is False


def test_user_controls_the_telemetry_of_dlt(tmp_path: Path) -> None:
    """The bridge does not change it: see docs/bridge.md."""
    program = """
import dlt_bridge, dlt_bridge.cli.arguments, dlt_bridge.target.target
from dlt.common.configuration.resolve import resolve_configuration
from dlt.common.configuration.specs import RuntimeConfiguration
sys.exit(resolve_configuration(RuntimeConfiguration()).dlthub_telemetry is not {said})
"""
    watched(tmp_path, program.format(said=False), RUNTIME__DLTHUB_TELEMETRY="false")
    watched(tmp_path, program.format(said=True), RUNTIME__DLTHUB_TELEMETRY="true")
