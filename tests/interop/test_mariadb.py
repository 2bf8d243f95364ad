"""MariaDB as a source of two taps of other projects, and as a destination; `make interop`."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from interop.cells import Row, by_key, differences
from interop.environments import packages, program
from interop.mariadb import mariadb_server, query
from interop.pipe import piped
from interop.shop import Shop
from interop.taps import MeltanoLabs, Recorded, Tap
from interop.targets import DATASET, Dlt, Target
from running import BIN
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from postgres import PostgresServer

BEGIN = """
create table shop.orders (
    id bigint primary key, updated_at datetime(6) not null, customer varchar(100),
    amount decimal(38, 10), weight double, paid tinyint(1), tags json, placed date, made year,
    flags bit(8), big bigint unsigned
)
"""
FIRST = """
insert into shop.orders values
(1, '2025-01-01 00:00:00.123456', 'Zoë 😀', 1234567890123456.0123456789, 0.1, 1, '{"a": [1]}',
 '2024-02-29', 2025, b'101', 18446744073709551615),
(2, '2025-01-02 00:00:00', '', -0.0000000001, 1e300, 0, '[]', '1000-01-01', 1901, b'0', 0),
(3, '2025-01-03 00:00:00', null, null, null, null, null, null, null, null, null)
"""
NEWS = """
insert into shop.orders (id, updated_at, customer) values (4, '2025-02-01', 'new')
"""
UPDATE = """
update shop.orders set customer = 'changed', amount = 0.5, updated_at = '2025-02-02' where id = 2
"""


@dataclass(frozen=True)
class MySql(Tap):
    """A tap that reads the shop of a server.

    Attributes:
        data: The server's port.
    """

    data: Any

    @property
    @override
    def config(self) -> dict[str, Any]:
        given = {"host": "127.0.0.1", "user": "loader", "password": "loader"}
        if self.name == "tap-meltanolabs":
            return {**given, "port": self.data, "database": "shop", "filter_schemas": ["shop"]}
        return {**given, "port": str(self.data), "filter_dbs": "shop"}

    @property
    @override
    def replication(self) -> dict[str, dict[str, str]]:
        method = {"replication-method": "INCREMENTAL", "replication-key": "updated_at"}
        return {"shop-orders": method}


class Sqlalchemy(Dlt):
    """target-dlt, into MariaDB."""

    def __init__(self, port: int, folder: Path) -> None:
        script = folder / "with-pymysql"
        script.write_text(f'#!/bin/sh\nPYTHONPATH={packages("mariadb")} exec {BIN}/target-dlt "$@"')
        script.chmod(0o755)
        super().__init__(f"mysql+pymysql://loader:loader@127.0.0.1:{port}/{DATASET}", str(script))

    @property
    @override
    def destination(self) -> str:
        return "sqlalchemy"

    @override
    def held(self, stream: str) -> list[Row]:
        port = urlsplit(self.place).port
        assert port
        return query(port, f"select * from {DATASET}.{stream.replace('-', '_')}")


@pytest.fixture(scope="module")
def server() -> Iterator[int]:
    with mariadb_server() as port:
        yield port


@pytest.fixture
def port(server: int) -> int:
    """The server with an empty table."""
    names = ("shop", DATASET, f"{DATASET}_staging")
    query(server, *(f"drop database if exists {name}" for name in names))
    query(server, "create database shop", f"create database {DATASET}", BEGIN, FIRST)
    return server


def in_rounds(tap: Tap, target: Target, folder: Path, keys: tuple[str, ...]) -> Iterator[list[Row]]:
    """Run a pair repeatedly. Yield the messages of its tap after checking that all are loaded."""
    recorded = Recorded(tap, folder)
    recorded.config()
    recorded.discover()
    (folder / "target.json").write_text(json.dumps(target.config))
    [stream] = tap.replication
    rows: list[Row] = []
    while True:
        done = piped(folder, recorded.program, target.path)
        assert done.code == 0, done.said
        written = [line["record"] for line in recorded.written() if line["type"] == "RECORD"]
        rows += written
        newest = list(by_key(keys, rows).values())
        assert differences(keys, newest, [one(row) for row in target.held(stream.lower())]) == []
        yield written


def one(row: Row) -> Row:
    """Return a row with the values of second columns in the first ones."""
    found: Row = {}
    for name, value in row.items():
        column = name.partition("__v_")[0]
        found[column] = value if found.get(column) is None else found[column]
    return found


@pytest.mark.parametrize("into", ["duckdb", "mariadb"])
@pytest.mark.parametrize(
    ("name", "environment"),
    [
        ("tap-meltanolabs", "meltanolabs-tap-mysql"),
        ("tap-pipelinewise", "pipelinewise-tap-mysql"),
    ],
)
def test_changes_of_mariadb_arrive(
    port: int, tmp_path: Path, name: str, environment: str, into: str
) -> None:
    tap = MySql(name, program(environment, "tap-mysql"), port)
    target = Dlt(tmp_path / "w.duckdb") if into == "duckdb" else Sqlalchemy(port, tmp_path)
    rounds = in_rounds(tap, target, tmp_path, ("id",))
    assert len(next(rounds)) == 3
    query(port, NEWS, UPDATE)
    # The new rows, and the one at the bookmark.
    assert len(next(rounds)) == 3
    assert len(next(rounds)) == 1


def test_objects_of_postgres_are_objects_in_mariadb(
    port: int, tmp_path: Path, postgres: PostgresServer
) -> None:
    with postgres.database() as url:
        shop = Shop(url)
        shop.begin()
        tap, target = MeltanoLabs(shop), Sqlalchemy(port, tmp_path)
        recorded = Recorded(tap, tmp_path)
        recorded.config()
        recorded.discover()
        (tmp_path / "target.json").write_text(json.dumps(target.config))
        for happens in (shop.stay, shop.move_on, shop.add_column):
            happens()
            recorded.discover()
            done = piped(tmp_path, recorded.program, target.path)
            assert done.code == 0, done.said
            for stream, rows in shop.truth.items():
                assert differences(shop.keys[stream], rows, target.held(stream)) == []
            found = query(
                port, f"select id, json_extract(tags, '$.n') as n from {DATASET}.shop_orders"
            )
            assert all(row["n"] == str(row["id"]) for row in found)
