"""A run that breaks off commits everything before its last STATE, and nothing after it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import hypothesis.strategies as st
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from fuzz.effort import examples
from hypothesis import given
from staging import Stage, bookmark, record, schema

from dlt_bridge import load, singer
from dlt_bridge.tables import backlog
from dlt_bridge.tables import sink as streams

if TYPE_CHECKING:
    from pathlib import Path

TEXT = {"type": ["string", "null"]}
NEVER = 600
TWICE = pytest.mark.parametrize("every", [0, NEVER])


def broken(stage: Stage, lines: list[Any], every: float = NEVER, **script: Any) -> None:
    """Load what ends with an error."""
    with pytest.raises(PipelineStepFailed):
        load(stage.pipeline, stage.source(lines, **script), checkpoint_every=every)


def whole(stage: Stage, lines: list[Any], every: float = NEVER) -> None:
    load(stage.pipeline, stage.source(lines), checkpoint_every=every)


def ids(stage: Stage, stream: str = "a") -> list[Any]:
    return [key for (key,) in stage.rows(f"select id from data.{stream} order by id")]


@TWICE
def test_finished_streams_stay_when_a_later_one_fails(stage: Stage, every: float) -> None:
    stage.streams = {"a": "INCREMENTAL", "b": "INCREMENTAL", "c": "INCREMENTAL"}
    lines = [schema(), record(id=1), bookmark(a={"x": 1})]
    lines += [schema("b"), record("b", id=2), bookmark(a={"x": 1}, b={"x": 2})]
    for _ in range(2):
        broken(stage, [*lines, schema("c"), record("c", id=3)], every, exit=1)
        assert (ids(stage), ids(stage, "b")) == ([1], [2])
    whole(stage, [*lines, schema("c"), record("c", id=3), bookmark(c={"x": 3})], every)
    assert stage.given["state"] == {"bookmarks": {"a": {"x": 1}, "b": {"x": 2}}}
    assert ids(stage, "c") == [3]


@TWICE
def test_keyless_rows_come_once_when_a_tap_fails_again_and_again(
    stage: Stage, every: float
) -> None:
    """The tap continues from the STATE that it gets."""
    for number in range(1, 4):
        lines = [schema(keys=()), record(id=number), bookmark(a={"x": number}), record(id=99)]
        broken(stage, lines, every, exit=1)
        assert ids(stage) == list(range(1, number + 1))
    whole(stage, [schema(keys=()), record(id=4), bookmark(a={"x": 4})])
    assert stage.given["state"] == {"bookmarks": {"a": {"x": 3}}}
    assert ids(stage) == [1, 2, 3, 4]


BAD = record(id=None)
NAMELESS: dict[str, Any] = {**schema(), "schema": {"properties": {"id": {}, " ": {}}}}


@pytest.mark.parametrize(
    ("lines", "rows"),
    [
        ([record(id=1), bookmark(a={"x": 1}), BAD], [1]),
        ([record(id=1), bookmark(a={"x": 1}), BAD, bookmark(a={"x": 2})], [1]),
        ([record(id=1), bookmark(a={"x": 1}), record(id=2), bookmark(a={"x": 2}), BAD], [1, 2]),
        ([record(id=1), bookmark(a={"x": 1}), BAD, record(id=2), bookmark(a={"x": 2})], [1]),
        ([record(id=1), bookmark(a={"x": 1}), {"type": "RECORD"}], [1]),
        ([record(id=1), bookmark(a={"x": 1}), record("b", id=2)], [1]),
        ([record(id=1), bookmark(a={"x": 1}), record(id=2), NAMELESS], [1]),
    ],
)
def test_rows_before_the_last_state_are_committed_when_a_line_is_bad(
    stage: Stage, lines: list[Any], rows: list[int]
) -> None:
    broken(stage, [schema(), *lines])
    assert ids(stage) == rows
    whole(stage, [schema(), record(id=7), bookmark(a={"x": 7})])
    assert stage.given["state"] == {"bookmarks": {"a": {"x": rows[-1]}}}


def test_bad_record_of_a_slow_stream_holds_back_later_rows_of_other_streams(stage: Stage) -> None:
    """It is decoded long after later records of another stream."""
    stage.streams = {"a": "INCREMENTAL", "b": "INCREMENTAL"}
    lines = [schema(), schema("b"), record(id=1), bookmark(a={"x": 1}), record("b", id=None)]
    for number in range(2, 50):
        lines += [record(id=number), bookmark(a={"x": number})]
    broken(stage, lines)
    assert ids(stage) == [1]


def test_without_a_state_nothing_is_committed(stage: Stage) -> None:
    broken(stage, [schema(), record(id=1)], exit=1)
    assert stage.rows("select * from information_schema.tables where table_name = 'a'") == []


@TWICE
def test_full_table_is_replaced_only_when_the_tap_has_ended(stage: Stage, every: float) -> None:
    stage.streams = {"a": "FULL_TABLE"}
    state = bookmark(a={"page": 1})
    whole(stage, [schema(keys=()), record(id=1), record(id=2), state], every)
    for _ in range(2):
        broken(stage, [schema(keys=()), record(id=3), state, record(id=4)], every, exit=1)
        assert ids(stage) == [1, 2]
    lines = [schema(keys=()), record(id=3), state, schema(keys=(), v=TEXT), record(id=4, v="x")]
    whole(stage, [*lines, bookmark(a={"page": 2})], every)
    # A failed run loads nothing of its last package, so the bookmark stays before it.
    assert stage.given["state"] == {"bookmarks": {"a": {"page": 1}}}
    assert stage.rows("select id, v from data.a order by id") == [(3, None), (4, "x")]
    whole(stage, [schema(keys=(), v=TEXT), bookmark(a={})], every)
    assert ids(stage) == []


@TWICE
def test_version_is_activated_only_when_a_state_comes_after_it(stage: Stage, every: float) -> None:
    whole(stage, [schema(), {**record(id=1), "version": 1}, bookmark(a={})], every)
    activation = {"type": "ACTIVATE_VERSION", "stream": "a", "version": 2}
    lines = [schema(), {**record(id=2), "version": 2}, bookmark(a={"x": 2}), activation]
    broken(stage, lines, every, exit=1)
    assert ids(stage) == [1, 2]
    whole(stage, lines, every)
    assert ids(stage) == [2]


def test_package_ends_when_too_many_rows_wait_for_a_state(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is a bound to what may wait: the last STATE is committed when it is reached."""
    monkeypatch.setattr(backlog, "MAX_WAITING_BYTES", 10_000)
    first = [schema(v=TEXT), record(id=0, v=""), bookmark(a={"x": 0})]
    later = [record(id=number, v="x" * 100) for number in range(1, 500)]
    infos = load(stage.pipeline, stage.source([*first, *later]), checkpoint_every=NEVER)
    assert len(infos) == 2
    assert stage.rows("select count(*), max(id) from data.a") == [(500, 499)]
    broken(stage, [*first, *later, bookmark(a={"x": 1}), record(id=600, v="")], exit=1)
    assert stage.rows("select count(*), max(id) from data.a") == [(500, 499)]
    whole(stage, [schema(v=TEXT)])
    assert stage.given["state"] == {"bookmarks": {"a": {"x": 1}}}


