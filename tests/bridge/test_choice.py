"""The types of columns, inferred from the first records, and values of later records."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import dlt
import duckdb
import pytest
from bridge.destinations import MERGING
from bridge.test_destination_values import ANY_NUMERIC, NUMBER
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import bookmark, schema

from dlt_bridge import load, singer
from dlt_bridge.arrow import workers as decoding
from dlt_bridge.arrow.columns import columns
from dlt_bridge.arrow.decoder import RecordDecoder
from dlt_bridge.arrow.record_schema import RecordSchema
from dlt_bridge.run.checkpoints import committed_packages
from dlt_bridge.tables import sink as streams

if TYPE_CHECKING:
    from pathlib import Path

    from staging import Stage

LINE = '{"type": "RECORD", "stream": "a", "record": {"id": %d, "v": %s}}'
ID = "123456789012345678"


def written(line: Any) -> str:
    return line if isinstance(line, str) else json.dumps(line)


class Database:
    """A DuckDB file that lines are loaded into, in this process."""

    def __init__(self, folder: Path) -> None:
        self.path = str(folder / "w.duckdb")
        self.pipeline = dlt.pipeline(
            "choice",
            pipelines_dir=str(folder),
            destination=dlt.destinations.duckdb(self.path),
            dataset_name="data",
        )

    def load(self, *lines: Any, **options: Any) -> None:
        self.pipeline.run(singer(map(written, lines), select=["a"], **options))

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(self.path, read_only=True) as database:
            return database.execute(query).fetchall()

    @property
    def columns(self) -> dict[str, str]:
        """The types of the columns of `v`."""
        described = self.rows("describe data.a")
        return {name: kind for name, kind, *_ in described if name.startswith("v")}


@pytest.fixture
def database(tmp_path: Path) -> Database:
    return Database(tmp_path)


@pytest.mark.parametrize("warehouse", MERGING, indirect=True)
def test_key_declared_as_a_number_is_exact(anywhere: Stage) -> None:
    """Many taps declare ids as numbers, and numbers without a precision."""
    line = '{"type": "RECORD", "stream": "a", "record": {"id": %s, "n": %s, "v": "%s"}}'
    head = schema(keys=("id", "n"), id=NUMBER, n=ANY_NUMERIC, v={"type": "string"})
    keys = [(ID, "1"), ("123456789012345679", "1"), (ID, "2.5"), ("2.5", "-7.10")]
    for version in ("a", "b", "c"):
        anywhere.load(
            [head, *(line % (*key, version) for key in keys[: 2 if version == "c" else 4])]
        )
    found = sorted(anywhere.into.read("a", "id", "n", "v"))
    assert found == sorted(
        (Decimal(one), Decimal(other), "c" if index < 2 else "b")
        for index, (one, other) in enumerate(keys)
    )


def test_invalid_key_is_refused_and_named(database: Database) -> None:
    with pytest.raises(PipelineStepFailed, match=r"`id` in line 3 is NaN\. It is part of the key"):
        database.load(
            schema(id=NUMBER, v=NUMBER), LINE % (1, "NaN"), LINE.replace("%d", "NaN") % "2"
        )


# The SCHEMA of a column, ten values, its type, and how many of the values are in variants.
KINDS: list[tuple[Any, list[str], str, int]] = [
    ({"type": "boolean"}, ["0", "1"], "BIGINT", 0),
    ({"type": "boolean"}, ["0", "1", "true"], "BOOLEAN", 7),
    ({"type": "string", "format": "date-time"}, ["1767225600"], "BIGINT", 0),
    ({"type": "string", "format": "date-time"}, ["1.5", "2"], "DECIMAL(38,18)", 0),
    # A date that no database has may be all that there is for a while.
    ({"type": "string", "format": "date"}, ['"0000-00-00"'], "DATE", 10),
    ({"type": "number"}, ['"12.50"', '"n/a"'], "VARCHAR", 0),
    ({"type": "number"}, ['"12.50"', "1"], "DOUBLE", 5),
    ({"type": "null"}, ['{"x": 1}', "[]"], "JSON", 0),
    # A tap that declares decimals means no doubles.
    ({"type": "number", "multipleOf": 0.01}, ["5.2e37", "0.25"], "DECIMAL(38,2)", 5),
    ({"type": "number", "multipleOf": 1e-38}, ["1e30", "0.25"], "DECIMAL(38,4)", 0),
    ({"type": "number"}, ["1e300", ID], "DOUBLE", 5),
    ({"type": "integer"}, ["1e300", "1"], "DOUBLE", 0),
]


def test_declared_type_that_fits_no_value_is_replaced(database: Database) -> None:
    names = [f"v{number}" for number in range(len(KINDS))]
    head = schema(keys=(), **dict(zip(names, (kind[0] for kind in KINDS), strict=True)))
    for _ in range(2):
        lines = []
        for row in range(10):
            texts = ", ".join(
                f'"{name}": {values[row % len(values)]}'
                for name, (_, values, *_) in zip(names, KINDS, strict=True)
            )
            lines.append(f'{{"type": "RECORD", "stream": "a", "record": {{{texts}}}}}')
        database.load(head, *lines)
    found = database.columns
    assert [found[name] for name in names] == [kind for _, _, kind, _ in KINDS]
    counts = ", ".join(f"count({name})" for name in names)
    [held] = database.rows(f"select {counts} from data.a")
    assert held == tuple(20 - 2 * beside for *_, beside in KINDS)


def test_few_values_do_not_change_a_type(database: Database) -> None:
    database.load(schema(v={"type": "boolean"}), *(LINE % (n, "1") for n in range(9)))
    assert database.columns == {"v": "BOOLEAN", "v__v_bigint": "BIGINT"}


def test_type_is_inferred_once(database: Database) -> None:
    """Later packages, runs and SCHEMAs do not change the type of the column."""
    first = [schema(v=NUMBER), LINE % (1, ID), bookmark(a=1)]
    cents = schema(v={"type": "number", "multipleOf": 0.01})
    later = [LINE % (2, "2.5"), bookmark(a=2), cents, LINE % (3, "0.25"), LINE % (4, "1e-30")]
    source = singer(map(written, [*first, *later]), select=["a"], name="taken")
    load(database.pipeline, source, checkpoint_every=0)
    database.load(schema(v=NUMBER), LINE % (5, "1.5"), name="taken")
    database.load(schema(v={"type": "integer"}), LINE % (6, "7"), name="taken")
    assert database.columns == {"v": "DECIMAL(38,18)", "v__v_double": "DOUBLE"}
    assert database.rows("select sum(v), sum(v__v_double) from data.a") == [
        (Decimal(ID) + Decimal("11.75") - Decimal("0.5"), 1e-30)
    ]


def test_type_is_inferred_after_a_version_is_activated(database: Database) -> None:
    """Some taps activate a version before the first record."""
    line = LINE.replace('"record"', '"version": 7, "record"', 1)
    activate = {"type": "ACTIVATE_VERSION", "stream": "a", "version": 7}
    for _ in range(2):
        database.load(schema(v=NUMBER), activate, line % (1, ID), line % (2, "2.5"), activate)
    assert database.columns == {"v": "DECIMAL(38,18)"}
    assert database.rows("select v from data.a order by id") == [(Decimal(ID),), (Decimal("2.5"),)]


@pytest.fixture
def processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decode in processes from the first line on, in small batches."""
    monkeypatch.setattr(decoding, "BEFORE_PROCESSES", 0)
    monkeypatch.setattr(decoding, "START_SECONDS", None)
    monkeypatch.setattr(decoding, "_cores", lambda: 2)
    monkeypatch.setattr(streams, "BATCH_ROWS", 10)


