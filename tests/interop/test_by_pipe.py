"""Taps and targets in a shell's pipe; the last line of a target is the state of the next run."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from interop.rounds import PAIRS, RUNS, Done, Outcomes, Pair, pairs, played

if TYPE_CHECKING:
    from collections.abc import Iterator

    from postgres import PostgresServer

    from tap_chat.sandbox import Sandbox

#: The first test waits until all rounds are over.
pytestmark = pytest.mark.timeout(900)

PIPE = """
set -o pipefail
"$TAP" --config config.json $(for name in catalog state; do
    test ! -e $name.json || echo --$name $name.json
  done) | "$TARGET" --config target.json > state.jsonl
code=$?
test ! -s state.jsonl || tail -1 state.jsonl > state.json
exit $code
"""


def in_pipes(playing: list[Pair], when: str) -> Iterator[Done]:
    for pair in playing:
        pair.recorded.config()
        (pair.folder / "target.json").write_text(json.dumps(pair.target.config))
        if pair.tap.replication and when in {"first", "third"}:
            pair.recorded.discover()
        words = {"TAP": pair.recorded.program, "TARGET": pair.target.path}
        done = subprocess.run(
            ["bash", "-c", PIPE],
            cwd=pair.folder,
            env=os.environ | words,
            capture_output=True,
            text=True,
            check=False,
        )
        yield Done(done.returncode, done.stderr)


@pytest.fixture(scope="module")
def outcomes(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer, chats: Sandbox
) -> Iterator[Outcomes]:
    with pairs(tmp_path_factory.mktemp("pipe"), postgres, chats, PAIRS) as found:
        yield played(found, in_pipes)


@pytest.mark.parametrize(("tap", "target", "when"), RUNS)
def test_target_holds_what_the_source_has(
    outcomes: Outcomes, tap: str, target: str, when: str
) -> None:
    outcomes[tap, target, when].check()
