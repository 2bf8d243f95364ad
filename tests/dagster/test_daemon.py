"""Accounts of the sandbox in a Dagster with its daemon, queue and database, and kills."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from orchestration.trial import Trial

if TYPE_CHECKING:
    from pathlib import Path

    from postgres import PostgresServer


# Dagster starts three processes for a run, each of which imports it.
pytestmark = pytest.mark.timeout(900)


def test_killed_runs_and_a_killed_daemon_lose_no_row(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    with Trial.beginning(tmp_path, postgres, "freshchat") as trial:
        trial.add(dict.fromkeys(["acme", "umbrella", "Ümlaut & Co"], ("freshchat",)))
        trial.kill_a_run()
        trial.home.daemon.lose_power()
        trial.home.daemon.start()
        trial.wait_for_all()
        trial.assert_whole()
        trial.assert_never_twice_at_once()
