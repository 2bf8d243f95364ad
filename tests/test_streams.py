"""The data dictionary of docs/ is that of the catalog, of the databases and of the sandbox."""

from __future__ import annotations

import json
from contextlib import closing
from itertools import product
from typing import TYPE_CHECKING, Any

import dictionary
import dlt
import duckdb
import erd
import psycopg2
import pytest
import streams
from dictionary import UNKNOWN, dictionaries
from running import ALL, Runner, full_config

from dlt_bridge import load, singer
from dlt_bridge.tap.inputs import SingerLines
from tap_chat.platforms.registry import PLATFORMS
from tap_chat.sandbox import Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from postgres import PostgresServer

    from tap_chat.platforms.platform import Platform

DATASET = "chats"
TABLES = [table for found in dictionaries() for table in found.tables]


@pytest.mark.parametrize("made", [streams.pages, erd.pictures])
def test_data_dictionary_has_not_drifted(made: Any) -> None:
    for path, text in made().items():
        assert path.read_text() == text, f"{path.name} is old: run `make tables`"


def test_each_stream_and_field_has_a_description() -> None:
    for table in TABLES:
        assert table.description.endswith("."), table.name
        for field in table.fields:
            assert field.description, f"{table.name}.{field.name}"


@pytest.fixture(scope="module")
def databases(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer
) -> Iterator[dict[str, Any]]:
    """All streams of the sandbox in DuckDB and PostgreSQL: connections, by destination."""
    folder = tmp_path_factory.mktemp("streams")
    lines = [line for out in outputs(folder) for line in out.splitlines()]
    path = folder / "warehouse.duckdb"
    with postgres.database() as url:
        for name, credentials in (("duckdb", str(path)), ("postgres", url)):
            destination = getattr(dlt.destinations, name)(credentials)
            pipeline = dlt.pipeline(
                "streams", str(folder / name), destination=destination, dataset_name=DATASET
            )
            load(pipeline, singer(SingerLines(lines), name="tap_chat"))
        with (
            duckdb.connect(str(path), read_only=True) as of_duckdb,
            closing(psycopg2.connect(url)) as of_postgres,
        ):
            yield {"duckdb": of_duckdb, "postgres": of_postgres.cursor()}


def outputs(folder: Path) -> Iterator[bytes]:
    """Yield what the tap writes of all platforms, and of version 2 of LiveChat."""
    tap = Runner(folder)
    extra: dict[str, dict[str, Any]] = {
        platform.name: {"extra_streams": [stream.name for stream in platform.extra_streams]}
        for platform in PLATFORMS
        if platform.extra_streams
    }
    extra["freshchat"] |= {
        "report_poll_seconds": 0.01,
        "reports_start_date": "2025-12-20T00:00:00Z",
    }
    with Sandbox(World(messages=20)) as sandbox:
        runs = [tap(full_config(sandbox, *ALL, **extra))]
    with Sandbox(World(livechat_version="2")) as sandbox:
        runs.append(tap(full_config(sandbox, "livechat", livechat={"api_version": "2"})))
    for run in runs:
        assert run.code == 0, run.err
        yield run.out


@pytest.mark.parametrize("destination", dictionary.DESTINATIONS)
def test_types_are_those_of_the_database(databases: dict[str, Any], destination: str) -> None:
    cursor = databases[destination]
    cursor.execute(
        "select table_name, column_name, data_type from information_schema.columns"
        f" where table_schema = '{DATASET}'"
    )
    found: dict[str, dict[str, str]] = {}
    for table, column, data_type in cursor.fetchall():
        found.setdefault(table, {})[column] = data_type
    for table in TABLES:
        declared = {
            field.column: field.types[destination]
            for field in table.fields
            if field.types[destination] != UNKNOWN
        }
        real = {
            name: data_type
            for name, data_type in found[table.name].items()
            if not name.startswith(("_dlt_", "_sdc_"))
        }
        assert real == declared, table.name


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.name)
def test_joins_find_their_partners(databases: dict[str, Any], platform: Platform) -> None:
    for join in platform.joins:
        assert {join.stream, join.to} <= {table.name for table in TABLES}
        there = set(values(databases["duckdb"], join.to, [*join.fields.values()], {}))
        found = values(databases["duckdb"], join.stream, [*join.fields], join.where)
        lost = [value for value in found if value not in there]
        assert len(lost) < len(found), join
        assert bool(lost) == bool(join.unless), (join, lost[:5])


def values(
    database: Any, stream: str, fields: list[str], where: dict[str, str]
) -> list[tuple[str, ...]]:
    """Return the values of fields that are not null, of the rows with some values."""
    database.execute(f"select * from {DATASET}.{stream}")
    names = [(column[0], column[1] == "JSON") for column in database.description]
    found: list[tuple[str, ...]] = []
    for row in database.fetchall():
        record = {
            name: json.loads(value) if is_json and value is not None else value
            for (name, is_json), value in zip(names, row, strict=True)
        }
        if all(value in inner(record, path) for path, value in where.items()):
            found += product(*(inner(record, path) for path in fields))
    return found


def inner(record: Any, path: str) -> list[str]:
    """Return the values at a path of a row, as texts."""
    first, *others = path.replace("[]", ".[]").split(".")
    found = [record[dictionary.column(first)]]
    for name in others:
        found = [
            item
            for value in found
            if value is not None
            for item in (value if name == "[]" else [value.get(name)])
        ]
    return [str(value) for value in found if value is not None]
