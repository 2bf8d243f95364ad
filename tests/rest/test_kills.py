"""Runs that are killed at any time, while the rows change: the last one ends with the truth."""

from __future__ import annotations

import json
import random
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest
from killing.processes import PROC, send, wait_for_end
from killing.ways import Script, TapAlone, TargetDlt, Trial
from rest.living import Living, living_config
from serving import Server

if TYPE_CHECKING:
    from killing.ways import Way

pytestmark = pytest.mark.skipif(not PROC.is_dir(), reason="Linux tells who runs in a trial")


def run(way: Way, trial: Trial, dice: random.Random | None = None) -> set[int]:
    """Run a way of loading once, and kill it at a random time if there are dice.

    Returns:
        The exit codes.
    """
    processes = way.start(trial)
    if dice:
        last = processes.get("loader") or processes["tap"]
        try:
            last.wait(dice.uniform(1, 6 if "loader" not in processes else 15))
        except subprocess.TimeoutExpired:
            victim = dice.choice(way.victims)
            send(trial.mark, victim, dice.choice((signal.SIGKILL, signal.SIGTERM)))
    codes = {process.wait(100) for process in processes.values()}
    assert wait_for_end(trial.mark, 60) == {}
    return codes


@pytest.mark.parametrize(
    ("way", "seed"),
    [*((TapAlone(), seed) for seed in range(2)), (TargetDlt(), 2), (Script(), 3)],
    ids=lambda value: getattr(value, "name", value),
)
@pytest.mark.timeout(300)
def test_killed_runs_of_a_declaration_end_with_the_truth(way: Way, seed: int) -> None:
    dice = random.Random(seed)
    server = Living(random.Random(seed))
    with Server(server) as api, Trial.beginning(living_config(api.url)) as trial:
        for _ in range(4):
            run(way, trial, dice)
        server.is_quiet = True
        assert run(way, trial) == {0}, [path.read_text()[-2000:] for path in trial.errors]
        loaded = {
            name: {row["id"]: row for text in rows if (row := json.loads(text))}
            for name, rows in way.rows(trial).items()
        }
        for name, table in server.tables.items():
            found = loaded[f"living_{name}"]
            assert found.keys() == table.keys(), name
            assert [row for key, row in table.items() if found[key] != row] == [], name
        assert len(json.dumps(way.kept(trial))) < 5000
