"""Pairs of a tap and a target, run again and again while the source changes."""

from __future__ import annotations

import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

from interop.cells import differences
from interop.chats import Chats
from interop.shop import Shop
from interop.taps import ChatTap, MeltanoLabs, PipelineWise, Recorded
from interop.targets import Dlt, Jsonl, MeltanoLabsPostgres

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from interop.pipe import Done
    from interop.taps import Data, Tap
    from interop.targets import Target
    from postgres import PostgresServer

    from tap_chat.sandbox import Sandbox

#: `make interop` also runs pairs of two other projects.
WHOLE = "INTEROP" in os.environ
TAPS = ("tap-chat", "tap-meltanolabs", "tap-pipelinewise")
TARGETS = ("target-jsonl", "target-meltanolabs", "target-dlt")
PAIRS = [
    (tap, target)
    for tap, target in product(TAPS, TARGETS)
    if WHOLE or tap == "tap-chat" or target == "target-dlt"
]
#: The change of a source before each run.
ROUNDS: dict[str, Callable[[Data], None]] = {
    "first": lambda data: data.begin(),
    "second": lambda data: data.move_on(),
    "quiet": lambda data: data.stay(),
    "third": lambda data: data.add_column(),
}


def has_round(target: str, name: str) -> bool:
    """Return whether a target runs in a round. Other projects' targets skip one without changes."""
    return WHOLE or "dlt" in target or name != "quiet"


RUNS = [(*pair, name) for pair, name in product(PAIRS, ROUNDS) if has_round(pair[1], name)]


@dataclass(frozen=True)
class Pair:
    """A tap and the target that loads it.

    Attributes:
        recorded: The tap.
        target: The target.
    """

    recorded: Recorded
    target: Target

    @property
    def tap(self) -> Tap:
        return self.recorded.tap

    @property
    def folder(self) -> Path:
        """The folder of their runs."""
        return self.recorded.folder


@dataclass(frozen=True)
class Outcome:
    """The result of a run.

    Attributes:
        done: How it ended.
        read: The number of records that the tap wrote, by stream.
        due: The number of records that it must write, by stream, where it is known.
        wrong: The differences between the source and the loaded rows, by stream.
    """

    done: Done
    read: Counter[str]
    due: dict[str, int]
    wrong: dict[str, list[str]]

    def check(self) -> None:
        """Check that the run succeeded, loaded everything, and read only new records."""
        assert self.done.code == 0, self.done.said
        assert self.wrong == {}
        assert {stream: self.read[stream] for stream in self.due} == self.due


Outcomes = dict[tuple[str, str, str], Outcome]


@contextmanager
def pairs(
    folder: Path, postgres: PostgresServer, sandbox: Sandbox, names: Iterable[tuple[str, str]]
) -> Iterator[dict[tuple[str, str], Pair]]:
    """Yield new pairs by their names."""
    with ExitStack() as databases:
        shop = Shop(databases.enter_context(postgres.database()))
        taps = [ChatTap(Chats(sandbox, ("chat", "dixa"))), MeltanoLabs(shop), PipelineWise(shop)]
        by_name = {tap.name: tap for tap in taps}
        found = {}
        for tap_name, name in names:
            tap = by_name[tap_name]
            place = folder / f"{tap_name}-{name}"
            place.mkdir()
            target: Target
            if name == "target-jsonl":
                target = Jsonl(place)
            elif name == "target-dlt":
                target = Dlt(place / "w.duckdb")
            else:
                url = databases.enter_context(postgres.database())
                target = Dlt(url) if name == "dlt" else MeltanoLabsPostgres(url)
            found[tap_name, name] = Pair(Recorded(tap, place), target)
        yield found


def played(
    found: dict[tuple[str, str], Pair], run: Callable[[list[Pair], str], Iterable[Done]]
) -> Outcomes:
    """Run pairs round by round, and return the results.

    Args:
        found: The pairs, by the names of tap and target.
        run: Runs the pairs of a round, one after another.
    """
    outcomes: Outcomes = {}
    sources = {id(pair.tap.data): pair.tap.data for pair in found.values()}
    for name, happens in ROUNDS.items():
        for data in sources.values():
            happens(data)
        playing = {names: pair for names, pair in found.items() if has_round(names[1], name)}
        for (names, pair), done in zip(
            playing.items(), run([*playing.values()], name), strict=True
        ):
            read, due = pair.recorded.taken(), pair.tap.data.due
            outcomes[*names, name] = Outcome(done, read, due, wrong(pair))
    return outcomes


def wrong(pair: Pair) -> dict[str, list[str]]:
    """Return the differences between the source and the target of a pair."""
    truth, keys = pair.tap.data.truth, pair.tap.data.keys
    told = {}
    for stream, rows in truth.items():
        of_target = pair.target.keys(keys[stream])
        try:
            held = pair.target.newest(stream, of_target)
        except Exception as error:  # noqa: BLE001 - each client has its own for a missing table
            told[stream] = [repr(error)]
        else:
            kept = [pair.target.kept(row) for row in rows]
            told[stream] = differences(of_target, kept, held)
    return {stream: found for stream, found in told.items() if found}
