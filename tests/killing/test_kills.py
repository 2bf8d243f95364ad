"""A run that is killed at any time, and repeated until it finishes, loses and duplicates nothing.

These tests kill each way of loading a few times; `make kills` does so 200 times, and writes
`docs/kills.md`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any

import kills
import pytest
from killing.processes import MARK, PROC, send, wait_for_end
from killing.trials import ahead, killed, undisturbed
from killing.ways import Append, Script, TapAlone, TargetDlt, Trial, tap_command
from running import full_config
from typing_extensions import override

from tap_chat.sandbox import Options, Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from killing.trials import Undisturbed
    from killing.ways import Way

    Calm = Callable[[Way], Undisturbed]

pytestmark = pytest.mark.skipif(not PROC.is_dir(), reason="Linux tells who runs in a trial")
WORLD = World(messages=400, users=20, conversations=40, dixa_conversations=200, chats=100)


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with Sandbox(WORLD, Options(latency=0.02)) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def calm(served: Sandbox) -> Calm:
    return cache(lambda way: undisturbed(way, full_config(served), kills.rows_of(way, served)))


@pytest.mark.parametrize(
    ("way", "number"),
    [
        (TapAlone(), 0),
        # On another machine, a partly committed package comes twice.
        (Append(), 30),
        (TargetDlt(), 1),
        (Script(), 0),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_killed_way_ends_with_the_truth(served: Sandbox, calm: Calm, way: Way, number: int) -> None:
    with Trial.beginning(full_config(served)) as trial:
        verdict = killed(way, trial, calm(way), number)
    assert verdict.good, verdict


class Boasting(TapAlone):
    """A loader that stores the last STATE too early."""

    def __init__(self, state: dict[str, Any]) -> None:
        self._state = state

    @override
    def kept(self, trial: Trial) -> dict[str, Any]:
        return self._state if trial.outputs else {}


def test_state_that_is_ahead_is_found(served: Sandbox, calm: Calm) -> None:
    config = full_config(served)
    with Trial.beginning(config) as trial:
        with trial.output() as out:
            trial.popen("tap", tap_command(trial, {}), out).wait()
        way = Boasting(TapAlone().kept(trial))
    with Trial.beginning(config) as trial:
        verdict = killed(way, trial, calm(TapAlone()), 1)
    assert verdict.ahead > 0
    assert verdict.lost > 0


def test_rows_before_a_bookmark_must_be_there() -> None:
    truth = {"a": Counter(json.dumps({"at": number}) for number in range(5))}
    state = {"bookmarks": {"a": {"replication_key": "at", "replication_key_value": 3}}}
    assert ahead(state, {"a": Counter(['{"at": 0}', '{"at": 1}', '{"at": 2}'])}, truth) == 0
    assert ahead(state, {"a": Counter(['{"at": 0}', '{"at": 2}', '{"at": 4}'])}, truth) == 1
    assert ahead(state, {}, truth) == 3


def test_process_that_is_left_is_found() -> None:
    mark = f"left {os.getpid()}"
    command = [sys.executable, "-c", "input()"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=os.environ | {MARK: mark}) as process:
        assert wait_for_end(mark, 0) == {process.pid: "loader"}
        assert process.wait() == -signal.SIGKILL
    assert wait_for_end(mark, 0) == {}
    assert send(mark, "both", signal.SIGKILL) == set()
