"""Batches decoded in processes have the same tables and errors as in a thread."""

from __future__ import annotations

import logging
import os
import pickle
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import bookmark, record, schema

from dlt_bridge import BridgeError
from dlt_bridge.arrow import workers as decoding
from dlt_bridge.arrow.batches import LineBatch
from dlt_bridge.arrow.columns import columns
from dlt_bridge.arrow.decoder import RecordDecoder
from dlt_bridge.arrow.missing_properties import MISSING, KeepPolicy
from dlt_bridge.arrow.record_schema import RecordSchema
from dlt_bridge.arrow.workers import DecoderPool
from dlt_bridge.tables import sink as streams

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from staging import Stage

SCHEMA = {"properties": {"id": {"type": "integer"}, "v": {"type": "integer"}}}
ROWS = 10


@pytest.fixture(autouse=True)
def processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decode in processes from the first line on, in small batches."""
    monkeypatch.setattr(decoding, "BEFORE_PROCESSES", 0)
    monkeypatch.setattr(decoding, "START_SECONDS", None)
    monkeypatch.setattr(decoding, "_cores", lambda: 2)
    monkeypatch.setattr(streams, "BATCH_ROWS", ROWS)


@pytest.fixture
def pool() -> Iterator[DecoderPool]:
    made = DecoderPool()
    yield made
    made.close()


def batch(decoder: RecordDecoder, first: int, values: list[str]) -> LineBatch:
    lines = [
        b'{"type":"RECORD","stream":"a","record":{"id":%d,"v":%s}}' % (first + i, value.encode())
        for i, value in enumerate(values)
    ]
    return LineBatch(decoder, lines, [range(first, first + len(lines))], [0], len(lines), 100)


def tables(pool: DecoderPool, batches: list[LineBatch]) -> list[pa.Table]:
    waiting = [pool.submit(one, one.numbers[0].start, full=True) for one in batches]
    return [one.result() for one in waiting]


def test_tables_are_those_of_one_decoder_though_each_batch_has_a_new_variant(
    pool: DecoderPool,
) -> None:
    """All batches are submitted before the first table arrives."""
    values = [["1"], ['"x"'], ["1e400", "1.5"], ["2", "true"], ["9" * 25], ["3"]]
    decoder = RecordDecoder(RecordSchema("a", columns(SCHEMA, ())))
    made = tables(pool, [batch(decoder, 10 * i, some) for i, some in enumerate(values)])
    alone = RecordDecoder(RecordSchema("a", columns(SCHEMA, ())))
    expected = [batch(alone, 10 * i, some).table(10 * i) for i, some in enumerate(values)]
    assert [table.to_pylist() for table in made] == [table.to_pylist() for table in expected]
    assert [table.schema for table in made] == [table.schema for table in expected]
    assert decoder.observed == alone.observed
    assert set(alone.observed.variants) == {"v__v_text", "v__v_double", "v__v_bool", "v__v_decimal"}


def test_processes_report_missing_properties(pool: DecoderPool) -> None:
    decoder = RecordDecoder(
        RecordSchema("a", columns(SCHEMA, ()), keep=KeepPolicy(live=True, deleted=True))
    )
    lines = [b'{"record":{"id":1,"v":null}}\n{"record":{"id":2}}']
    [table] = tables(pool, [LineBatch(decoder, lines, [range(2)], [0], 2, len(lines[0]))])
    assert table[MISSING].to_pylist() == [None, '["v"]']


def test_errors_come_in_the_order_of_their_lines(pool: DecoderPool) -> None:
    decoder = RecordDecoder(RecordSchema("a", columns(SCHEMA, ("id", "v"))))
    batches = [batch(decoder, 10 * i, ["1", value]) for i, value in enumerate(["1", "null", "[}"])]
    waiting = [pool.submit(one, 0, full=True) for one in batches]
    assert waiting[0].result().num_rows == 2
    for future, words in zip(waiting[1:], ("`v` in line 11 is null", "line 21 can't"), strict=True):
        with pytest.raises(BridgeError, match=words):
            future.result()


def test_killed_process_is_an_error(pool: DecoderPool) -> None:
    decoder = RecordDecoder(RecordSchema("a", columns(SCHEMA, ())))
    assert tables(pool, [batch(decoder, 0, ["1"])])[0].num_rows == 1
    for process in pool._processes:
        os.kill(process._popen.pid, signal.SIGKILL)
    with pytest.raises(BridgeError, match=r"ended early, with exit code -9"):
        tables(pool, [batch(decoder, 0, ["1"])])


def children() -> set[str]:
    """Return the numbers of the processes that this one has started and that still run."""
    tasks = Path("/proc/self/task").glob("*/children")
    return {number for task in tasks for number in task.read_text().split()}


def test_large_stream_is_loaded(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    """Batches share last versions, variants, unknown properties and versions."""
    lines: list[Any] = [schema(v={"type": "integer"})]
    for number in range(30 * ROWS):
        value: Any = number if number % 70 else f"text {number}"
        more: dict[str, Any] = {"new": 1} if number == 15 * ROWS else {}
        lines.append(record(id=number % (20 * ROWS), v=value, **more))
    lines.append(bookmark(a={"x": 1}))
    before = children()
    with caplog.at_level(logging.WARNING):
        stage.load(lines)
    expected = {
        number % (20 * ROWS): str(number) if number % 70 else f"text {number}"
        for number in range(30 * ROWS)
    }
    rows = stage.rows("select id, coalesce(v::varchar, v__v_text) from data.a")
    assert len(rows) == 20 * ROWS
    assert dict(rows) == expected
    assert children() == before
    told = [record.getMessage() for record in caplog.records]
    assert sum("does not fit its column" in text for text in told) == 1
    assert sum("not loaded, such as `new`" in text for text in told) == 1


def test_error_in_a_process_names_the_line_and_loads_nothing(stage: Stage) -> None:
    lines = [schema(), *(record(id=number) for number in range(3 * ROWS)), record(id=None)]
    lines += [record(id=number) for number in range(3 * ROWS)]
    before = children()
    with pytest.raises(PipelineStepFailed, match=f"`id` in line {3 * ROWS + 2} is null"):
        stage.load(lines)
    assert stage.rows("select * from information_schema.tables where table_schema = 'data'") == []
    assert children() == before


def test_batch_that_cannot_be_sent_is_an_error(pool: DecoderPool) -> None:
    """The program does not wait for its table."""
    decoder = RecordDecoder(RecordSchema("a", columns(SCHEMA, ())))
    decoder.record_schema = RecordSchema("a", decoder.record_schema.columns, limits=lambda: None)  # type: ignore[arg-type]
    with pytest.raises((pickle.PicklingError, AttributeError)):
        tables(pool, [batch(decoder, 0, ["1"])])
