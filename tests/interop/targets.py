"""Targets of this and other projects, with their settings and their rows."""

from __future__ import annotations

import csv
import gzip
import json
import re
import subprocess
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlsplit

import duckdb
import psycopg2
import psycopg2.extras
from dlt.common.normalizers.naming.snake_case import NamingConvention
from interop.cells import by_key
from interop.environments import program
from running import BIN
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from interop.cells import Row

DATASET = "raw"

#: The offset of a time that is not in UTC.
OFFSET = re.compile(r"(?<=\d{2}:\d{2}:\d{2}\.\d{6})[+-]\d\d:\d\d$")


@dataclass(frozen=True)
class Target:
    """A target that loads one tap.

    Attributes:
        name: Its name in the tests.
        path: Its program.
        place: The place of its rows: a folder, a file, or the address of a database.
    """

    name: str
    path: str
    place: Any
    #: Whether it keeps every version of a row.
    appends: ClassVar[bool] = False

    @property
    def config(self) -> dict[str, Any]:
        raise NotImplementedError

    def held(self, stream: str) -> list[Row]:
        """Return its rows of a stream."""
        raise NotImplementedError

    def newest(self, stream: str, keys: Sequence[str]) -> list[Row]:
        """Return these rows, or the last version of each."""
        rows = self.held(stream)
        return list(by_key(keys, rows).values()) if self.appends else rows

    def load(self, lines: bytes, folder: Path) -> list[Any]:
        """Load messages, and return the emitted states."""
        settings = folder / "target.json"
        settings.write_text(json.dumps(self.config))
        done = subprocess.run(
            [self.path, "--config", str(settings)],
            input=lines,
            cwd=folder,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr.decode()
        return [json.loads(line) for line in done.stdout.splitlines()]

    def kept(self, row: Row) -> Row:
        """Return a row as the target stores it."""
        return row

    def keys(self, names: Sequence[str]) -> list[str]:
        """Return the names of key columns as the target has them."""
        return [*self.kept(dict.fromkeys(names, 1))]


def in_duckdb(path: Path, stream: str) -> list[Row]:
    """Return the rows of a table of a DuckDB file."""
    with duckdb.connect(str(path), read_only=True) as database:
        database.execute("set timezone = 'UTC'")
        found = database.execute(f'select * from "{DATASET}"."{stream}"')
        names = [column[0] for column in found.description or ()]
        return [dict(zip(names, row, strict=True)) for row in found.fetchall()]


def in_postgres(url: str, table: str, schema: str = DATASET) -> list[Row]:
    """Return the rows of a table of a PostgreSQL database."""
    with closing(psycopg2.connect(url, options="-c timezone=UTC")) as connection:
        cursor = connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor)
        cursor.execute(f'select * from "{schema}"."{table}"')
        return [dict(row) for row in cursor.fetchall()]


class Dlt(Target):
    """target-dlt, into a DuckDB file or a PostgreSQL database."""

    def __init__(self, place: Path | str, path: str = str(BIN / "target-dlt")) -> None:
        super().__init__("target-dlt", path, place)

    @property
    def destination(self) -> str:
        return "postgres" if isinstance(self.place, str) else "duckdb"

    @property
    @override
    def config(self) -> dict[str, Any]:
        return {
            "destination": self.destination,
            "credentials": str(self.place),
            "dataset_name": DATASET,
        }

    @override
    def held(self, stream: str) -> list[Row]:
        table = re.sub(r"\W", "_", stream)
        if isinstance(self.place, str):
            return in_postgres(self.place, table)
        return in_duckdb(self.place, table)

    @override
    def kept(self, row: Row) -> Row:
        naming = NamingConvention()
        return {naming.normalize_identifier(name): value for name, value in row.items()}