@pytest.mark.usefixtures("processes")
@pytest.mark.parametrize("nested", ["json", "tables"])
def test_batches_of_other_processes_have_the_inferred_type(database: Database, nested: Any) -> None:
    texts = [ID, *("2.5" for _ in range(200))]
    lines = [LINE % (number, text) for number, text in enumerate(texts)]
    for _ in range(2):
        database.load(schema(v=NUMBER), *lines, nested=nested)
    assert database.columns == {"v": "DECIMAL(38,18)"}
    assert database.rows("select sum(v) from data.a") == [(Decimal(ID) + 500,)]


def test_values_in_variants_are_counted(database: Database) -> None:
    lines = [
        *(schema(v=NUMBER), LINE % (1, "1.5"), bookmark(a=1)),
        *(LINE % (2, "1e400"), LINE % (3, ID), LINE % (4, "NaN"), bookmark(a=2)),
        *(schema(v={"type": "integer"}), LINE % (5, ID), LINE % (6, "2")),
    ]
    source = singer(map(written, lines), select=["a"])
    packages = committed_packages(database.pipeline, source, checkpoint_every=0)
    assert [package.in_variants for package in packages] == [
        {},
        {"a.v__v_text": 1, "a.v__v_bigint": 1},
        {"a.v__v_bigint": 1},
    ]


@pytest.mark.parametrize("prop", [NUMBER, {"type": "integer"}, ANY_NUMERIC, {"type": "string"}])
def test_number_of_a_megabyte_is_converted_fast(prop: dict[str, Any]) -> None:
    decoder = RecordDecoder(RecordSchema("a", columns({"properties": {"v": prop}}, ())))
    texts = [b"1" * 800_000, b"0." + b"1" * 800_000, b"1" * 800_000 + b".5", b"1e800000"]
    line = b'{"type": "RECORD", "stream": "a", "record": {"v": %b}}'
    begun = time.process_time()
    made = decoder.table(b"\n".join(line % text for text in texts), [range(4)], 0, first=True)
    assert time.process_time() - begun < 5
    kept = made["v" if prop["type"] == "string" else "v__v_text"]
    assert kept.to_pylist() == [text.decode() for text in texts]
