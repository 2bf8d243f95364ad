"""Runs of the tap with a fault, and their outcomes."""

from __future__ import annotations

import dataclasses
import json
import re
import time
from collections import Counter
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from fault_matrix.case import NONE, PLACES, WORLD, number
from leaks import leaks
from platforms.facts import FACTS
from running import Run, full_config, merged

from tap_chat.sandbox import World, limiter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from fault_matrix.case import Case
    from running import Runner

    from tap_chat.sandbox import Sandbox

#: Limits of a number of requests in a time.
RATES = ("fixed", "sliding", "token", "leaky")
#: The part of an error before its text: the time and place.
BEFORE = re.compile(r"^Stream \w+: (?:GET|POST) \S+ ")
#: Makes the text of a row.
ENCODER = json.JSONEncoder(sort_keys=True, default=str)


@dataclass(frozen=True)
class Outcome:
    """The outcome of a run.

    Attributes:
        run: The run.
        truth: The rows at the end of the run, by stream, as text.
        was: The rows at the start of the run.
        seconds: The duration.
        changed: The number of rows with the value of the fault.
    """

    run: Run
    truth: dict[str, Counter[str]]
    was: dict[str, Counter[str]]
    changed: int = 0
    seconds: float = 0

    @cached_property
    def found(self) -> dict[str, Counter[str]]:
        """The rows that the run wrote, as text, and how often."""
        return {stream: texts(rows) for stream, rows in rows_of(self.run).items()}

    @cached_property
    def lost(self) -> int:
        """The number of rows that are missing although they existed all the time."""
        return sum(
            ((rows & self.was[stream]) - self.found.get(stream, Counter())).total()
            for stream, rows in self.truth.items()
        )

    @cached_property
    def twice(self) -> int:
        """The number of surplus rows."""
        return sum(
            (found - (self.truth[stream] | self.was[stream])).total()
            for stream, found in self.found.items()
        )

    @property
    def said(self) -> str:
        """The start of its error, or else of its last warning."""
        if self.run.errors:
            said = re.split(r"(?<=\S)\. ", BEFORE.sub("", self.run.errors[-1]))[0].rstrip(".")
            # A slow machine may wait one second longer.
            return re.sub(r" for \d+ s$", " for … s", said)
        return ""

    @property
    def cell(self) -> str:
        """The cell of the table."""
        if self.run.code == 0:
            if self.lost:
                return f"{self.lost} lost"
            return "whole, some twice" if self.twice else "whole"
        return "fails" if self.run.code == 1 else f"exit code {self.run.code}"


def texts(rows: list[dict[str, Any]]) -> Counter[str]:
    """Count rows by their text."""
    return Counter(map(ENCODER.encode, rows))


def rows_of(run: Run) -> dict[str, list[dict[str, Any]]]:
    """Return the records of a run by stream, with exact numbers."""
    found: dict[str, list[dict[str, Any]]] = {}
    for line in run.out.splitlines():
        if line.startswith(b'{"type":"RECORD"'):
            message = json.loads(line, parse_float=number)
            found.setdefault(message["stream"], []).append(message["record"])
    return found


def config_of(sandbox: Sandbox, *sections: str, **settings: Any) -> dict[str, Any]:
    """Return the config of platforms of a sandbox."""
    of_chat = {name: settings.pop(name) for name in ("fields", "replication_key") & settings.keys()}
    quick = {section: {**facts.quick, **settings} for section, facts in FACTS.items()}
    quick["chat"] |= of_chat
    # Messages are the oldest records, and the others have one window per month.
    start = "2025-01-01" if sections == ("chat",) else "2025-10-01"
    return full_config(sandbox, *sections, **quick) | {"start_date": start}


def meet(tap: Runner, sandbox: Sandbox, case: Case, *platforms: str) -> Outcome:
    """Run some platforms with a fault on each of them."""
    with prepared(sandbox, case, *platforms):
        config = config_of(sandbox, *platforms, **case.settings)
        was = truth_of(sandbox.world, platforms)
        begun = time.monotonic()
        run = tap(config, level="DEBUG")
        seconds = time.monotonic() - begun
        world, changed = sandbox.world, 0
        truth = truth_of(world, platforms)
    arrives = case.ending == "whole" and case.fault.kind == "replace"
    for name in platforms if arrives else ():
        stream, (field, value) = PLACES[name].stream, case.put(name)
        found = rows_of(run).get(stream, [])
        rows, count = with_changed(world.truth[stream], found, field, value)
        truth[stream] = was[stream] = texts(rows)
        changed += count
    return Outcome(run, truth, was, changed, seconds)


