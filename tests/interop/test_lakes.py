"""Delta and Iceberg tables of target-dlt, from a tap of another project; `make interop`."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from deltalake import DeltaTable
from interop.cells import differences
from interop.environments import packages
from interop.pipe import piped
from interop.shop import Shop
from interop.taps import MeltanoLabs, Recorded
from interop.targets import DATASET, Dlt
from running import BIN
from typing_extensions import override

if TYPE_CHECKING:
    from pathlib import Path

    from interop.cells import Row
    from postgres import PostgresServer

#: target-dlt, with the packages for these tables.
PROGRAM = """#!{python}
import sys
sys.path.append({packages!r})
from dlt_bridge.target.__main__ import target
sys.exit(target())
"""


@dataclass(frozen=True)
class Lake(Dlt):
    """target-dlt, into a folder of tables."""

    format: str = "delta"

    @property
    @override
    def destination(self) -> str:
        return "filesystem"

    @property
    @override
    def config(self) -> dict[str, Any]:
        return super().config | {"table_format": self.format}

    @override
    def held(self, stream: str) -> list[Row]:
        table = self.place / DATASET / stream.replace("-", "_")
        if self.format == "delta":
            found: list[Row] = DeltaTable(table).to_pyarrow_table().to_pylist()
            return found
        sys.path.append(packages("iceberg"))
        from pyiceberg.table import StaticTable  # noqa: PLC0415 - of an environment of its own

        newest = max((table / "metadata").glob("*.metadata.json"))
        rows: list[Row] = StaticTable.from_metadata(str(newest)).scan().to_arrow().to_pylist()
        return rows


@pytest.mark.parametrize("table_format", ["delta", "iceberg"])
def test_tables_have_the_rows_of_the_source(
    tmp_path: Path, postgres: PostgresServer, table_format: str
) -> None:
    program = tmp_path / "with-iceberg"
    program.write_text(PROGRAM.format(python=BIN / "python", packages=packages("iceberg")))
    program.chmod(0o755)
    target = Lake("target-dlt", str(program), tmp_path / "lake", table_format)
    (tmp_path / "target.json").write_text(json.dumps(target.config))
    with postgres.database() as url:
        shop = Shop(url)
        recorded = Recorded(MeltanoLabs(shop), tmp_path)
        # pyiceberg 0.12 can't merge rows into a table with a new column.
        third = shop.add_column if table_format == "delta" else shop.stay
        for happens in (shop.begin, shop.move_on, third):
            happens()
            recorded.config()
            recorded.discover()
            done = piped(tmp_path, recorded.program, target.path)
            assert done.code == 0, done.said
            for stream, rows in shop.truth.items():
                assert differences(shop.keys[stream], rows, target.held(stream)) == [], stream