class Jsonl(Target):
    """target-jsonl: one file per stream, with every version of a row."""

    appends = True

    def __init__(self, place: Path) -> None:
        super().__init__("target-jsonl", program("target-jsonl", "target-jsonl"), place)

    @property
    @override
    def config(self) -> dict[str, Any]:
        return {"destination_path": str(self.place), "do_timestamp_file": False}

    @override
    def held(self, stream: str) -> list[Row]:
        lines = (self.place / f"{stream}.jsonl").read_text().splitlines()
        return [json.loads(line, parse_float=Decimal) for line in lines]


class SingerJsonl(Target):
    """target-singer-jsonl: files of messages as the tap wrote them."""

    appends = True

    def __init__(self, place: Path) -> None:
        path = program("singer-jsonl", "target-singer-jsonl")
        super().__init__("target-singer-jsonl", path, place)
        self._runs = count(1)

    @property
    @override
    def config(self) -> dict[str, Any]:
        # The names of its files have seconds: a run in the same second would replace a file.
        folder = self.place / str(next(self._runs))
        return {"destination": "local", "local": {"folder": str(folder)}}

    @override
    def held(self, stream: str) -> list[Row]:
        files = sorted(self.place.glob(f"*/{stream}/*"), key=lambda path: path.stat().st_mtime_ns)
        lines = [line for file in files for line in gzip.decompress(file.read_bytes()).splitlines()]
        messages = [json.loads(line, parse_float=Decimal) for line in lines]
        return [message["record"] for message in messages if message["type"] == "RECORD"]


class MeltanoLabsPostgres(Target):
    """meltanolabs-target-postgres."""

    def __init__(self, place: str) -> None:
        path = program("meltanolabs", "target-postgres")
        super().__init__("target-meltanolabs", path, place)

    @property
    @override
    def config(self) -> dict[str, Any]:
        return {"sqlalchemy_url": self.place, "default_target_schema": DATASET}

    @override
    def held(self, stream: str) -> list[Row]:
        return in_postgres(str(self.place), stream.rpartition("-")[2])


class PipelineWisePostgres(Target):
    """pipelinewise-target-postgres."""

    def __init__(self, place: str) -> None:
        path = program("pipelinewise", "target-postgres")
        super().__init__("target-pipelinewise", path, place)

    @property
    @override
    def config(self) -> dict[str, Any]:
        url = urlsplit(str(self.place))
        return {
            "host": url.hostname,
            "port": url.port,
            "user": url.username,
            "password": url.password,
            "dbname": url.path.lstrip("/"),
            "default_target_schema": DATASET,
        }

    @override
    def held(self, stream: str) -> list[Row]:
        return in_postgres(str(self.place), stream.rpartition("-")[2])

    @override
    def kept(self, row: Row) -> Row:
        # Control characters become letters, and an empty text becomes null. Times have no zone: the
        # target drops their offset.
        return {
            name.lower(): OFFSET.sub("", text.replace("\n", r"\n").replace("\t", r"\t")) or None
            if isinstance(text, str)
            else text
            for name, text in row.items()
        }


class DuckDB(Target):
    """target-duckdb."""

    def __init__(self, place: Path) -> None:
        super().__init__("target-duckdb", program("target-duckdb", "target-duckdb"), place)

    @property
    @override
    def config(self) -> dict[str, Any]:
        # Without the metadata columns, it drops rows on Python 3.13: see meltano.yml.
        own = {"filepath": str(self.place), "default_target_schema": DATASET}
        return {**own, "add_metadata_columns": True}

    @override
    def held(self, stream: str) -> list[Row]:
        return in_duckdb(self.place, stream.rpartition("-")[2])

    @override
    def kept(self, row: Row) -> Row:
        return {name.lower(): None if value == "" else value for name, value in row.items()}


class Csv(Target):
    """meltanolabs-target-csv: one file per stream, with the records of the last run only."""

    def __init__(self, place: Path) -> None:
        super().__init__("target-csv", program("meltanolabs", "target-csv"), place)

    @property
    @override
    def config(self) -> dict[str, Any]:
        return {"output_path": str(self.place)}

    @override
    def held(self, stream: str) -> list[Row]:
        with (self.place / f"{stream}.csv").open(newline="") as file:
            return list(csv.DictReader(file))
