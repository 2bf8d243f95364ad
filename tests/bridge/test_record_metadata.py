"""The columns with the times of records: as the targets of the SDK have them, in every way."""

from __future__ import annotations

import io
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bridge.destinations import EVERY_FILE, SQL, TIMES, Database, DuckDB, Parquet
from bridge.together import after_each, logged
from singer_sdk import Target
from singer_sdk.sinks import BatchSink
from staging import Stage, bookmark, record, schema
from typing_extensions import override

from dlt_bridge import load, singer
from dlt_bridge.arrow import workers
from dlt_bridge.tables import sink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TEXT: Any = {"type": ["string", "null"]}
MOMENT: Any = {"type": ["string", "null"], "format": "date-time"}
AT = "2026-01-02T03:04:05.678901+02:00"
EXTRACTED = datetime(2026, 1, 2, 1, 4, 5, 678901, tzinfo=UTC)
EARLIER = "2020-01-01T00:00:00Z"


def row(at: Any = AT, stream: str = "a", **values: Any) -> dict[str, Any]:
    return {**record(stream, **values), "time_extracted": at}


def times(stage: Stage, stream: str = "a") -> list[tuple[Any, ...]]:
    """Return the times of each row: extracted, received, batched."""
    return stage.into.read(stream, *TIMES)


def extracted(stage: Stage) -> dict[int, Any]:
    return dict(stage.into.read("a", "id", "_sdc_extracted_at"))


@pytest.mark.parametrize("warehouse", EVERY_FILE, indirect=True)
def test_rows_have_the_times_of_their_records(anywhere: Stage) -> None:
    start = datetime.now(UTC)
    head = schema(v=TEXT, keys=() if type(anywhere.into) is Parquet else ("id",))
    anywhere.load([head, row(id=1, v=""), row(None, id=2, v="x"), record(id=3)])
    found = times(anywhere)
    assert [first for first, *_ in found] == [EXTRACTED, None, None]
    for _, received, batched in found:
        assert start < batched <= received < datetime.now(UTC)
    assert len({batched for *_, batched in found}) == 1


class Memory(BatchSink):
    """A sink of the SDK that keeps its rows."""

    rows: list[dict[str, Any]] = []  # noqa: RUF012 - as the SDK creates the sink

    @override
    def process_batch(self, context: dict[str, Any]) -> None:
        self.rows.extend(context["records"])


class MemoryTarget(Target):
    name = "target-memory"
    default_sink_class = Memory


def test_times_are_those_of_a_target_of_the_sdk(stage: Stage) -> None:
    lines = [schema(v=TEXT), row(id=1, v="x"), {**row(id=2), "version": 4}, record(id=3)]
    Memory.rows = []
    MemoryTarget(config={"add_record_metadata": True}).listen(
        io.StringIO("\n".join(map(json.dumps, lines)))
    )
    stage.load(lines)
    theirs = {found["id"]: found for found in Memory.rows}
    assert len(theirs) == 3
    names, rows = stage.into.fetched("a")
    assert set(names) - {"_dlt_load_id"} < {*theirs[1]}
    for ours in (dict(zip(names, each, strict=True)) for each in rows):
        their = theirs[ours["id"]]
        for name in TIMES:
            other = their[name] and datetime.fromisoformat(str(their[name]))
            assert (ours[name] is None) == (other is None), name
        assert ours["_sdc_extracted_at"] == (None if ours["id"] == 3 else EXTRACTED)
        assert ours["_sdc_table_version"] == their["_sdc_table_version"]
        assert ours["_sdc_batched_at"] <= ours["_sdc_received_at"]


def test_each_line_of_a_slow_tap_has_the_time_of_its_arrival(stage: Stage) -> None:
    def lines() -> Iterator[str]:
        yield json.dumps(schema())
        for number in range(3):
            time.sleep(0.2)
            yield json.dumps(row(id=number))

    stage.pipeline.run(singer(lines(), name="slow"))
    found = times(stage)
    received = [second for _, second, _ in found]
    assert received[1] - received[0] > timedelta(seconds=0.15)
    assert received[2] - received[1] > timedelta(seconds=0.15)
    assert {batched for *_, batched in found} == {received[0]}


BAD_TIMES: list[Any] = ["yesterday", 5, {"a": [1]}, "\ud800", "2026-13-01T00:00:00Z"]
PROPERTIES = ["_sdc_extracted_at", "_SDC_Extracted_At"]


