"""Accounts of the sandbox that Dagster loads into PostgreSQL while the test kills processes."""

from __future__ import annotations

import json
import math
import os
import signal
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from dagster import DagsterRun, DagsterRunStatus, RunsFilter
from leaks import leaks
from orchestration.instance import Home, settings
from orchestration.programs import descendants, kill_tree
from orchestration.warehouse import expected, loaded
from running import config_of, is_by_option

from dlt_bridge.dagster.partitions import PARTITION, account_of, partition_key
from tap_chat.sandbox import Options, Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dagster import RunRecord
    from postgres import PostgresServer

HERE = Path(__file__).parent
SLOTS = 4
#: Seconds after which Dagster has started a run again, if it ever does.
RETRY_SECONDS = 60
ACTIVE = (
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
)


@dataclass
class Trial:
    """A trial, within the context of `beginning`.

    Attributes:
        home: Dagster.
        sandbox: The APIs.
        warehouse: The URL of the database for the rows.
        platforms: The platforms of each account that Dagster knows.
        wanted: How often each platform of each partition must be loaded.
        killed: The runs that were killed, by account.
    """

    home: Home
    sandbox: Sandbox
    warehouse: str
    platforms: dict[str, tuple[str, ...]] = field(default_factory=dict)
    wanted: Counter[tuple[str, str]] = field(default_factory=Counter)
    killed: dict[str, DagsterRun] = field(default_factory=dict)

    @classmethod
    @contextmanager
    def beginning(
        cls, folder: Path, server: PostgresServer, *platforms: str, webserver: bool = False
    ) -> Iterator[Self]:
        """Yield a trial without accounts, whose programs run.

        Args:
            folder: The folder for all files.
            server: The database for Dagster and for the rows.
            platforms: The platforms of the accounts.
            webserver: Whether to run the webserver, too.
        """
        with ExitStack() as stack:
            world = World(messages=60, users=12, conversations=40, chats=40)
            sandbox = stack.enter_context(Sandbox(world, Options(latency=0.1)))
            storage, warehouse = (stack.enter_context(server.database()) for _ in range(2))
            env = {
                "ACCOUNTS": str(folder / "accounts.json"),
                "PLATFORMS": " ".join(platforms),
                "WAREHOUSE": warehouse,
                "DLT_DATA_DIR": str(folder / "dlt"),
                "RUNTIME__DLTHUB_TELEMETRY": "false",
                "TAPS_WATCHED_IN": str(folder),
                "PYTHONPATH": str(HERE / "watch"),
            }
            home = Home(folder, HERE / "definitions.py", settings(storage, SLOTS), env)
            trial = cls(home, sandbox, warehouse)
            trial.add({})
            stack.enter_context(home.running(webserver=webserver))
            yield trial

    def add(self, platforms: Mapping[str, tuple[str, ...]]) -> None:
        """Add accounts to those of the definitions, which the sensor loads.

        Args:
            platforms: The platforms of each new account.
        """
        self.platforms |= platforms
        self.update()
        self.wanted.update(
            (platform, partition_key(account))
            for account, names in platforms.items()
            for platform in names
        )

    def update(self) -> None:
        """Write the configs of all accounts, which end at the time of the sandbox."""
        configs = {
            account: config_of(self.sandbox, account, *names)
            for account, names in self.platforms.items()
        }
        # The sensor may read the file at any time.
        new = self.home.folder / "accounts.new"
        new.write_text(json.dumps(configs))
        new.replace(self.home.folder / "accounts.json")

    def backfill(self, platform: str) -> None:
        """Load all accounts of a platform again."""
        keys = [partition_key(name) for name, names in self.platforms.items() if platform in names]
        self.home.backfill(self.streams(platform), keys)
        self.wanted.update((platform, key) for key in keys)

    def streams(self, platform: str) -> list[str]:
        """Return the streams of a platform that are read without an option."""
        return [
            name
            for name in self.sandbox.world.truth
            if name.startswith(f"{platform}_") and not is_by_option(name)
        ]

    def kill_a_run(self, *, requests: int = 5) -> DagsterRun:
        """Kill the process of a run that has sent some requests.

        Args:
            requests: The least number of requests of its account.
        """
        run, number = self.victim(requests)
        os.kill(number, signal.SIGKILL)
        return run

    def kill_a_tap(self, *, requests: int = 5) -> DagsterRun:
        """Kill the tap of a run, and leave the run alone."""
        run, number = self.victim(requests)
        for child in descendants(number):
            if b"tap_chat" in Path(f"/proc/{child}/cmdline").read_bytes():
                kill_tree(child)
        return run

    def lose_the_worker(self) -> None:
        """Lose the machine of the runs, and start another one in its place.

        Nobody tells Dagster that these runs have ended: their time runs out.
        """
        self.home.wait(lambda: len(self.runs(DagsterRunStatus.STARTED)) > 1, "Two runs work")
        self.home.code_server.lose_power()
        self.home.code_server.start()

    def victim(self, requests: int) -> tuple[DagsterRun, int]:
        """Wait for a run to kill, and return it with the number of its process."""
        found: list[tuple[DagsterRun, int]] = []

        def is_there() -> bool:
            for run in self.runs(DagsterRunStatus.STARTED):
                account = account_of(run.tags[PARTITION])
                busy = self.sandbox.requests_of(account) >= requests
                if busy and account not in self.killed and (number := self.process_of(run)):
                    self.killed[account] = run
                    found.append((run, number))
                    return True
            return False

        self.home.wait(is_there, "A run reads its account")
        return found[0]

    def process_of(self, run: DagsterRun) -> int | None:
        """Return the process of a run, if it has begun to work."""
        for entry in self.home.instance.all_logs(run.run_id):
            event = entry.dagster_event
            if event and event.is_step_start:
                return event.pid
        return None

    def runs(self, *statuses: DagsterRunStatus) -> list[DagsterRun]:
        return list(self.home.instance.get_runs(RunsFilter(statuses=list(statuses))))

    def wait_for_runs(self, count: int) -> None:
        """Wait until a number of runs have succeeded."""
        self.home.wait(
            lambda: len(self.runs(DagsterRunStatus.SUCCESS)) >= count, f"{count} runs succeed"
        )

    def wait_for_all(self) -> None:
        """Wait until all accounts are loaded as often as is wanted, and nothing runs any more."""

        while missing := self._wait_for_end():
            # Dagster misses a run that fails while it looks for failed runs. The next time of the
            # schedule loads its account, as this does.
            for platform, key in missing:
                self.home.backfill(self.streams(platform), [key])

    def _wait_for_end(self) -> Counter[tuple[str, str]]:
        """Wait until nothing has run for some seconds, and return what is not loaded."""
        idle_since = math.inf

        def is_idle() -> bool:
            nonlocal idle_since
            if self.runs(*ACTIVE):
                idle_since = math.inf
                return False
            idle_since = min(idle_since, time.monotonic())
            return not self._missing() or time.monotonic() - idle_since > RETRY_SECONDS

        self.home.wait(is_idle, "All accounts are loaded")
        return self._missing()

    def _missing(self) -> Counter[tuple[str, str]]:
        """Return what is still to load."""
        runs = self.runs(DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE)
        return self.wanted - Counter(
            (_platform(run), run.tags[PARTITION]) for run in runs if self._has_loaded(run)
        )

    def _has_loaded(self, run: DagsterRun) -> bool:
        """Return whether a run has loaded its account.

        One that is killed after that, before its process has ended, counts as failed, but is not
        run again.
        """
        if run.status is DagsterRunStatus.SUCCESS:
            return True
        steps = self.home.instance.get_run_step_stats(run.run_id)
        return any(step.status and step.status.value == "SUCCESS" for step in steps)

    def assert_whole(self) -> None:
        """Check that each row of each account is there once."""
        for platform in sorted({name for names in self.platforms.values() for name in names}):
            for stream in self.streams(platform):
                truth = {
                    account: expected(self.sandbox.world_of(account).truth[stream])
                    for account, names in self.platforms.items()
                    if platform in names
                }
                assert loaded(self.warehouse, stream) == truth, stream

    def assert_never_twice_at_once(self) -> None:
        """Check that no account was read by two taps at once, nor by two runs of Dagster."""
        twice = self.home.folder / "twice"
        assert not twice.exists(), twice.read_text()
        ends: dict[str, float] = {}
        for record in sorted(self.home.instance.get_run_records(), key=_start):
            account = record.dagster_run.tags[PARTITION]
            assert ends.get(account, 0) <= _start(record), account
            ends[account] = record.end_time or float("inf")

    def assert_no_secret_in_events(self) -> None:
        """Check that Dagster keeps neither credentials nor texts of messages."""
        instance = self.home.instance
        events = [event for run in instance.get_runs() for event in instance.all_logs(run.run_id)]
        assert events
        assert leaks(" ".join(map(str, events))) == []


def _platform(run: DagsterRun) -> str:
    """Return the platform of a run."""
    assert run.asset_selection
    return next(iter(run.asset_selection)).path[-1].partition("_")[0]


def _start(record: RunRecord) -> float:
    return record.start_time or float("inf")
