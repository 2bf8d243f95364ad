"""Difficult values of a database arrive as two taps of other projects write them."""

from __future__ import annotations

import json
import subprocess
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from bridge.destinations import DuckDB, Postgres
from interop.cells import same
from interop.shop import Shop
from interop.taps import MeltanoLabs, PipelineWise, Recorded
from staging import Stage

from dlt_bridge import singer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from interop.cells import Row
    from postgres import PostgresServer

STREAM = "shop-cells"
#: Columns that must hold every value themselves: texts that a tap declares as numbers, and numbers
#: that it declares with more digits than they have.
WHOLE = {"tap-meltanolabs": ("zip", "ref"), "tap-pipelinewise": ("free",)}
JSON = ("doc", "ids", "words")
CELLS = """
create schema shop;
create domain shop.zip as text;
create table shop.cells (
    id int primary key, exact numeric(38, 10), free numeric, total numeric(20, 4), single real,
    ratio double precision, zip shop.zip, ref oid, ids int[], words text[], doc jsonb, raw bytea,
    at timestamptz, local timestamp, day date, clock time, uid uuid, net inet, flag boolean,
    big bigint, letters char(5), kind varchar(10), span interval
);
insert into shop.cells values
(
    1, 1234567890123456789012345678.0123456789, 0.5, 9007199254740993.5, 0.1,
    1e300, '10115', 4294967295, '{1,null,3}', '{a,null,"b,c"}', '{"a": [1, 2.5, null]}', '\\x00ff',
    '2025-01-01 12:34:56.123456+02', '2025-01-01 12:34:56.123456', '2024-02-29', '12:34:56.123456',
    'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '10.0.0.0/8', true,
    9223372036854775807, 'ab', 'é😀', '1 day 02:03:04'
),
(
    2, -0.0000000001, 1, 0.1234, -1.5,
    0.1, 'AB1 2CD', 1, '{}', '{}', '[]', '',
    '0001-01-01 00:00:00+00', '9999-12-31 23:59:59.999999', '0001-01-01', '00:00:00',
    '00000000-0000-0000-0000-000000000000', '::1', false,
    -9223372036854775808, '', '', '-3 mons'
);
insert into shop.cells (id, exact, free, total, zip, ref, doc) values
    (3, 1, 1000000, 1234567890123456.78, 'true', 0, '"text"'),
    (4, null, 12345678901234567890123456789.123456789, null, null, null, 'null');
"""


@pytest.fixture(scope="module")
def written(
    postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Path]]:
    """The messages of each tap."""
    with postgres.database() as url:
        shop = Shop(url)
        shop.execute(CELLS)
        found = {}
        for tap in (MeltanoLabs(shop), PipelineWise(shop)):
            recorded = Recorded(tap, tmp_path_factory.mktemp(tap.name))
            command = [tap.path, "--config", recorded.config(), "--catalog", recorded.discover()]
            done = subprocess.run(command, capture_output=True, check=True)
            found[tap.name] = recorded.folder / "written"
            found[tap.name].write_bytes(done.stdout)
        yield found


@pytest.mark.parametrize("tap", ["tap-meltanolabs", "tap-pipelinewise"])
def test_cells_have_the_values_of_the_tap(
    written: dict[str, Path], tap: str, tmp_path: Path, postgres: PostgresServer
) -> None:
    with postgres.database() as url:
        for warehouse in (DuckDB(tmp_path), Postgres(url)):
            stage = Stage(tmp_path / type(warehouse).__name__, warehouse=warehouse)
            names = checked(written[tap], stage)
            assert [name for name in names if name.rpartition("__v_")[0] in WHOLE[tap]] == []


def checked(written: Path, stage: Stage) -> list[str]:
    """Load the messages of a tap, compare every cell, and return the columns."""
    with written.open("rb") as lines:
        stage.pipeline.run(singer(lines, name="cells"))
    names, rows = stage.into.fetched("shop_cells")
    held = {row["id"]: row for row in (dict(zip(names, row, strict=True)) for row in rows)}
    records = [
        message["record"]
        for line in written.read_text().splitlines()
        if (message := json.loads(line, parse_float=Decimal))["type"] == "RECORD"
    ]
    assert len(records) == 4
    wrong = {
        f"{name} of {record['id']}": (value, found)
        for record in records
        for name, value in record.items()
        if not same(value, found := cell(held[record["id"]], name))
    }
    assert wrong == {}
    return names


def cell(row: Row, name: str) -> Any:
    """Return a value, which may be in a second column."""
    beside = f"{name}__v_"
    columns = [name, *(column for column in row if column.startswith(beside))]
    values = [row[column] for column in columns if row[column] is not None]
    assert len(values) <= 1, name
    value = values[0] if values else None
    if isinstance(value, str) and name in JSON:
        return json.loads(value, parse_float=Decimal)
    return value
