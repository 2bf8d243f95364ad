"""Load one declaration twice, with dlt's own `rest_api` and with tap-chat, and compare the tables.

    def test_rooms(both: Both) -> None:                   # the fixture: a server and two loads
        both.api.lists["rooms"] = [{"id": 1}]
        declaration = {"client": {"base_url": both.api.url}, "resources": [...]}
        assert both.load(declaration) == {"rooms": 1}     # rows by table, of both
        both.api.lists["rooms"].append({"id": 2})
        assert both.load(declaration) == {"rooms": 2}     # a second run of both

`load` fails unless both loads have the same tables (`rooms` and `api_rooms`), columns, rows and
values. A column with no value may be missing on either side. `apart=["rooms.x", "*.y"]` leaves
out columns that are meant to differ. `streams` are our additions to the declaration by resource,
and `settings` are those of the section. `load_by_dlt` and `load_by_tap` run one side alone, and
`compare` compares what they have loaded so far.

Objects and arrays are loaded into child tables by both, as dlt does it. Values are compared across
types: a time as text and as a timestamp are the same time.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import dlt
import duckdb
from dlt.sources.rest_api import rest_api_source
from parity.api import Api
from running import QUICK

from dlt_bridge import singer

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

NAME = "api"
#: The column types of times.
TIMES = ("TIMESTAMP", "DATE")


@dataclass
class Both:
    """Two loads of a declaration.

    Attributes:
        folder: The folder of all files.
        api: The API of the tests.
    """

    folder: Path
    api: Api = field(default_factory=Api)

    def load(
        self,
        declaration: dict[str, Any],
        *,
        streams: dict[str, Any] | None = None,
        apart: Collection[str] = (),
        **settings: Any,
    ) -> dict[str, int]:
        """Load a declaration with both, compare the tables, and return their numbers of rows.

        Args:
            declaration: The declaration.
            streams: Our additions by resource.
            apart: The columns that are not compared, as patterns of `table.column`.
            settings: Settings of the section.
        """
        self.load_by_dlt(declaration)
        self.load_by_tap(declaration, streams=streams, **settings)
        return self.compare(apart)

    def compare(self, apart: Collection[str] = ()) -> dict[str, int]:
        """Compare the tables of both loads, and return their numbers of rows."""
        by_dlt, by_tap = self.tables
        told = differences(by_dlt, by_tap, apart)
        assert not told, "\n".join(told)
        return {name: len(table.rows) for name, table in by_tap.items()}

    def load_by_dlt(self, declaration: dict[str, Any]) -> None:
        """Load a declaration with dlt's own source. dlt changes what it is given."""
        source = rest_api_source(deepcopy(declaration), name=NAME)  # type: ignore[arg-type]
        self._pipeline("by_dlt").run(source)

    def load_by_tap(
        self,
        declaration: dict[str, Any],
        *,
        streams: dict[str, Any] | None = None,
        max_workers: int = 16,
        **settings: Any,
    ) -> None:
        """Load a declaration with tap-chat as a process, through the bridge."""
        section = {"declaration": declaration, "streams": streams or {}, **QUICK, **settings}
        command = [sys.executable, "-m", "tap_chat"]
        config = {"rest": {NAME: section}, "max_workers": max_workers}
        source = singer(command, config, nested="tables", name=NAME)
        self._pipeline("by_tap").run(source)

    @property
    def by_dlt(self) -> dict[str, Table]:
        """The tables of dlt's own source."""
        return tables(self.folder / "by_dlt.duckdb")

    @property
    def by_tap(self) -> dict[str, Table]:
        """The tables of tap-chat, by the name that dlt's own source gives them."""
        found = tables(self.folder / "by_tap.duckdb")
        return {name.removeprefix(f"{NAME}_"): table for name, table in found.items()}

    @property
    def tables(self) -> tuple[dict[str, Table], dict[str, Table]]:
        """The tables of dlt's own source, and of tap-chat."""
        return self.by_dlt, self.by_tap

    def _pipeline(self, name: str) -> dlt.Pipeline:
        return dlt.pipeline(
            name,
            pipelines_dir=str(self.folder / "pipelines"),
            destination=dlt.destinations.duckdb(str(self.folder / f"{name}.duckdb")),
            dataset_name=NAME,
        )


