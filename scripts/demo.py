"""`make demo`: load the same chats into DuckDB in several ways, compare them, and show them."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import duckdb
from demo_charts import charts
from rich.console import Console
from rich.table import Table

from tap_chat.sandbox import DIALECTS, World
from tap_chat.sandbox.config import sandbox_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
MELTANO = (str(BIN / "meltano"), "--log-level=warning")
WAREHOUSE = ROOT / "output" / "demo.duckdb"
LOG = ROOT / "output" / "demo.log"
MELTANO_SCHEMA = "tap_chat"
TARGET_SCHEMA = "tap_chat_target_dlt"
DLT_SCHEMA = "tap_chat_dlt"
#: The sizes of the made-up accounts: about as many rows of each platform.
SIZES = {
    "messages": 3000,
    "users": 100,
    "conversations": 300,
    "dixa_conversations": 800,
    "dixa_end_users": 150,
    "chats": 600,
    "gorgias_tickets": 300,
    "front_conversations": 200,
    "intercom_conversations": 400,
    "chatwoot_conversations": 400,
}
#: The platform whose rows warm up the loaders: the first run of a fresh environment compiles it.
WARM_UP = "gorgias"
WARM = ROOT / ".meltano" / "demo-warm"

console = Console(highlight=False, soft_wrap=True)


@contextmanager
def sandbox(*options: str) -> Iterator[str]:
    """Run the sandbox, and yield its URL."""
    command = [str(BIN / "tap-chat-sandbox"), *options]
    with (
        TemporaryFile("w+") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
    ):
        try:
            url = process.stdout.readline().strip()  # type: ignore[union-attr]  # a pipe
            if not url:
                errors.seek(0)
                sys.exit(errors.read().strip())
            yield url
        finally:
            process.terminate()


def config_of(url: str) -> dict[str, Any]:
    """Return the config of all platforms of a sandbox."""
    with urlopen(f"{url}/_sandbox") as response:  # noqa: S310 - a local address
        world = World().changed(json.load(response)["world"])
    return sandbox_config(url, world)


def as_environment(config: dict[str, Any], prefix: str = "TAP_CHAT") -> dict[str, str]:
    """Return a config as the environment variables that Meltano reads."""
    variables: dict[str, str] = {}
    for name, value in config.items():
        variable = f"{prefix}_{name}".upper()
        if isinstance(value, dict):
            variables |= as_environment(value, variable)
        else:
            variables[variable] = value if isinstance(value, str) else json.dumps(value)
    return variables


def rows_in_api(url: str) -> dict[str, int]:
    """Return the number of rows that each stream has in the sandbox."""
    with urlopen(f"{url}/_sandbox") as response:  # noqa: S310 - a local address
        rows: dict[str, int] = json.load(response)["rows"]
    return rows


def rows_loaded(schema: str, streams: dict[str, int]) -> dict[str, int]:
    """Return the number of rows of each stream in a schema of the warehouse."""
    with duckdb.connect(str(WAREHOUSE), read_only=True) as database:
        found = database.execute(
            "select table_name from information_schema.tables where table_schema = ?", [schema]
        ).fetchall()
        tables = {name for (name,) in found}
        counts = {}
        for stream in streams:
            query = f'select count(*) from "{schema}"."{stream}"'  # noqa: S608 - names of this program
            counts[stream] = database.execute(query).fetchall()[0][0] if stream in tables else 0
    return counts


@contextmanager
def installing() -> Iterator[None]:
    """Lock the folder of Meltano's plugins, so that only one process installs at a time."""
    folder = ROOT / ".meltano"
    folder.mkdir(exist_ok=True)
    with (folder / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def meltano_run(config: dict[str, Any], warehouse: Path) -> None:
    """Run `meltano run tap-chat target-duckdb`."""
    _meltano_run(
        "target-duckdb",
        as_environment(config)
        | {
            "TARGET_DUCKDB_FILEPATH": str(warehouse),
            "TARGET_DUCKDB_DEFAULT_TARGET_SCHEMA": MELTANO_SCHEMA,
        },
    )


def target_run(config: dict[str, Any], warehouse: Path) -> None:
    """Run `meltano run tap-chat target-dlt`."""
    _meltano_run(
        "target-dlt",
        as_environment(config)
        | {
            "TARGET_DLT_CREDENTIALS": str(warehouse),
            "TARGET_DLT_DATASET_NAME": TARGET_SCHEMA,
        },
    )


def _meltano_run(target: str, settings: dict[str, str]) -> None:
    # Read everything, and leave the state of a real account alone.
    options = ("--full-refresh", "--state-id-suffix=demo")
    logged([*MELTANO, "run", *options, "tap-chat", target], settings)


def dlt_run(config: dict[str, Any], warehouse: Path) -> None:
    """Run `dlt singer run tap-chat`."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "config.json")
        file.write_text(json.dumps(config))
        command = [str(BIN / "dlt"), "singer", "run", "tap-chat", f"--config={file}"]
        command += [f"--credentials={warehouse}", f"--dataset={DLT_SCHEMA}"]
        command += ["--pipeline=demo", f"--pipelines-dir={folder}/pipelines"]
        logged(command, {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"})


def logged(command: list[str], settings: dict[str, str] | None = None) -> None:
    """Run a command, and append what it prints to the log."""
    with LOG.open("a") as log:
        subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ | (settings or {}),
            stdout=log,
            stderr=subprocess.STDOUT,
            check=True,
        )


@dataclass(frozen=True)
class Way:
    """A way to load the data.

    Attributes:
        name: The heading of its column in the table.
        title: The command.
        load: Loads the data of a config into a DuckDB file.
        schema: The schema of the loaded tables.
    """

    name: str
    title: str
    load: Callable[[dict[str, Any], Path], None]
    schema: str


#: target-duckdb loses rows with each DuckDB that there is for Python 3.14: see meltano.yml.
HAS_TARGET_DUCKDB = sys.version_info < (3, 14)
TARGET_DUCKDB = Way(
    "target-duckdb", "meltano run tap-chat target-duckdb", meltano_run, MELTANO_SCHEMA
)
WAYS = (
    *((TARGET_DUCKDB,) if HAS_TARGET_DUCKDB else ()),
    Way("target-dlt", "meltano run tap-chat target-dlt", target_run, TARGET_SCHEMA),
    Way("dlt", "dlt singer run tap-chat", dlt_run, DLT_SCHEMA),
)

#: The plugins of Meltano that load.
LOADERS = [way.name for way in WAYS if way.load is not dlt_run]


@contextmanager
def step(title: str) -> Iterator[None]:
    """Show that a step runs, and print its title and seconds at its end."""
    start = time.perf_counter()
    try:
        with console.status(title):
            yield
    except BaseException:
        console.print(f"[red]✗[/red] {title}")
        raise
    seconds = time.perf_counter() - start
    console.print(f"[green]✓[/green] {title:<56}{seconds:>6.1f} s")


def load_all(url: str, config: dict[str, Any]) -> tuple[list[float], dict[str, int]]:
    """Load in each way. Return the seconds of each, and the rows of each stream in the APIs."""
    with step("Install Meltano's plugins"), installing():
        logged([*MELTANO, "install", "extractor", "tap-chat"])
        logged([*MELTANO, "install", "loader", *LOADERS])
    if not WARM.exists():
        with step(f"Warm up: load {WARM_UP} in each way"), TemporaryDirectory() as folder:
            small = {"start_date": config["start_date"], WARM_UP: config[WARM_UP]}
            for way in WAYS:
                way.load(small, Path(folder, "warm-up.duckdb"))
        WARM.touch()
    seconds = []
    for way in WAYS:
        with step(way.title):
            start = time.perf_counter()
            way.load(config, WAREHOUSE)
            seconds.append(time.perf_counter() - start)
    return seconds, rows_in_api(url)


def main() -> int:
    """Run the demo. Return 0 if all numbers of rows are equal."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog="All options go to tap-chat-sandbox: see its --help."
    )
    _, options = parser.parse_known_args()
    sizes = [f"--{name.replace('_', '-')}={size}" for name, size in SIZES.items()]
    WAREHOUSE.unlink(missing_ok=True)
    LOG.unlink(missing_ok=True)
    ways = "three" if HAS_TARGET_DUCKDB else "two"
    console.print(
        f"Load the chats of {len(DIALECTS)} made-up accounts into DuckDB in {ways} ways, and"
        " compare:\nless than a minute.\n"
    )
    if not HAS_TARGET_DUCKDB:
        console.print("target-duckdb is left out: on Python 3.14, it loses rows.\n")
    try:
        # The last of two equal options counts.
        with sandbox(*sizes, *options) as url:
            seconds, expected = load_all(url, config_of(url))
    except subprocess.CalledProcessError as error:
        last = "\n".join(LOG.read_text().splitlines()[-15:])
        console.print(f"{last}\n\nIt failed with exit code {error.returncode}. The log: {LOG}")
        return 1
    found = [rows_loaded(way.schema, expected) for way in WAYS]
    console.print()
    code = verdict(expected, *found)
    console.print(platforms(expected, found, seconds))
    if not code:
        with duckdb.connect(str(WAREHOUSE), read_only=True) as database:
            charts(database, DLT_SCHEMA, console)
        console.print(NEXT)
    return code