@contextmanager
def prepared(sandbox: Sandbox, case: Case, *platforms: str) -> Iterator[None]:
    """Configure a sandbox for a case, on some platforms, within the context."""
    options = {
        **deepcopy(dict(case.options)),
        "faults": [case.struck(name) for name in platforms],
        "clock": case.clock,
    }
    before = {name: getattr(sandbox.options, name) for name in options}
    sandbox.world = world_with(case.world)
    for name, value in options.items():
        setattr(sandbox.options, name, value)
    yield
    for name, value in before.items():
        setattr(sandbox.options, name, value)
    sandbox.world = WORLD


def least_seconds(tap: Runner, sandbox: Sandbox, case: Case) -> float:
    """Return the shortest possible duration of a case: a run without its fault, plus the waits.

    Args:
        tap: Runs the tap.
        sandbox: The sandbox.
        case: The case.
    """
    limits = case.options.get("limits", ())
    options = {name: value for name, value in case.options.items() if name != "limits"}
    calm = dataclasses.replace(case, fault=NONE, options=options)
    seconds = 0.0
    for names in runs_of(case):
        asked = sandbox.requests
        outcome = meet(tap, sandbox, calm, *names)
        asked = sandbox.requests - asked
        bounds = [limiter.least_seconds(limit, asked) for limit in limits if limit.kind in RATES]
        seconds += max(outcome.seconds + case.least, *bounds, 0)
    return seconds


def outcomes(tap: Runner, sandbox: Sandbox, case: Case) -> dict[str, Outcome]:
    """Run all platforms of a case with its fault, and return the outcomes.

    A temporary fault is on all platforms in one run, except for the messages API with settings that
    leave out old messages.
    """
    return {
        name: outcome
        for names in runs_of(case)
        for outcome in [meet(tap, sandbox, case, *names)]
        for name in names
    }


def runs_of(case: Case) -> list[tuple[str, ...]]:
    """Return the platforms of each run of a case."""
    if case.ending != "whole":
        return [(name,) for name in case.platforms]
    apart = [case.platforms[:1], case.platforms[1:]] if case.settings else [case.platforms]
    return [names for names in apart if names]


def with_changed(
    truth: list[dict[str, Any]], found: list[dict[str, Any]], field: str, value: Any
) -> tuple[list[dict[str, Any]], int]:
    """Return rows with the value of a fault in a field of some, and their number.

    Args:
        truth: The original rows.
        found: The written rows.
        field: The field.
        value: The value.
    """
    there = {without(row, field) for row in found if field in row and row[field] == value}
    rows = [row | {field: value} if without(row, field) in there else row for row in truth]
    return rows, len(there)


def without(row: dict[str, Any], field: str) -> str:
    """Return a row without a field, as text."""
    rest = {name: value for name, value in row.items() if name != field}
    return ENCODER.encode(rest)


def world_with(settings: Mapping[str, Any] | None) -> World:
    """Return the world with other settings; the same one without any, because it keeps its rows."""
    return dataclasses.replace(WORLD, **settings) if settings else WORLD


def truth_of(world: World, platforms: Iterable[str]) -> dict[str, Counter[str]]:
    """Return the rows that the streams of some platforms must have, as text."""
    return {
        stream: rows for name in platforms for stream, rows in truth_of_one(world, name).items()
    }


@lru_cache
def truth_of_one(world: World, platform: str) -> dict[str, Counter[str]]:
    """Return the rows that the streams of a platform must have, as text: the same in most cases."""
    truth = world.accounts[platform].truth
    return {stream: texts(rows) for stream, rows in truth.items()}


def assert_discreet(run: Run) -> None:
    """Check that a run showed no secrets and no traceback."""
    states = [line for line in run.out.splitlines() if line.startswith(b'{"type":"STATE"')]
    assert leaks(run.err) == []
    assert leaks(b"".join(states[-1:])) == []
    assert "Traceback" not in run.err


def assert_made_good(
    tap: Runner,
    sandbox: Sandbox,
    outcomes: dict[str, Outcome],
    world: Mapping[str, Any] | None = None,
) -> None:
    """Check that the next run, without a fault, completes the rows of a loader that merges.

    Args:
        tap: Runs the tap.
        sandbox: The sandbox.
        outcomes: The runs with a fault, one per platform.
        world: Settings of their world.
    """
    sandbox.world = world_with(world)
    state: dict[str, Any] = {"bookmarks": {}}
    for outcome in outcomes.values():
        state["bookmarks"] |= outcome.run.state.get("bookmarks", {})
    again = tap(config_of(sandbox, *outcomes), state=state)
    assert again.code == 0, again.err
    tables = merged([*(outcome.run for outcome in outcomes.values()), again])
    for platform, outcome in outcomes.items():
        for stream, rows in truth_of_one(sandbox.world, platform).items():
            held = texts([*tables.get(stream, {}).values()])
            assert rows - held == Counter(), stream
            # Rows that existed during the case stay, unless they are deleted.
            assert held - rows <= outcome.truth.get(stream, Counter()), stream
    sandbox.world = WORLD
