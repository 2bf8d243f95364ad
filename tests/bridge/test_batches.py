"""BATCH messages: records in files."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import record, schema

if TYPE_CHECKING:
    from pathlib import Path

    from staging import Stage

TEXT = {"type": ["string", "null"]}


def batch(encoding: dict[str, Any], *paths: Path) -> dict[str, Any]:
    manifest = [path.as_uri() for path in paths]
    return {"type": "BATCH", "stream": "a", "encoding": encoding, "manifest": manifest}


@pytest.mark.parametrize("compression", ["gzip", "none"])
@pytest.mark.parametrize("packed", [True, False])
def test_lines_of_json(stage: Stage, tmp_path: Path, compression: str, packed: bool) -> None:  # noqa: FBT001
    """The SDK packs files even where it says `none`."""
    paths = [tmp_path / "1.json", tmp_path / "2.json"]
    for number, path in enumerate(paths):
        rows = [{"id": 2 * number + i, "v": "x"} for i in range(2)]
        text = "\n".join(map(json.dumps, rows)) + "\n\n"
        path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    encoding = {"format": "jsonl", "compression": compression}
    head = schema(v=TEXT)
    stage.load([head, record(id=1, v="old"), batch(encoding, *paths), record(id=3, v="new")])
    assert stage.rows("select id, v from data.a order by id") == [
        (0, "x"),
        (1, "x"),
        (2, "x"),
        (3, "new"),
    ]


def test_parquet(stage: Stage, tmp_path: Path) -> None:
    moment = datetime(2026, 1, 1, 12, 30, 0, 123456, UTC)
    columns = {
        "id": pa.array([1, 2**63 - 1]),
        "d": pa.array([Decimal("12345678901234567.89"), None], pa.decimal128(38, 2)),
        "t": pa.array([moment, None], pa.timestamp("us", "UTC")),
        "day": pa.array([date(2026, 2, 28), None]),
        "j": pa.array([{"x": [1, None]}, None]),
        "f": pa.array([0.1, 1e300]),
    }
    pq.write_table(pa.table(columns), tmp_path / "1.parquet")
    head = schema(
        d={"type": "number", "multipleOf": 0.01},
        t={"type": "string", "format": "date-time"},
        day={"type": "string", "format": "date"},
        j={"type": "object"},
        f={"type": "number"},
    )
    stage.load([head, batch({"format": "parquet"}, tmp_path / "1.parquet")])
    query = "select id, d, t = '2026-01-01 12:30:00.123456Z', day, j::varchar, f from data.a"
    assert stage.rows(query + " order by id") == [
        (1, Decimal("12345678901234567.89"), True, date(2026, 2, 28), '{"x":[1,null]}', 0.1),
        (2**63 - 1, None, None, None, None, 1e300),
    ]


@pytest.mark.parametrize(
    ("encoding", "name", "words"),
    [
        ({"format": "csv"}, "1.json", "format csv"),
        ({"format": "jsonl", "compression": "zstd"}, "1.json", "zstd"),
        ({"format": "jsonl", "compression": "gzip"}, "nowhere.json", "nowhere.json"),
        ({"format": "parquet"}, "1.json", "1.json"),
    ],
)
def test_file_that_cannot_be_read_is_named(
    stage: Stage, tmp_path: Path, encoding: dict[str, Any], name: str, words: str
) -> None:
    (tmp_path / "1.json").write_text('{"id": 1}')
    with pytest.raises(PipelineStepFailed, match=words) as failed:
        stage.load([schema(), record(id=1), batch(encoding, tmp_path / name)])
    assert "line 3" in str(failed.value)


def test_record_of_a_file_that_does_not_fit_is_refused(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "1.json").write_text('{"id": 1}\n{"v": "x"}\n')
    with pytest.raises(PipelineStepFailed, match="line 2 lacks the property `id`"):
        stage.load([schema(v=TEXT), batch({"format": "jsonl"}, tmp_path / "1.json")])
