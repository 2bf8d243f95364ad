"""Targets take a SCHEMA that comes again, wider, in the middle of a stream and in a later run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from interop.targets import Dlt, DuckDB, Jsonl, MeltanoLabsPostgres, PipelineWisePostgres
from rest.lists import Lists, items
from running import Runner
from serving import Server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from interop.targets import Target
    from postgres import PostgresServer

TARGETS: dict[str, Callable[[Path, str], Target]] = {
    "target-jsonl": lambda folder, _: Jsonl(folder),
    "target-duckdb": lambda folder, _: DuckDB(folder / "rows.duckdb"),
    "target-meltanolabs": lambda _, url: MeltanoLabsPostgres(url),
    "target-pipelinewise": lambda _, url: PipelineWisePostgres(url),
    "target-dlt": lambda folder, _: Dlt(folder / "rows.duckdb"),
    "target-dlt-postgres": lambda _, url: Dlt(url),
}
#: It says "Altering columns is not supported", and rounds a fraction into a column of integers.
KEEPS_TYPES = "target-meltanolabs"

FIELDS: list[dict[str, Any]] = [
    {"id": 1, "a": 1, "none": None},
    {"id": 2, "a": 2},
    {"id": 3, "a": 3, "new": "x"},
    {"id": 4, "none": [1], "of": {"b": 1}},
    {"id": 5, "on": True, "share": 0.5},
]
LATER_FIELDS: list[dict[str, Any]] = [
    {"id": 6, "late": "y", "a": 4, "new": "z"},
    {"id": 7, "later": 7},
]
TYPES: list[dict[str, Any]] = [
    {"id": 1, "x": 1, "y": 1},
    {"id": 2, "x": 2, "y": 1},
    {"id": 3, "x": 2.5, "y": "text"},
    {"id": 4, "x": 3},
]
LATER_TYPES: list[dict[str, Any]] = [{"id": 5, "x": 4, "y": 5}, {"id": 6, "y": {"deep": "z"}}]


@pytest.fixture
def database(postgres: PostgresServer) -> Iterator[str]:
    with postgres.database() as url:
        yield url


@pytest.fixture
def api() -> Iterator[tuple[Lists, str]]:
    with Server(lists := Lists()) as server:
        yield lists, server.url


def check_loaded(target: Target, records: list[dict[str, Any]]) -> None:
    """Check that a target holds each value, in the column of its property or a further one."""
    newest = {row["id"]: row for row in target.newest("x_items", ["id"])}
    assert newest.keys() == {record["id"] for record in records}
    for record in records:
        row = newest[record["id"]]
        for name, value in record.items():
            held = [
                stored
                for column, stored in row.items()
                if (column == name or column.startswith(f"{name}_")) and stored is not None
            ]
            assert value is None or any(is_same(stored, value) for stored in held), (name, row)


def is_same(stored: Any, value: Any) -> bool:
    """Return whether a target stores a value: as it is, or as text or JSON."""
    if isinstance(value, dict | list):
        return bool(value == (json.loads(stored) if isinstance(stored, str) else stored))
    return stored == value or str(stored).strip('"').lower() == str(value).lower()


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("what", ["fields", "types"])
def test_nothing_is_lost_and_nothing_refused(
    tmp_path: Path, database: str, api: tuple[Lists, str], name: str, what: str
) -> None:
    if name == KEEPS_TYPES and what == "types":
        pytest.skip("it can't change the type of a column")
    lists, url = api
    config = {"rest": {"x": items(url)}}
    target, tap = TARGETS[name](tmp_path, database), Runner(tmp_path)
    first, later = (FIELDS, LATER_FIELDS) if what == "fields" else (TYPES, LATER_TYPES)
    records: list[dict[str, Any]] = []
    state: dict[str, Any] = {}
    for more in (first, later, []):
        lists.lists["items"] = records = records + more
        run = tap(config, state=state)
        assert run.code == 0, run.err
        assert len(run.of_type("SCHEMA")) > 1 or more != first
        target.load(run.out, tmp_path)
        state = run.state
        check_loaded(target, records)