LINES = st.lists(
    st.one_of(
        st.builds(lambda stream: (stream, "record"), st.sampled_from("ab")),
        st.builds(lambda stream: (stream, "bad"), st.sampled_from("ab")),
        st.builds(lambda stream: (stream, "column"), st.sampled_from("ab")),
        st.just(("", "state")),
    ),
    max_size=30,
)


@pytest.mark.parametrize("small", [False, True])
def test_all_rows_before_the_last_state_are_committed_in_any_order_of_lines(
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
    small: bool,  # noqa: FBT001
) -> None:
    if small:
        for module, name, value in (
            (streams, "BATCH_ROWS", 2),
            (backlog, "ROW_GROUP_ROWS", 3),
            (backlog, "MAX_WAITING_BYTES", 400),
        ):
            monkeypatch.setattr(module, name, value)

    @examples(12)
    @given(LINES)
    def orders(plan: list[tuple[str, str]]) -> None:
        check(tmp_path_factory.mktemp("any"), plan)

    orders()


def check(folder: Path, plan: list[tuple[str, str]]) -> None:
    stage = Stage(folder, streams={"a": "INCREMENTAL", "b": "INCREMENTAL"})
    columns: dict[str, dict[str, Any]] = {"a": {}, "b": {}}
    lines: list[Any] = [schema("a", ()), schema("b", ())]
    rows: list[tuple[str, int]] = []
    expected: list[tuple[str, int]] = []
    good, state = True, 0
    for number, (stream, kind) in enumerate(plan, start=1):
        if kind == "state":
            lines.append(bookmark(a={"x": number}))
            if good:
                expected, state = list(rows), number
        elif kind == "column":
            columns[stream][f"c{number}"] = TEXT
            lines.append(schema(stream, (), **columns[stream]))
        elif kind == "bad":
            lines.append({"type": "RECORD", "stream": stream, "record": {"id": [b"x".hex()]}})
            # A value of another type is loaded into a variant; text that is not JSON is refused.
            lines[-1] = json.dumps(lines[-1]).replace('["78"]', "[,]")
            good = False
        else:
            rows.append((stream, number))
            lines.append(record(stream, id=number))
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    source = singer(texts, select=["a", "b"], name="any")
    if good:
        load(stage.pipeline, source, checkpoint_every=NEVER)
        expected = rows
    else:
        with pytest.raises(PipelineStepFailed):
            load(stage.pipeline, source, checkpoint_every=NEVER)
    if not good and not state:
        return
    found = [
        (stream, number)
        for stream in ("a", "b")
        for (number,) in stage.rows(f"select id from data.{stream} order by id")
    ]
    assert found == sorted(expected)