def verdict(expected: dict[str, int], *found: dict[str, int]) -> int:
    """Print whether all rows arrived, and return the exit code."""
    if all(loaded == expected for loaded in found):
        console.print(
            f"[green]✓ {sum(expected.values()):,} rows of {len(expected)} streams: every row"
            " arrived, each way.[/green]\n"
        )
        return 0
    console.print("[red]✗ The numbers differ.[/red]")
    for stream, rows in expected.items():
        counts = [loaded.get(stream, 0) for loaded in found]
        if any(count != rows for count in counts):
            loaded = ", ".join(f"{count:,}" for count in counts)
            console.print(f"  {stream}: {rows:,} in the API; loaded {loaded}")
    return 1


def platforms(expected: dict[str, int], found: list[dict[str, int]], seconds: list[float]) -> Table:
    """Return a table of the platforms: streams, rows, and whether all arrived in each way."""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for name in ("platform", "streams", "rows", *(way.name for way in WAYS)):
        table.add_column(name, justify="left" if name == "platform" else "right")
    for dialect in DIALECTS:
        rows = {
            name: count for name, count in expected.items() if name.startswith(f"{dialect.name}_")
        }
        arrived = [all(loaded[name] == rows[name] for name in rows) for loaded in found]
        marks = ["[green]✓[/green]" if every else "[red]✗[/red]" for every in arrived]
        table.add_row(dialect.title, str(len(rows)), f"{sum(rows.values()):,}", *marks)
    table.add_row("seconds", "", "", *(f"{number:.1f}" for number in seconds), style="bold")
    return table


NEXT = f"""
[bold]Look for yourself[/bold]
  In Python:
    .venv/bin/python
    import duckdb
    duckdb.connect("output/demo.duckdb").sql("from {DLT_SCHEMA}.dixa_messages")
  Keep the sandbox, and load from it in another terminal:
    .venv/bin/tap-chat-sandbox --write-config sandbox.json
    .venv/bin/dlt singer run tap-chat --config sandbox.json
  Your own account:
    .venv/bin/dlt singer init tap-chat
  SQL to copy: docs/queries.md
  Warnings and logs of these runs: output/demo.log
"""


if __name__ == "__main__":
    sys.exit(main())
