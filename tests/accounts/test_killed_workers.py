"""Workers and runners that are killed: other accounts are loaded, and no process stays behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from running import BIN

from dlt_bridge.accounts import pool, worker
from dlt_bridge.accounts.account import Account
from dlt_bridge.accounts.pool import run_accounts
from dlt_bridge.accounts.progress import AccountsProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TAP = f"{sys.executable} {Path(__file__).with_name('holding_tap.py')}"


class Runner:
    """The command, over accounts of the tap that waits for one of them, `held`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.hold = folder / "hold"
        self.hold.touch()
        accounts = ["[accounts.held]", f"hold = {json.dumps(str(self.hold))}"]
        accounts += ["[accounts.one]", "[accounts.two]"]
        (folder / "accounts.toml").write_text("\n".join(accounts))

    def start(self) -> subprocess.Popen[str]:
        command = [str(BIN / "dlt"), "singer", "run", TAP, "--no-discover"]
        command += ["--accounts", "accounts.toml", "--workers", "2", "--json", "--dataset", "raw"]
        return subprocess.Popen(
            [*command, "--credentials", "chats.duckdb", "--pipelines-dir", "pipelines"],
            cwd=self._folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def processes(self) -> tuple[int, int]:
        """Return the processes of the tap that waits, and of its worker."""
        path = self.hold.with_suffix(".processes")
        while not path.exists():
            time.sleep(0.05)
        tap, worker = path.read_text().split()
        path.unlink()
        return int(tap), int(worker)

    def accounts(self) -> list[Any]:
        with duckdb.connect(str(self._folder / "chats.duckdb"), read_only=True) as database:
            return database.execute("select _account, id from raw.a order by all").fetchall()


@pytest.fixture
def runner(tmp_path: Path) -> Iterator[Runner]:
    runner = Runner(tmp_path)
    yield runner
    runner.hold.unlink(missing_ok=True)


def wait_for_the_end(*processes: int) -> None:
    def is_alive(process: int) -> bool:
        try:
            return " Z " not in Path(f"/proc/{process}/stat").read_text()
        except OSError:
            return False

    while any(is_alive(process) for process in processes):
        time.sleep(0.05)


def test_killed_worker_fails_its_account_alone(runner: Runner) -> None:
    with runner.start() as process:
        tap, worker = runner.processes()
        os.kill(worker, signal.SIGKILL)
        out, err = process.communicate()
    assert process.returncode == 1, err
    assert "\n1 of 3 not loaded: held.\n" in err
    failures = {result["account"]: result["failure"] for result in json.loads(out)["accounts"]}
    assert failures.pop("held").startswith("The process that loaded the account was killed by SIG")
    assert failures == {"one": None, "two": None}
    assert runner.accounts() == [("one", 1), ("two", 1)]

    runner.hold.unlink()
    wait_for_the_end(tap)
    with runner.start() as process:
        out, err = process.communicate()
    assert process.returncode == 0, err
    assert runner.accounts() == [("held", 1), ("one", 1), ("two", 1)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopped_runner_ends_its_workers_and_their_taps(
    runner: Runner, number: signal.Signals
) -> None:
    with runner.start() as process:
        tap, worker = runner.processes()
        process.send_signal(number)
        _, err = process.communicate()
    assert process.returncode == (-number if number == signal.SIGKILL else 128 + number)
    wait_for_the_end(tap, worker)
    if number != signal.SIGKILL:
        assert err.endswith("Stopped. Committed rows stay.\n")
    assert runner.hold.exists()


def test_worker_whose_fork_keeps_its_connection_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = []
    pipe = worker._CONTEXT.Pipe

    def kept(*, duplex: bool = True) -> tuple[Any, Any]:
        ours, theirs = pipe(duplex)
        # As a process that the worker has forked does.
        ends.append(os.dup(theirs.fileno()))
        return ours, theirs

    monkeypatch.setattr(worker._CONTEXT, "Pipe", kept)
    monkeypatch.setattr(pool, "LOOK_SECONDS", 0.1)
    account = Account(name="acme", config={})
    progress = AccountsProgress(1, "account", shows=False)
    progress.is_shown = True
    runs = run_accounts([account], workers=1, progress=progress, dataset_name="raw")
    monkeypatch.setattr(worker.Worker, "start", killed(worker.Worker.start))
    [result] = runs
    assert result.failure is not None
    assert "was killed by SIGKILL" in result.failure
    for end in ends:
        os.close(end)


def killed(start: Callable[[worker.Worker, Account], None]) -> Any:
    """Return a `start` of a worker that kills its process at once."""

    def start_and_kill(self: worker.Worker, account: Account) -> None:
        assert self._process.pid is not None
        os.kill(self._process.pid, signal.SIGKILL)
        self._process.join()
        start(self, account)

    return start_and_kill