@dataclass(frozen=True)
class Loaded:
    """What is there after each of three runs, and what was logged."""

    after: list[DuckDB]
    messages: list[str]

    def extracted(self, run: int, stream: str) -> dict[int, Any]:
        return dict(self.after[run].read(stream, "id", "_sdc_extracted_at"))


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """The streams of several tests: one for each of BAD_TIMES and PROPERTIES, and two more."""
    runs: list[list[Any]] = [[], [], []]
    bad = [f"bad{number}" for number in range(len(BAD_TIMES))]
    for stream, at in zip(bad, BAD_TIMES, strict=True):
        runs[0] += [
            schema(stream, v=TEXT),
            *(row(stream=stream, id=1, v="x"), row(at, stream=stream, id=2, v="y")),
            *(row(stream=stream, id=3), row(at, stream=stream, id=4)),
        ]
    with_property = ["property0", "property1"]
    for stream, name in zip(with_property, PROPERTIES, strict=True):
        for number in (1, 2):
            early = row(stream=stream, id=number, **{name: EARLIER})
            runs[number - 1] += [schema(stream, **{name: MOMENT}), early, row(stream=stream, id=7)]
        runs[2] += [schema(stream), row(stream=stream, id=2)]
    runs[0] += [schema("later"), row(stream="later", id=1)]
    runs[1] += [
        schema("later", _sdc_extracted_at=MOMENT),
        row(stream="later", id=2, _sdc_extracted_at=EARLIER),
    ]
    bare = {**schema("whole", keys=("_id",)), "schema": {"type": "object"}}
    runs[0] += [bare, row(stream="whole", _id="1", x=2)]
    streams = dict.fromkeys([*bad, *with_property, "later", "whole"], "INCREMENTAL")
    stage = Stage(tmp_path_factory.mktemp("times"), streams)
    with logged() as messages:
        return Loaded(after_each(stage, *runs), messages)


@pytest.mark.parametrize("at", BAD_TIMES)
def test_time_that_cannot_be_read_is_null_with_a_warning(loaded: Loaded, at: Any) -> None:
    place = BAD_TIMES.index(at)
    stream = f"bad{place}"
    assert loaded.extracted(0, stream) == {1: EXTRACTED, 2: None, 3: EXTRACTED, 4: None}
    values = loaded.after[0].query(f"select v from data.{stream} order by id")
    assert values == [("x",), ("y",), (None,), (None,)]
    line = 5 * place + 3
    said = f"Stream {stream}: the `time_extracted` of the record in line {line} is not a date-time."
    [message] = [text for text in loaded.messages if f"Stream {stream}:" in text]
    assert message.count("is not a date-time") == message.count(said) == 1


@pytest.mark.parametrize("name", PROPERTIES)
def test_property_of_such_a_name_wins(loaded: Loaded, name: str) -> None:
    stream = f"property{PROPERTIES.index(name)}"
    early = datetime.fromisoformat(EARLIER)
    assert loaded.extracted(1, stream) == {1: early, 2: early, 7: None}
    assert (None,) not in loaded.after[1].read(stream, "_sdc_received_at")
    # Without it, the rows have the times of their records again.
    assert loaded.extracted(2, stream) == {1: early, 2: EXTRACTED, 7: None}


def test_property_that_comes_later_wins(loaded: Loaded) -> None:
    expected = {1: EXTRACTED, 2: datetime.fromisoformat(EARLIER)}
    assert loaded.extracted(1, "later") == expected


def test_rows_of_a_whole_record_have_them(loaded: Loaded) -> None:
    assert loaded.after[0].read("whole", "_sdc_extracted_at") == [(EXTRACTED,)]


@pytest.mark.parametrize(
    "options", [{"absent": "keep"}, {"nested": "tables"}, {"hard_delete": False}]
)
def test_changed_row_has_the_times_of_its_last_record(stage: Stage, options: Any) -> None:
    deleted: Any = {"_sdc_deleted_at": MOMENT}
    stage.load([schema(v=TEXT, **deleted), row(EARLIER, id=1, v="x")], options=options)
    [before] = times(stage)
    stage.load([schema(v=TEXT, **deleted), row(id=1, _sdc_deleted_at=AT)], options=options)
    [after] = times(stage)
    assert (before[0], after[0]) == (datetime.fromisoformat(EARLIER), EXTRACTED)
    assert all(old < new for old, new in zip(before, after, strict=True))


