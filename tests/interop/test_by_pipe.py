"""Taps and targets in a shell pipe. The last line of a target is the state for the next run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from interop.pipe import piped
from interop.rounds import PAIRS, RUNS, Outcomes, Pair, pairs, played

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interop.pipe import Done
    from postgres import PostgresServer

    from tap_chat.sandbox import Sandbox

#: The first test waits until all rounds are over.
pytestmark = pytest.mark.timeout(1800)


def in_pipes(playing: list[Pair], when: str) -> Iterator[Done]:
    for pair in playing:
        pair.recorded.config()
        (pair.folder / "target.json").write_text(json.dumps(pair.target.config))
        if pair.tap.replication and when in {"first", "third"}:
            pair.recorded.discover()
        yield piped(pair.folder, pair.recorded.program, pair.target.path)


@pytest.fixture(scope="module")
def outcomes(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer, chats: Sandbox
) -> Iterator[Outcomes]:
    with pairs(tmp_path_factory.mktemp("pipe"), postgres, chats, PAIRS) as found:
        yield played(found, in_pipes)


@pytest.mark.parametrize(("tap", "target", "when"), RUNS)
def test_target_has_the_rows_of_the_source(
    outcomes: Outcomes, tap: str, target: str, when: str
) -> None:
    outcomes[tap, target, when].check()