@dataclass(frozen=True)
class Table:
    """A table of a DuckDB file, without the columns that loaders add.

    Attributes:
        types: The type of each column.
        rows: The rows.
    """

    types: dict[str, str]
    rows: list[dict[str, Any]]

    def has_values(self, column: str) -> bool:
        return any(row.get(column) is not None for row in self.rows)


def tables(path: Path) -> dict[str, Table]:
    """Return the tables of a DuckDB file, without those of dlt; none without a file."""
    found: dict[str, Table] = {}
    if not path.exists():
        return found
    with duckdb.connect(str(path), read_only=True) as database:
        database.execute("set timezone = 'UTC'")
        columns = database.execute(
            "select table_name, column_name, data_type from information_schema.columns"
            " where table_schema = ? order by table_name, column_name",
            [NAME],
        ).fetchall()
        types: dict[str, dict[str, str]] = {}
        for table, column, data_type in columns:
            own = types.setdefault(table, {})
            if not column.startswith(("_dlt_", "_sdc_")):
                own[column] = data_type
        for table, own in types.items():
            if table.startswith("_dlt_"):
                continue
            names = ", ".join(f'"{name}"' for name in own) or "1"
            rows = database.execute(f'select {names} from {NAME}."{table}"').fetchall()
            found[table] = Table(own, [dict(zip(own, row, strict=False)) for row in rows])
    return found


def differences(
    by_dlt: dict[str, Table], by_tap: dict[str, Table], apart: Collection[str] = ()
) -> list[str]:
    """Return the differences between the tables of both loads, as sentences."""
    told = [f"{name} is not loaded by tap-chat" for name in by_dlt.keys() - by_tap.keys()]
    # A stream without records has a table with tap-chat, and none with dlt.
    told += [
        f"{name} is not loaded by dlt"
        for name, table in by_tap.items()
        if name not in by_dlt and table.rows
    ]
    for name in by_dlt.keys() & by_tap.keys():
        told += _differences(name, by_dlt[name], by_tap[name], apart)
    return sorted(told)


def _differences(name: str, by_dlt: Table, by_tap: Table, apart: Collection[str]) -> list[str]:
    sides = (("tap-chat", by_dlt, by_tap), ("dlt", by_tap, by_dlt))
    told = [
        f"{name}.{column} has no column by {loader}"
        for loader, there, here in sides
        for column in there.types.keys() - here.types.keys()
        if there.has_values(column) and not _is_in(f"{name}.{column}", apart)
    ]
    shared = [
        column
        for column in by_dlt.types
        if column in by_tap.types and not _is_in(f"{name}.{column}", apart)
    ]
    are_times = {
        column
        for column in shared
        if by_dlt.types[column].startswith(TIMES) or by_tap.types[column].startswith(TIMES)
    }
    expected, found = (
        Counter(
            tuple(f"{column}: {_plain(row[column], column in are_times)}" for column in shared)
            for row in table.rows
        )
        for table in (by_dlt, by_tap)
    )
    told += [f"{name} lacks by tap-chat: {row}" for row in (expected - found).elements()]
    told += [f"{name} has by tap-chat alone: {row}" for row in (found - expected).elements()]
    return told


def _is_in(column: str, patterns: Collection[str]) -> bool:
    return any(fnmatchcase(column, pattern) for pattern in patterns)


def _plain(value: Any, is_time: bool) -> str:  # noqa: FBT001 - a column's, for all its values
    """Return a value in a form that does not depend on the types of the columns."""
    if value is None:
        return "null"
    if is_time:
        return _moment(value)
    if isinstance(value, bool):
        return json.dumps(value)
    if isinstance(value, (int, float, Decimal)):
        return str(Decimal(str(value)).normalize())
    return str(value)


def _moment(value: Any) -> str:
    """Return a time in UTC as text."""
    text = value if isinstance(value, str) else value.isoformat()
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
