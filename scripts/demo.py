"""`make demo`: load the same chats into DuckDB with three loaders, and compare the rows."""

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
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import dlt
import duckdb
from rich.console import Console
from rich.table import Table

from dlt_bridge import singer
from tap_chat.sandbox import World
from tap_chat.sandbox.config import sandbox_config

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
MELTANO = (str(BIN / "meltano"), "--log-level=warning")
WAREHOUSE = ROOT / "output" / "demo.duckdb"
MELTANO_SCHEMA = "tap_chat"
TARGET_SCHEMA = "tap_chat_target_dlt"
DLT_SCHEMA = "tap_chat_dlt"

console = Console()


@contextmanager
def sandbox(*options: str) -> Iterator[str]:
    """Run the sandbox, and yield its URL."""
    with subprocess.Popen(
        [str(BIN / "tap-chat-sandbox"), *options], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process.stdout.readline().strip()  # type: ignore[union-attr]  # a pipe
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


def meltano_run(config: dict[str, Any]) -> None:
    """Run `meltano run tap-chat target-duckdb`."""
    filepath = {"TARGET_DUCKDB_FILEPATH": str(WAREHOUSE)}
    _meltano_run(
        "target-duckdb",
        as_environment(config) | filepath | {"TARGET_DUCKDB_DEFAULT_TARGET_SCHEMA": MELTANO_SCHEMA},
    )


def target_run(config: dict[str, Any]) -> None:
    """Run `meltano run tap-chat target-dlt`."""
    credentials = {"TARGET_DLT_CREDENTIALS": str(WAREHOUSE)}
    _meltano_run(
        "target-dlt",
        as_environment(config) | credentials | {"TARGET_DLT_DATASET_NAME": TARGET_SCHEMA},
    )


def _meltano_run(target: str, settings: dict[str, str]) -> None:
    # Read everything, and leave the state of a real account alone.
    options = ("--full-refresh", "--state-id-suffix=demo")
    run = [*MELTANO, "run", *options, "tap-chat", target]
    subprocess.run(run, cwd=ROOT, env=os.environ | settings, check=True)


def dlt_run(config: dict[str, Any]) -> None:
    """Load with the bridge, from Python."""
    with TemporaryDirectory() as folder:
        pipeline = dlt.pipeline(
            "demo",
            pipelines_dir=folder,
            destination=dlt.destinations.duckdb(str(WAREHOUSE)),
            dataset_name=DLT_SCHEMA,
        )
        pipeline.run(singer("tap-chat", config))


@dataclass(frozen=True)
class Way:
    """A way to load the data.

    Attributes:
        name: The heading of its column in the table.
        title: The command, or the code.
        load: Loads the data of a config.
        schema: The schema of the loaded tables.
    """

    name: str
    title: str
    load: Callable[[dict[str, Any]], None]
    schema: str


WAYS = (
    Way("target-duckdb", "meltano run tap-chat target-duckdb", meltano_run, MELTANO_SCHEMA),
    Way("target-dlt", "meltano run tap-chat target-dlt", target_run, TARGET_SCHEMA),
    Way("dlt", 'pipeline.run(singer("tap-chat", config))', dlt_run, DLT_SCHEMA),
)


def timed(title: str, load: Callable[[dict[str, Any]], None], config: dict[str, Any]) -> float:
    """Print a title, load, and return the seconds that it took."""
    console.print(f"[bold]{title}[/bold]")
    start = time.perf_counter()
    load(config)
    return time.perf_counter() - start


def main() -> int:
    """Run the demo. Return 0 if all numbers of rows are equal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.epilog = "All other options go to tap-chat-sandbox."
    arguments, sizes = parser.parse_known_args()
    WAREHOUSE.unlink(missing_ok=True)
    with sandbox(f"--messages={arguments.messages}", *sizes) as url:
        config = config_of(url)
        console.print(f"The sandbox listens on {url}")
        with installing():
            subprocess.run([*MELTANO, "install"], cwd=ROOT, check=True)
        seconds = [timed(way.title, way.load, config) for way in WAYS]
        expected = rows_in_api(url)
    found = [rows_loaded(way.schema, expected) for way in WAYS]

    table = Table(title=f"{WAREHOUSE.relative_to(ROOT)}", title_justify="left")
    table.add_column("rows of", no_wrap=True)
    for column in ("API", *(way.name for way in WAYS)):
        table.add_column(column, justify="right", overflow="fold")
    for stream, rows in expected.items():
        table.add_row(stream, f"{rows:,}", *(f"{loaded[stream]:,}" for loaded in found))
    table.add_section()
    table.add_row("seconds", "", *(f"{number:.1f}" for number in seconds))
    console.print(table)
    return verdict(expected, *found)


def verdict(expected: dict[str, int], *found: dict[str, int]) -> int:
    """Print whether all rows arrived, and return the exit code."""
    if all(loaded == expected for loaded in found):
        console.print("[green]Every row arrived with each loader.[/green]")
        return 0
    console.print("[red]The numbers differ.[/red]")
    return 1


if __name__ == "__main__":
    sys.exit(main())
