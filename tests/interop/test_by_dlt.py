"""Taps of this and other projects with `dlt singer run`, which keeps the state in PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from bridge.command_line import Command
from interop.pipe import Done
from interop.rounds import ROUNDS, TAPS, Outcomes, Pair, pairs, played
from interop.targets import DATASET

if TYPE_CHECKING:
    from collections.abc import Iterator

    from postgres import PostgresServer

    from tap_chat.sandbox import Sandbox

#: The first test waits until all rounds are over.
pytestmark = pytest.mark.timeout(1800)

INTO = "dlt"


def by_command(playing: list[Pair], when: str) -> Iterator[Done]:
    for pair in playing:
        words = ["--config", pair.recorded.config(), "--destination", "postgres"]
        words += ["--credentials", str(pair.target.place), "--dataset", DATASET]
        if pair.tap.replication:
            if when in {"first", "third"}:
                pair.recorded.discover()
            words += ["--catalog", str(pair.folder / "catalog.json")]
        done = Command(pair.folder)("singer", "run", pair.recorded.program, *words)
        yield Done(done.returncode, done.stderr + done.stdout)


@pytest.fixture(scope="module")
def outcomes(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer, chats: Sandbox
) -> Iterator[Outcomes]:
    names = [(tap, INTO) for tap in TAPS]
    with pairs(tmp_path_factory.mktemp("dlt"), postgres, chats, names) as found:
        yield played(found, by_command)


@pytest.mark.parametrize("when", ROUNDS)
@pytest.mark.parametrize("tap", TAPS)
def test_destination_has_the_rows_of_the_source(outcomes: Outcomes, tap: str, when: str) -> None:
    outcomes[tap, INTO, when].check()
