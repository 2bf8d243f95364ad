"""Databases that dlt knows by SQLAlchemy, with SQLite as one of them."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import dlt
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import entry, record, schema

from dlt_bridge import singer

if TYPE_CHECKING:
    from pathlib import Path

PROPERTIES: dict[str, Any] = {
    "o": {"type": "object"},
    "any": {},
    "ref": {"type": "number"},
    "n": {"type": "number"},
    "at": {"type": "string", "format": "date-time"},
    "i": {"type": "integer"},
}
#: Of values, and what SQLite has for them.
QUERY = """
select o, json_extract(o, '$.a'), json_extract("any", '$'), ref, typeof(ref), n__v_text,
    at__v_text, json_extract(i__v_json, '$.z') from t order by id
"""


def test_values_are_the_same_and_json_is_json(tmp_path: Path) -> None:
    """Not a JSON string with an object in it; in tables that are there, too."""
    ids = [123456789012345678, 123456789012345679]
    for run in range(3):
        first = (
            f'{{"id": {run}, "o": {{"a": 1.10}}, "any": "x", "ref": {ids[0]}, "n": NaN,'
            ' "at": "9999-12-31T23:59:59-05:00", "i": 1}'
        )
        other = (
            f'{{"id": {run + 10}, "o": {{"a": [2]}}, "any": {{"b": "5"}}, "ref": {ids[1]},'
            ' "n": 1.5, "at": null, "i": {"z": 3}}'
        )
        lines = [json.dumps(schema("t", **PROPERTIES))]
        lines += [f'{{"type": "RECORD", "stream": "t", "record": {row}}}' for row in (first, other)]
        pipeline = dlt.pipeline(
            "lite",
            pipelines_dir=str(tmp_path),
            destination=dlt.destinations.sqlalchemy(f"sqlite:///{tmp_path}/w.db"),
            dataset_name="data",
        )
        pipeline.run(singer(lines))
    with closing(sqlite3.connect(tmp_path / "w__data.db")) as database:
        rows = database.execute(QUERY).fetchall()
    late = "9999-12-31T23:59:59-05:00"
    assert rows == [
        *[('{"a": 1.10}', 1.1, "x", ids[0], "integer", "NaN", late, None)] * 3,
        *[('{"a": [2]}', "[2]", '{"b":"5"}', ids[1], "integer", None, None, 3)] * 3,
    ]


def test_tables_of_others_stay_as_they_are(tmp_path: Path) -> None:
    """In one process, another pipeline may have texts that are to be JSON strings."""
    pipeline = dlt.pipeline(
        "other",
        pipelines_dir=str(tmp_path),
        destination=dlt.destinations.sqlalchemy(f"sqlite:///{tmp_path}/w.db"),
        dataset_name="data",
    )
    pipeline.run(singer([json.dumps(schema("t"))]))
    rows: list[dict[str, Any]] = [{"x": {"a": 1}}, {"x": None}]
    pipeline.run(rows, table_name="own", columns={"x": {"data_type": "json"}})
    with closing(sqlite3.connect(tmp_path / "w__data.db")) as database:
        assert database.execute("select x from own").fetchall() == [('{"a": 1}',), (None,)]


KEPT: dict[str, Any] = {
    "n": {"type": "number"},
    "big": {"type": "number", "multipleOf": 1},
    "at": {"type": "string", "format": "date-time"},
    "day": {"type": "string", "format": "date"},
    "clock": {"type": "string", "format": "time"},
    "yes": {"type": "boolean"},
    "o": {"type": "object"},
    "title": {"type": "string"},
    "_sdc_deleted_at": {"type": "string", "format": "date-time"},
}
VALUES = {
    "n": 0.1,
    "big": 123456789012345679,
    "at": "2026-01-31T10:00:00.5Z",
    "day": "2026-01-31",
    "clock": "10:00:00",
    "yes": True,
    "o": {"a": 1},
}
GONE = "2026-02-01T00:00:00Z"


@pytest.mark.parametrize("absent", ["null", "keep"])
def test_rows_keep_the_values_that_a_record_lacks(tmp_path: Path, absent: Any) -> None:
    def load(**record: Any) -> list[tuple[Any, ...]]:
        lines = [schema("t", **KEPT), {"type": "RECORD", "stream": "t", "record": record}]
        pipeline = dlt.pipeline(
            "lite",
            pipelines_dir=str(tmp_path),
            destination=dlt.destinations.sqlalchemy(f"sqlite:///{tmp_path}/w.db"),
            dataset_name="data",
        )
        pipeline.run(singer(map(json.dumps, lines), absent=absent))
        with closing(sqlite3.connect(tmp_path / "w__data.db")) as database:
            query = f"select title, _sdc_deleted_at is null, {', '.join(VALUES)} from t"
            return database.execute(query).fetchall()

    ((_, _, *first),) = load(id=1, title="a", **VALUES)
    assert load(id=1, title="b", _sdc_deleted_at=GONE) == [("b", 0, *first)]
    assert load(id=1, _sdc_deleted_at=GONE) == [("b", 0, *first)]


def test_rows_of_one_account_are_replaced(tmp_path: Path) -> None:
    """An account may look like a parameter of SQLAlchemy."""
    odd = ";\nO'Brien :y \\:z ::w {x} 100% \\"
    for account, value in (("acme", 1), (odd, 1), (odd, 2)):
        lines = [schema("t"), {"type": "RECORD", "stream": "t", "record": {"id": value}}]
        pipeline = dlt.pipeline(
            "lite",
            pipelines_dir=str(tmp_path),
            destination=dlt.destinations.sqlalchemy(f"sqlite:///{tmp_path}/w.db"),
            dataset_name="data",
        )
        source = singer(map(json.dumps, lines), account=account)
        pipeline.run(source, write_disposition="replace")
    with closing(sqlite3.connect(tmp_path / "w__data.db")) as database:
        rows = database.execute("select _account, id from t order by id").fetchall()
    assert rows == [("acme", 1), (odd, 2)]


REFUSAL = "create trigger refusal before insert on a begin select raise(abort, 'no insert'); end"


@pytest.mark.parametrize(
    ("method", "keys", "kept"), [("INCREMENTAL", ["id"], [(1, 0)]), ("FULL_TABLE", [], [])]
)
def test_load_that_fails_leaves_the_table_as_it_was(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
    keys: list[str],
    kept: list[tuple[int, int]],
) -> None:
    """The old rows are deleted by then."""
    monkeypatch.setenv("DESTINATION__REPLACE_STRATEGY", "insert-from-staging")
    pipeline = dlt.pipeline(
        "lite",
        pipelines_dir=str(tmp_path),
        destination=dlt.destinations.sqlalchemy(f"sqlite:///{tmp_path}/w.db"),
        dataset_name="data",
    )
    catalog = {"streams": [entry("a", method)]}

    def load(value: int, *numbers: int) -> None:
        lines = [schema(keys=tuple(keys), v={"type": "integer"})]
        lines += [record(id=number, v=value) for number in numbers]
        pipeline.run(singer(map(json.dumps, lines), catalog=catalog))

    def rows(statement: str = "select id, v from a order by id") -> list[Any]:
        with closing(sqlite3.connect(tmp_path / "w__data.db")) as database, database:
            return database.execute(statement).fetchall()

    load(0, 1, 2)
    rows(REFUSAL)
    with pytest.raises(PipelineStepFailed, match="no insert"):
        load(1, 2, 3)
    assert rows() == [(1, 0), (2, 0)]
    rows("drop trigger refusal")
    pipeline.load()
    assert rows() == [*kept, (2, 1), (3, 1)]
    load(2, 3, 4)
    assert rows() == [*kept, *([(2, 1)] if kept else []), (3, 2), (4, 2)]