def test_rows_that_wait_until_the_tap_has_ended_keep_their_times(stage: Stage) -> None:
    stage.streams = {"a": "FULL_TABLE"}
    lines = [schema(keys=()), row(id=1), bookmark(a={"x": 1}), row(EARLIER, id=2), bookmark(a={})]
    for _ in range(2):
        load(stage.pipeline, stage.source(lines), checkpoint_every=0)
    assert extracted(stage) == {1: EXTRACTED, 2: datetime.fromisoformat(EARLIER)}


def test_rows_of_a_batch_have_them(stage: Stage, tmp_path: Path) -> None:
    """A BATCH does not say when its records were read from the source."""
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"id": pa.arange(0, 2000)}), path)
    encoding = {"format": "parquet", "compression": None}
    batch = {"type": "BATCH", "stream": "a", "encoding": encoding, "manifest": [path.as_uri()]}
    stage.load([schema(), batch], options={"batch_folders": [str(tmp_path)]})
    query = "select distinct _sdc_extracted_at, _sdc_received_at = _sdc_batched_at from data.a"
    assert stage.rows(query) == [(None, True)]


def test_processes_decode_them(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "BEFORE_PROCESSES", 0)
    monkeypatch.setattr(workers, "START_SECONDS", None)
    monkeypatch.setattr(workers, "_cores", lambda: 2)
    monkeypatch.setattr(sink, "BATCH_ROWS", 10)
    stage.load([schema(), *(row(id=number) for number in range(95))])
    query = "select distinct _sdc_extracted_at, _sdc_received_at >= _sdc_batched_at from data.a"
    assert stage.rows(query) == [(EXTRACTED, True)]


@pytest.fixture(scope="module")
def left_out(tmp_path_factory: pytest.TempPathFactory) -> list[DuckDB]:
    """The file after each of three runs: the second is with the times."""
    streams = {"keyed": ("id",), "keyless": ()}
    stage = Stage(tmp_path_factory.mktemp("left"), dict.fromkeys(streams, "INCREMENTAL"))
    files = []
    for number, wanted in enumerate((False, True, False), 1):
        lines = [
            line
            for stream, keys in streams.items()
            for line in (schema(stream, keys=keys), row(stream=stream, id=number))
        ]
        options = {} if wanted else {"add_record_metadata": False}
        files += after_each(stage, lines, options=options)
    return files


@pytest.mark.parametrize("keys", [("id",), ()])
def test_they_can_be_left_out(left_out: list[DuckDB], keys: tuple[str, ...]) -> None:
    """Without a key, the load id alone tells which rows a package has written."""
    stream = "keyed" if keys else "keyless"
    names, _ = left_out[0].fetched(stream)
    assert set(names) == {"id", "_sdc_sequence", *(() if keys else ("_dlt_load_id",))}
    # The table gets them when they are wanted.
    second, third = (dict(file.read(stream, "id", "_sdc_extracted_at")) for file in left_out[1:])
    assert second == {1: None, 2: EXTRACTED}
    assert third == {1: None, 2: EXTRACTED, 3: None}


@pytest.mark.parametrize("contract", ["freeze", {"columns": "discard_row"}])
@pytest.mark.parametrize("warehouse", SQL, indirect=True)
def test_table_of_an_older_version_gets_them(anywhere: Stage, contract: Any) -> None:
    off = {"add_record_metadata": False}
    anywhere.load([schema(v=TEXT), row(id=1, v="x"), row(id=2, v="x")], options=off)
    lines = [schema(v=TEXT), row(id=2, v="y"), row(id=3, v="y")]
    anywhere.load(lines, run={"schema_contract": contract})
    assert extracted(anywhere) == {1: None, 2: EXTRACTED, 3: EXTRACTED}
    assert anywhere.into.read("a", "v") == [("x",), ("y",), ("y",)]


@pytest.mark.parametrize("warehouse", SQL, indirect=True)
def test_table_of_another_target_is_continued(
    anywhere: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    into = anywhere.into
    assert isinstance(into, Database)
    into.execute(
        "create schema data",
        "create table data.a (id bigint, v text, _sdc_extracted_at timestamp,"
        " _sdc_received_at text, _sdc_batched_at timestamptz, _sdc_sequence bigint)",
        "insert into data.a values (1, 'x', '2020-01-01', 'then', now(), 1)",
    )
    anywhere.load([schema(v=TEXT), row(id=2, v="y")])
    found = [(str(at)[:19], received) for at, received, _ in times(anywhere)]
    assert found == [("2020-01-01 00:00:00", "then"), ("2026-01-02 01:04:05", None)]
    assert "the column `_sdc_received_at` of its table `a` holds text, and no times" in caplog.text
