"""A trial: kill a way of loading, run it again until it finishes, and judge the result."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from killing.processes import send, wait_for_end
from killing.ways import Trial
from leaks import leaks
from typing_extensions import override

if TYPE_CHECKING:
    from pathlib import Path

    from killing.ways import Rows, Way

SIGNALS = (signal.SIGKILL, signal.SIGTERM)
#: Seconds after which a process that is no longer needed must have ended.
PATIENCE = 60
#: Seconds after which a run counts as stuck.
FOREVER = 300
#: Characters of standard error to show.
SHOWN = 3000
TRACEBACK = "Traceback (most recent call last)"


@dataclass(frozen=True)
class Kill:
    """A kill.

    Attributes:
        seconds: The seconds after the start of the run.
        signum: The signal.
        victim: `tap`, `loader` or `both`.
    """

    seconds: float
    signum: signal.Signals
    victim: str

    @override
    def __str__(self) -> str:
        return f"{self.signum.name} to {self.victim} after {self.seconds:.2f} s"


@dataclass
class Verdict:
    """The result of a trial.

    Attributes:
        kills: The kills.
        another_machine: Whether the runs after a kill had no working files.
        runs: The number of runs after the first.
        lost: The number of rows that are missing in the end, or have other values.
        twice: The number of surplus rows.
        ahead: The number of rows that were missing after a kill although the stored state had
            passed them.
        wrong: All other errors.
    """

    kills: list[Kill] = field(default_factory=list)
    another_machine: bool = False
    runs: int = 0
    lost: int = 0
    twice: int = 0
    ahead: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.lost or self.twice or self.ahead or self.wrong)


@dataclass(frozen=True)
class Undisturbed:
    """A run without a kill.

    Attributes:
        rows: The rows that it loads.
        seconds: Its duration.
    """

    rows: Rows
    seconds: float


def undisturbed(way: Way, config: dict[str, Any], rows: dict[str, int]) -> Undisturbed:
    """Run a way without a kill.

    Args:
        way: The way.
        config: The config of the tap.
        rows: The number of rows that each stream must have.
    """
    with Trial.beginning(config) as trial:
        begun = time.monotonic()
        verdict = Verdict()
        _run(way, trial, None, verdict)
        seconds = time.monotonic() - begun
        assert verdict.wrong == []
        found = way.rows(trial)
        assert {stream: there.total() for stream, there in found.items()} == rows
        return Undisturbed(found, seconds)


def killed(way: Way, trial: Trial, calm: Undisturbed, number: int) -> Verdict:
    """Kill a way once or twice, run it again until it finishes, and judge the result.

    Args:
        way: The way.
        trial: An empty trial.
        calm: The way without a kill.
        number: The seed of the times. Even numbers use SIGKILL, odd ones SIGTERM.
    """
    dice = random.Random(f"{way.name} {number}")
    verdict = Verdict()
    plan = [_kill(way, calm, dice, number)]
    if dice.random() < 1 / 3:
        plan.append(_kill(way, calm, dice, dice.randrange(2)))
    verdict.another_machine = dice.random() < 1 / 3
    for kill in (*plan, None):
        verdict.kills += [kill] if kill else []
        _run(way, trial, kill, verdict)
        if kill:
            verdict.ahead += ahead(way.kept(trial), way.rows(trial), calm.rows)
            verdict.runs += 1
            if verdict.another_machine:
                trial.to_another_machine()
    found = way.rows(trial)
    for stream, rows in calm.rows.items():
        there = found.get(stream, Counter())
        verdict.lost += (rows - there).total()
        verdict.twice += (there - rows).total()
    return verdict


def _kill(way: Way, calm: Undisturbed, dice: random.Random, number: int) -> Kill:
    seconds = dice.uniform(0, 1.05) * calm.seconds
    return Kill(seconds, SIGNALS[number % 2], dice.choice(way.victims))


def _run(way: Way, trial: Trial, kill: Kill | None, verdict: Verdict) -> None:
    """Run a way once, and check how it ends."""
    processes = way.start(trial)
    last = processes.get("loader") or processes["tap"]
    hit: set[str] = set()
    if kill:
        try:
            last.wait(kill.seconds)
        except subprocess.TimeoutExpired:
            hit = send(trial.mark, kill.victim, kill.signum)
    what = f"{kill}: " if kill else "the last run: "
    for role, process in processes.items():
        code = process.wait(FOREVER)
        if code not in _codes(kill, hit, role):
            said = "".join(path.read_text(errors="replace") for path in trial.errors)
            verdict.wrong.append(f"{what}{role} ended with {code}, and said {said[-SHOWN:]}")
    left = wait_for_end(trial.mark, PATIENCE)
    verdict.wrong += [f"{what}{role} is still there" for role in left.values()]
    if "loader" in processes and "loader" in way.own:
        allowed = set(trial.temporary.glob(way.may_leave)) if way.may_leave else set()
        strange = set(trial.temporary.iterdir()) - allowed
        verdict.wrong += [f"{what}{path.name} is left" for path in strange]
    verdict.wrong += [f"{what}{problem}" for problem in _said(way, trial.errors)]


def _codes(kill: Kill | None, hit: set[str], role: str) -> set[int]:
    """Return the allowed exit codes of a process."""
    if not kill or not hit:
        return {0}
    # It had finished before.
    codes = {0}
    if role in hit:
        codes.add(-kill.signum)
    if role in hit and kill.signum == signal.SIGTERM:
        codes.add(128 + signal.SIGTERM)
    if hit != {role}:
        # It reports that the other one broke off.
        codes.add(1)
    return codes


def _said(way: Way, errors: list[Path]) -> list[str]:
    """Return the errors in the standard error of the programs of this project."""
    found = []
    for path in errors:
        if path.stem.partition("-")[2] in way.own:
            text = path.read_text(errors="replace")
            if way.explained and TRACEBACK in text:
                found.append(f"{path.name} has {text[text.index(TRACEBACK) :][:SHOWN]}")
            found += [f"{path.name} says {leak!r}" for leak in leaks(text)[:3]]
    return found


def ahead(state: dict[str, Any], found: Rows, truth: Rows) -> int:
    """Return the number of rows that are missing although a state has passed them.

    Args:
        state: The value of a STATE.
        found: The loaded rows.
        truth: All rows.
    """
    count = 0
    for stream, mark in state.get("bookmarks", {}).items():
        key, value = mark.get("replication_key"), mark.get("replication_key_value")
        if "x" in mark:
            key, value = "id", mark["x"] + 1
        if key and value is not None:
            missing = truth[stream] - found.get(stream, Counter())
            # The next run reads the bookmark itself again.
            count += sum(
                times
                for text, times in missing.items()
                if (at := json.loads(text).get(key)) is not None and _place(at) < _place(value)
            )
    return count


def _place(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    moment = datetime.fromisoformat(value)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
