"""The ledger: an account is loaded by one run at a time, and the next run knows how it ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import psycopg2
import pytest

from dlt_bridge.accounts.holder import Holder
from dlt_bridge.accounts.leases import AccountBusyError, LeaseLostError
from dlt_bridge.accounts.ledger import Ledger
from dlt_bridge.accounts.outcomes import Outcome, failed_first
from dlt_bridge.accounts.result import AccountResult
from dlt_bridge.run.pipelines import PipelineSpec, make_pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dlt import Pipeline
    from postgres import PostgresServer

#: Holds the account of a pipeline until its standard input ends.
HOLD = """
import sys
from dlt_bridge.accounts.ledger import Ledger
from dlt_bridge.run.pipelines import PipelineSpec, make_pipeline
name, destination, credentials, folder = sys.argv[1:]
spec = PipelineSpec(
    destination=destination, credentials=credentials, pipeline=name, dataset="raw", folder=folder
)
with Ledger(make_pipeline(spec)).hold("Acme & Co"):
    print("held", flush=True)
    sys.stdin.read()
"""


class Warehouse:
    """A destination, in which pipelines have folders of their own, as on several machines."""

    def __init__(self, destination: str, credentials: str, folder: Path) -> None:
        self.destination, self.credentials, self._folder = destination, credentials, folder
        self._folders = 0

    def pipeline(self, name: str = "tap_chat_acme") -> Pipeline:
        return make_pipeline(
            PipelineSpec(
                destination=self.destination,
                credentials=self.credentials,
                pipeline=name,
                dataset="raw",
                folder=self.folder(),
            )
        )

    def folder(self) -> str:
        self._folders += 1
        return str(self._folder / f"machine {self._folders}")

    def ledger(self, name: str = "tap_chat_acme", seconds: float = 60) -> Ledger:
        return Ledger(self.pipeline(name), lease_seconds=seconds)

    def holding(self, name: str = "tap_chat_acme") -> subprocess.Popen[bytes]:
        """Start a process that holds an account."""
        command = [sys.executable, "-c", HOLD, name, self.destination, self.credentials]
        process = subprocess.Popen(
            [*command, self.folder()], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdout
        assert process.stdout.readline() == b"held\n"
        return process


@pytest.fixture(params=["postgres", "duckdb", "sqlite"])
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Warehouse]:
    if request.param == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        with server.database() as url:
            yield Warehouse("postgres", url, tmp_path)
    elif request.param == "duckdb":
        yield Warehouse("duckdb", str(tmp_path / "chats.duckdb"), tmp_path)
    else:
        yield Warehouse("sqlalchemy", f"sqlite:///{tmp_path}/chats.db", tmp_path)


@pytest.fixture
def database(postgres: PostgresServer, tmp_path: Path) -> Iterator[Warehouse]:
    with postgres.database() as url:
        yield Warehouse("postgres", url, tmp_path)


def result(failure: str | None = None) -> AccountResult:
    return AccountResult(account="Acme & Co", failure=failure)


def test_an_account_is_held_once(warehouse: Warehouse) -> None:
    for _ in range(2):
        with warehouse.ledger().hold("Acme & Co") as lease:
            lease.check()
            with pytest.raises(AccountBusyError, match=f"process {os.getpid()} on "):
                warehouse.ledger().hold("Acme & Co").__enter__()
            lease.check()
            lease.result = result()


def test_other_accounts_are_held_at_the_same_time(warehouse: Warehouse) -> None:
    with warehouse.ledger().hold("acme"), warehouse.ledger("tap_chat_umbrella").hold("umbrella"):
        pass
    assert set(warehouse.ledger().outcomes()) == {"tap_chat_acme", "tap_chat_umbrella"}


def test_a_killed_holder_is_gone_at_once(warehouse: Warehouse) -> None:
    with warehouse.holding() as process:
        with pytest.raises(AccountBusyError, match=f"process {process.pid} on "):
            warehouse.ledger().hold("Acme & Co").__enter__()
        process.kill()
    with warehouse.ledger().hold("Acme & Co") as lease:
        lease.check()


def test_a_lease_of_another_machine_ends_if_it_is_not_renewed(
    database: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = database.ledger(seconds=1)
    with database.holding() as process:
        # From another machine, it can't be seen that the process is gone.
        monkeypatch.setattr("dlt_bridge.accounts.holder._machine", lambda: "another")
        process.send_signal(signal.SIGSTOP)
        with connected(database) as sql:
            sql("UPDATE raw._singer_accounts SET expires_at = expires_at - 59000")
        while True:
            try:
                with ledger.hold("Acme & Co"):
                    break
            except AccountBusyError:
                continue
        process.kill()


def test_a_run_that_has_lost_its_lease_commits_nothing(database: Warehouse) -> None:
    with database.ledger(seconds=60).hold("Acme & Co") as lease:
        lease.check()
        with connected(database) as sql:
            sql("UPDATE raw._singer_accounts SET expires_at = 0")
        with database.ledger().hold("Acme & Co") as other:
            with pytest.raises(LeaseLostError, match="another run has taken it over"):
                lease.check()
            # Its own outcome is not that of the account.
            other.check()
            other.result = result()
        lease.result = result("It failed.")
    assert not database.ledger().outcomes()["tap_chat_acme"].failed


def test_a_lease_is_renewed(database: Warehouse) -> None:
    with database.ledger(seconds=0.4).hold("Acme & Co") as lease:
        seen: list[Any] = []
        with connected(database) as sql:
            while len(set(seen)) < 3:
                seen += sql("SELECT expires_at FROM raw._singer_accounts")
        lease.check()


def test_of_many_runs_one_holds_the_account(database: Warehouse) -> None:
    ready = threading.Barrier(8)

    def attempt(ledger: Ledger) -> bool:
        ready.wait()
        try:
            with ledger.hold("Acme & Co") as lease:
                ready.wait()
                lease.check()
                return True
        except AccountBusyError:
            ready.wait()
            return False

    with ThreadPoolExecutor(8) as threads:
        for _ in range(5):
            # The first round makes the dataset and the table, too.
            held = list(threads.map(attempt, [database.ledger() for _ in range(8)]))
            assert held.count(True) == 1


def test_the_next_run_knows_how_the_last_one_ended(warehouse: Warehouse) -> None:
    ledger = warehouse.ledger()
    assert ledger.outcomes() == {}
    began = datetime.now(UTC)
    for failure in (None, "It failed.", None):
        with ledger.hold("Acme & Co") as lease:
            lease.result = result(failure)
        outcome = ledger.outcomes()["tap_chat_acme"]
        assert outcome.failed == bool(failure)
        assert outcome.loaded_at
        assert outcome.loaded_at >= began
    with pytest.raises(ZeroDivisionError), ledger.hold("Acme & Co"):
        _ = 1 / 0
    assert ledger.outcomes()["tap_chat_acme"].failed


def test_a_lost_ledger_does_not_hide_how_a_run_ends(
    database: Warehouse, caplog: pytest.LogCaptureFixture
) -> None:
    with connected(database) as sql:
        with pytest.raises(SystemExit), database.ledger().hold("Acme & Co"):
            sys.exit(str(sql("DROP TABLE raw._singer_accounts")))
        with database.ledger().hold("Acme & Co") as lease:
            sql("DROP TABLE raw._singer_accounts")
            lease.result = result()
    assert caplog.text.count("Account Acme & Co: how its run has ended can't be written") == 2


def test_a_killed_run_counts_as_failed(database: Warehouse) -> None:
    with database.ledger().hold("Acme & Co") as lease:
        lease.result = result()
    with database.holding() as process:
        process.kill()
    outcome = database.ledger().outcomes()["tap_chat_acme"]
    assert outcome.failed
    assert outcome.loaded_at


def test_failed_accounts_come_first_and_old_ones_before_young_ones() -> None:
    now = datetime.now(UTC)
    outcomes = {
        "young": Outcome(failed=False, loaded_at=now),
        "old": Outcome(failed=False, loaded_at=now - timedelta(days=1)),
        "failed": Outcome(failed=True, loaded_at=now),
        "never loaded": Outcome(failed=True, loaded_at=None),
    }
    names = ("young", "new", "old", "failed", "never loaded")
    order = failed_first({name: name for name in names}, outcomes)
    assert order == ["never loaded", "failed", "new", "old", "young"]


def test_a_process_with_the_number_of_another_is_not_the_holder() -> None:
    holder = Holder.current()
    assert not holder.has_ended
    assert Holder.parse(str(holder)) == holder
    other = Holder(holder.machine, holder.process, "1", holder.host, holder.lease)
    assert other.has_ended
    elsewhere = Holder("elsewhere", holder.process, "1", holder.host, holder.lease)
    assert not elsewhere.has_ended


def test_a_process_that_is_hidden_has_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlt_bridge.accounts.holder._start_of", lambda _: "")
    holder = Holder.parse(str(Holder.current()))
    answers: list[OSError] = [PermissionError(), ProcessLookupError()]
    monkeypatch.setattr(os, "kill", Mock(side_effect=answers))
    assert [holder.has_ended for _ in answers] == [False, True]


@contextmanager
def connected(warehouse: Warehouse) -> Iterator[Callable[[str], list[Any]]]:
    """Give a function that executes a statement in the database."""
    with closing(psycopg2.connect(warehouse.credentials)) as connection:
        connection.autocommit = True
        cursor = connection.cursor()

        def execute(statement: str) -> list[Any]:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

        yield execute
