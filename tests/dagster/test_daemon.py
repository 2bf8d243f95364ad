"""Accounts of the sandbox in a Dagster with its daemon, queue and database, and kills."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from chromium import browsing, needs_chromium
from dagster import DagsterRunStatus
from orchestration.browser import WINDOW, see_graph, see_rows, see_run
from orchestration.trial import Trial

from dlt_bridge.dagster.partitions import PARTITION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from postgres import PostgresServer


ACCOUNTS = ("acme", "Ümlaut & Co")
# Dagster starts three processes for a run, each of which imports it.
pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer) -> Iterator[Trial]:
    """Load two accounts, while a run is killed, and then the daemon."""
    folder = tmp_path_factory.mktemp("dagster")
    with Trial.beginning(folder, postgres, "freshchat", webserver=True) as trial:
        trial.add(dict.fromkeys(ACCOUNTS, ("freshchat",)))
        trial.kill_a_run()
        trial.home.daemon.lose_power()
        trial.home.daemon.start()
        trial.wait_for_all()
        yield trial


def test_killed_runs_and_a_killed_daemon_lose_no_row(trial: Trial) -> None:
    trial.assert_whole()
    trial.assert_never_twice_at_once()


def test_events_of_runs_have_no_secret(trial: Trial) -> None:
    trial.assert_no_secret_in_events()


@needs_chromium
def test_a_browser_shows_the_assets_the_runs_and_the_rows(trial: Trial) -> None:
    url, stream = trial.home.url, "freshchat_conversations_messages"
    with browsing(url, **WINDOW) as page:
        see_graph(page, url, "freshchat", len(trial.streams("freshchat")))
        page.screenshot(path=trial.home.folder / "graph.png")
        for run in trial.runs(DagsterRunStatus.SUCCESS):
            partition = run.tags[PARTITION]
            see_run(page, url, run.run_id, partition)
        rows = len(trial.sandbox.world_of(ACCOUNTS[0]).truth[stream])
        see_rows(page, url, stream, ACCOUNTS[0], rows)
        page.screenshot(path=trial.home.folder / "rows.png")


@pytest.mark.timeout(3600)
@pytest.mark.skipif("DAGSTER" not in os.environ, reason="`make dagster` runs it: 15 minutes")
def test_two_dozen_accounts_on_two_platforms_survive_everything(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    """Kill runs, taps, the daemon, and the worker with all its runs, and change all accounts."""
    accounts = [f"account {number:02}" for number in range(22)] + ["Ümlaut & Co", 'a|b, "c" [d]']
    both = set(accounts[::4])
    with Trial.beginning(tmp_path, postgres, "freshchat", "livechat", webserver=True) as trial:
        trial.add(
            {
                account: ("freshchat", "livechat") if account in both else ("freshchat",)
                for account in accounts
            }
        )
        trial.kill_a_run()
        trial.kill_a_tap()
        trial.kill_a_run(requests=60)
        trial.wait_for_runs(4)
        trial.home.daemon.lose_power()
        trial.kill_a_run()
        trial.home.daemon.start()
        trial.wait_for_runs(10)
        trial.lose_the_worker()
        trial.wait_for_all()
        trial.assert_whole()
        for account in accounts:
            world = trial.sandbox.world_of(account)
            trial.sandbox.set_world(account, replace(world, now=world.now + timedelta(days=20)))
        trial.update()
        trial.backfill("freshchat")
        trial.backfill("livechat")
        trial.kill_a_run()
        trial.wait_for_runs(len(accounts) + len(both) + 10)
        trial.lose_the_worker()
        trial.wait_for_all()
        trial.assert_whole()
        trial.assert_never_twice_at_once()
