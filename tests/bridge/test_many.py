"""Many streams, many messages, long lines: all there, in reasonable time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bridge.destinations import TIMES
from staging import bookmark, record, schema

from dlt_bridge import singer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from staging import Stage

STREAMS = 1_000
TEXT = {"type": ["string", "null"]}


def lines(*messages: dict[str, Any]) -> list[str]:
    return [json.dumps(message) for message in messages]


def interleaved(streams: int, rounds: int) -> Iterator[str]:
    """Yield the lines of streams that take turns, with SCHEMA and STATE before and after each."""
    for number in range(rounds):
        for stream in range(streams):
            name = f"s{stream}"
            yield from lines(schema(name), record(name, id=number), bookmark(**{name: number}))


def test_thousand_streams_arrive(stage: Stage) -> None:
    """Extracted: a thousand tables take DuckDB itself a minute."""
    info = stage.pipeline.extract(singer(interleaved(STREAMS, 2)))
    (package, *_) = next(iter(info.metrics.values()))
    counts = {name: found.items_count for name, found in package["table_metrics"].items()}
    assert counts == {f"s{stream}": 2 for stream in range(STREAMS)}


def test_streams_that_take_turns_are_distinguished(stage: Stage) -> None:
    made = singer(interleaved(20, 500), select=[f"s{stream}" for stream in range(20)])
    stage.pipeline.run(made)
    for stream in (0, 7, 19):
        query = f"select count(*), min(id), max(id) from data.s{stream}"
        assert stage.rows(query) == [(500, 0, 499)]
    resources = stage.pipeline.state["sources"]["singer"]["resources"]
    # The last STATE is of the last stream alone.
    assert resources["s19"] == {"bookmarks": {"s19": 499}}


def test_long_line_arrives(stage: Stage) -> None:
    text = "é" * 25_000_000
    stage.pipeline.run(singer(lines(schema(v=TEXT), record(id=1, v=text), record(id=2))))
    query = "select id, length(v), v = repeat('é', 25000000) from data.a order by id"
    assert stage.rows(query) == [(1, 25_000_000, True), (2, None, None)]


def test_stream_without_a_row_has_its_table(stage: Stage) -> None:
    at = {"type": "string", "format": "date-time"}
    stage.pipeline.run(singer(lines(schema("a"), schema("empty", v=TEXT, at=at))))
    query = "select column_name, data_type from information_schema.columns"
    found = dict(stage.rows(f"{query} where table_schema = 'data' and table_name = 'empty'"))
    assert found == {
        "id": "BIGINT",
        "v": "VARCHAR",
        "at": "TIMESTAMP WITH TIME ZONE",
        "_sdc_sequence": "BIGINT",
        "_dlt_load_id": "VARCHAR",
        **dict.fromkeys(TIMES, "TIMESTAMP WITH TIME ZONE"),
    }
