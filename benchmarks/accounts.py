"""Load many small accounts of the sandbox: commands one after another, workers, two runners.

    python benchmarks/accounts.py --accounts 1000 --destination postgres

Each way loads the same accounts into a database of its own, and every row is compared with the
sandbox. `two runners` have half of the accounts and a folder of their own each, as two machines
have. Commands one after another are measured with a few accounts, as they take long. `--catalog`
gives all runs one catalog, so that the tap is started once for each account instead of twice.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

import duckdb
import psycopg2
from postgres import postgres_server
from running import BIN, config_of

from tap_chat.sandbox import Sandbox, World

#: The streams that are loaded, and a query for the rows of one.
STREAMS = ("freshchat_users", "freshchat_agents")
USERS = "select _account, id, email from raw.freshchat_users"
#: The ways other than a number of workers.
SINGLE, TWO = "commands one after another", "two runners with one worker each"
#: Seconds between two looks at the memory of all processes.
PAUSE = 0.2
MEGABYTE = 1024


class Runner:
    """Runs the command in a folder of its own."""

    def __init__(
        self, folder: Path, destination: str, credentials: str, catalog: Path | None = None
    ) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self._command = [str(BIN / "dlt"), "singer", "run", "tap-chat", "--dataset", "raw"]
        self._command += ["--destination", destination, "--credentials", credentials]
        self._command += ["--pipelines-dir", "pipelines", "--select", *STREAMS]
        self._command += ["--catalog", str(catalog)] if catalog else []
        self.peak = 0

    def __call__(self, *words: str) -> None:
        """Run the command with further words, and end if it fails."""
        process = subprocess.Popen(
            [*self._command, *words],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        with ThreadPoolExecutor(1) as thread:
            log = thread.submit(process.stderr.read if process.stderr else str)
            while process.poll() is None:
                self.peak = max(self.peak, _memory(process.pid))
                time.sleep(PAUSE)
        if process.returncode:
            sys.exit(log.result())


def _memory(process: int) -> int:
    """Return the resident memory of a process and its descendants, in megabytes."""
    total, left = 0, [process]
    while left:
        number = left.pop()
        with suppress(OSError):
            status = Path(f"/proc/{number}/status").read_text()
            # A process that has ended has no memory.
            total += sum(int(line.split()[1]) for line in status.splitlines() if "VmRSS" in line)
        for children in Path(f"/proc/{number}/task").glob("*/children"):
            with suppress(OSError):
                left += [int(child) for child in children.read_text().split()]
    return total // MEGABYTE


def discovered(folder: Path, config: dict[str, Any]) -> Path:
    """Return a file with the catalog of a tap."""
    (folder / "config.json").write_text(json.dumps(config))
    command = [str(BIN / "tap-chat"), "--config", str(folder / "config.json"), "--discover"]
    path = folder / "catalog.json"
    path.write_bytes(subprocess.run(command, check=True, capture_output=True).stdout)
    return path


def write_accounts(folder: Path, configs: dict[str, dict[str, Any]]) -> None:
    """Write a file of accounts. JSON texts and numbers are TOML, too."""
    lines = []
    for name, config in configs.items():
        for section in ("", ".freshchat"):
            lines.append(f"[accounts.{name}{section}]")
            settings = config["freshchat"] if section else config
            lines += [
                f"{setting} = {json.dumps(value)}"
                for setting, value in settings.items()
                if not isinstance(value, dict)
            ]
    (folder / "accounts.toml").write_text("\n".join(lines))


def users(destination: str, credentials: str) -> set[tuple[Any, ...]]:
    """Return the users that are loaded."""
    if destination == "duckdb":
        with duckdb.connect(credentials, read_only=True) as database:
            return set(database.execute(USERS).fetchall())
    with closing(psycopg2.connect(credentials)) as connection:
        cursor = connection.cursor()
        cursor.execute(USERS)
        return set(cursor)


def one_after_another(runner: Runner, configs: dict[str, dict[str, Any]]) -> None:
    """Load each account by a command of its own."""
    for name, config in configs.items():
        (runner.folder / f"{name}.json").write_text(json.dumps(config))
        runner("--config", f"{name}.json", "--account", name)


def load(way: str, runners: list[Runner], configs: dict[str, dict[str, Any]]) -> None:
    """Load accounts in one of the ways."""
    if way == SINGLE:
        one_after_another(runners[0], configs)
        return
    words = ("--accounts", "accounts.toml", "--workers", way if way != TWO else "1")
    used = runners if way == TWO else runners[:1]
    for number, runner in enumerate(used):
        own = list(configs)[number :: len(used)]
        write_accounts(runner.folder, {name: configs[name] for name in own})
    with ThreadPoolExecutor(len(used)) as threads:
        list(threads.map(lambda runner: runner(*words), used))


def main() -> None:
    """Measure all ways, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", type=int, default=1000)
    parser.add_argument("--single", type=int, default=10, help="accounts one after another")
    parser.add_argument("--workers", nargs="*", default=["1", "2", "4"])
    parser.add_argument("--catalog", action="store_true", help="one catalog for all accounts")
    parser.add_argument("--destination", choices=["postgres", "duckdb"], default="postgres")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory()))
        sandbox = stack.enter_context(Sandbox(World(messages=0, users=6, conversations=6)))
        is_postgres = arguments.destination == "postgres"
        server = stack.enter_context(postgres_server()) if is_postgres else None
        catalog = None
        if arguments.catalog:
            catalog = discovered(folder, config_of(sandbox, "a0", "freshchat"))
        print(
            "| way | accounts | seconds | accounts a minute | memory, MB |\n|---|--:|--:|--:|--:|"
        )
        for way in (SINGLE, *arguments.workers, TWO):
            names = [f"a{number}" for number in range(arguments.accounts)]
            names = names[: arguments.single] if way == SINGLE else names
            configs = {name: config_of(sandbox, name, "freshchat") for name in names}
            path = str(folder / f"{way}.duckdb")
            credentials = stack.enter_context(server.database()) if server else path
            runners = [
                Runner(folder / way / str(number), arguments.destination, credentials, catalog)
                for number in (0, 1)
            ]
            start = time.perf_counter()
            load(way, runners, configs)
            seconds = time.perf_counter() - start
            expected = {
                (name, user["id"], user["email"])
                for name in names
                for user in sandbox.world_of(name).truth["freshchat_users"]
            }
            if users(arguments.destination, credentials) != expected:
                sys.exit("Rows are wrong.")
            title = f"{way} worker{'s' if way != '1' else ''}" if way.isdigit() else way
            memory = sum(runner.peak for runner in runners)
            rate = len(names) / seconds * 60
            print(f"| {title} | {len(names)} | {seconds:.1f} | {rate:.1f} | {memory} |", flush=True)


if __name__ == "__main__":
    main()
