"""Meltano and dlt load the same data."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import demo
import duckdb
import pytest
from demo_charts import TIMES, bar, sparkline
from leaks import leaks

from tap_chat.sandbox import DIALECTS, Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = 3000
SCHEMAS = [way.schema for way in demo.WAYS]


@dataclass(frozen=True)
class Warehouse:
    """The database of the demo, in one connection: opening it takes longer than a query.

    Attributes:
        database: The connection.
        columns: The types of the columns of each table, by schema and stream.
    """

    database: duckdb.DuckDBPyConnection
    columns: dict[tuple[str, str], dict[str, str]]

    def rows(self, schema: str, stream: str) -> list[tuple[Any, ...]]:
        """Return the rows of a table in a form that is the same for both loaders."""
        types = self.columns[schema, stream]
        # dlt uses snake_case, and adds its own columns.
        of_all = set[str].intersection(*(set(self.columns[way, stream]) for way in SCHEMAS))
        names = sorted(name for name in of_all if not name.startswith("_"))
        shown = [
            f'"{name}"::timestamp' if types[name].startswith("TIMESTAMP") else f'"{name}"::varchar'
            for name in names
        ]
        found = self.database.execute(f'select {", ".join(shown)} from "{schema}"."{stream}"')
        return sorted(
            (tuple(agreed(types[name], value) for name, value in zip(names, row, strict=True)))
            for row in found.fetchall()
        )


def agreed(data_type: str, value: Any) -> str:
    """Return a value as text: JSON without spaces, and null for an empty text."""
    if data_type == "JSON" and value is not None:
        return json.dumps(json.loads(value), sort_keys=True)
    return "" if value is None else str(value)


@pytest.fixture(scope="module")
def demo_run() -> subprocess.CompletedProcess[str]:
    levels = {"TAP_CHAT_LOGLEVEL": "DEBUG", "TARGET_DLT_LOGLEVEL": "DEBUG"}
    sizes = World(messages=ROWS).settings
    options = [f"--{name.replace('_', '-')}={sizes[name]}" for name in demo.SIZES]
    return subprocess.run(
        [sys.executable, demo.__file__, *options],
        env=os.environ | levels,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def warehouse(demo_run: subprocess.CompletedProcess[str]) -> Iterator[Warehouse]:
    assert demo_run.returncode == 0, demo_run.stdout + demo_run.stderr
    with duckdb.connect(str(demo.WAREHOUSE), read_only=True) as database:
        database.execute("set timezone = 'UTC'")
        columns: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
        for schema, table, name, kind in database.execute(
            "select table_schema, table_name, column_name, data_type"
            " from information_schema.columns"
        ).fetchall():
            columns[schema, table][name] = kind
        yield Warehouse(database, dict(columns))


def test_demo_brings_every_row_each_way(
    demo_run: subprocess.CompletedProcess[str], warehouse: Warehouse
) -> None:
    assert demo_run.returncode == 0, demo_run.stdout + demo_run.stderr
    world = World(messages=ROWS)
    total = f"{sum(world.rows.values()):,}"
    assert f"✓ {total} rows of {len(world.rows)} streams: every row arrived" in demo_run.stdout
    assert leaks(demo.LOG.read_text()) == []
    for stream, count in world.rows.items():
        for schema in SCHEMAS:
            query = f'select count(*) from "{schema}"."{stream}"'
            assert warehouse.database.execute(query).fetchall() == [(count,)], stream


def test_demo_fits_a_terminal_and_shows_data(demo_run: subprocess.CompletedProcess[str]) -> None:
    assert demo_run.stderr == ""
    lines = demo_run.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    arrived = " +✓" * len(demo.WAYS)
    for dialect in DIALECTS:
        rows = f"{sum(World(messages=ROWS).accounts[dialect.name].rows.values()):,}"
        assert any(re.match(rf"{dialect.title} +\d+ +{rows}{arrived}$", line) for line in lines)
    for title in (*TIMES, "email", "customer", "agent"):
        assert any(line.startswith(f"  {title} ") for line in lines), title


@pytest.mark.parametrize("stream", World().rows)
def test_all_ways_hold_the_same_values(warehouse: Warehouse, stream: str) -> None:
    columns = warehouse.columns[demo.DLT_SCHEMA, stream]
    assert len(columns) >= 3
    assert columns == warehouse.columns[demo.TARGET_SCHEMA, stream]
    if demo.HAS_TARGET_DUCKDB:
        # Without these columns, target-duckdb drops rows on Python 3.13.
        assert "_sdc_extracted_at" in warehouse.columns[demo.MELTANO_SCHEMA, stream]
    first, *others = (warehouse.rows(schema, stream) for schema in SCHEMAS)
    assert all(found == first for found in others)


@pytest.mark.skipif(not demo.HAS_TARGET_DUCKDB, reason="target-duckdb loses rows on Python 3.14")
def test_job_of_meltano_runs_both_loaders(tmp_path: Path) -> None:
    files = {
        "TARGET_DUCKDB_FILEPATH": tmp_path / "one.duckdb",
        "TARGET_DLT_CREDENTIALS": tmp_path / "two.duckdb",
    }
    with Sandbox(World(messages=450)) as sandbox:
        settings = demo.as_environment({"chat": demo.config_of(sandbox.url)["chat"]})
        subprocess.run(
            [*demo.MELTANO, "run", "--state-id-suffix=job", "--full-refresh", "both"],
            cwd=demo.ROOT,
            env=os.environ | settings | {name: str(path) for name, path in files.items()},
            check=True,
        )
    for path in files.values():
        with duckdb.connect(str(path), read_only=True) as database:
            found = database.execute("select count(*) from tap_chat.chat_messages").fetchall()
        assert found == [(450,)]


def test_demo_fails_when_a_row_is_missing() -> None:
    expected = {"a": 2, "b": 1}
    assert demo.verdict(expected, {"a": 2, "b": 1}, {"a": 2, "b": 1}) == 0
    assert demo.verdict(expected, {"a": 1, "b": 1}, {"a": 2, "b": 1}) == 1
    assert demo.verdict(expected, {"a": 2, "b": 1}, {"a": 2, "b": 0}) == 1


def test_charts_are_to_scale() -> None:
    assert sparkline([0, 1, 4, 8]) == "▁▁▄█"
    assert sparkline([0, 0]) == "▁▁"
    assert sparkline([]) == ""
    assert (bar(0, 9, 30), bar(3, 9, 30), bar(9, 9, 30)) == ("", "█" * 10, "█" * 30)
    assert bar(1, 9999, 30) == "█"
