"""`load` commits packages while the tap runs, and nothing after the last checkpoint."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import traceback
from typing import TYPE_CHECKING, Any

import dlt
import duckdb
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import bookmark, record, schema

from dlt_bridge import BridgeError, TapError, load, singer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from staging import Stage

TEXT = {"type": ["string", "null"]}


def checkpointed(stage: Stage, lines: list[Any], every: float = 0, **script: Any) -> int:
    """Load with a checkpoint at each STATE, and return the number of packages."""
    return len(load(stage.pipeline, stage.source(lines, **script), checkpoint_every=every))


def counting(first: int, last: int) -> list[Any]:
    """Return lines with one record a STATE."""
    lines: list[Any] = [schema(v=TEXT)]
    for number in range(first, last + 1):
        lines += [record(id=number, v=str(number)), bookmark(a={"x": number})]
    return lines


def test_each_state_ends_a_package(stage: Stage) -> None:
    assert checkpointed(stage, counting(1, 3)) == 4
    assert stage.rows("select id, v from data.a order by id") == [(1, "1"), (2, "2"), (3, "3")]
    checkpointed(stage, counting(4, 4))
    assert stage.given["state"] == {"bookmarks": {"a": {"x": 3}}}


def test_checkpoint_interval_decides_how_many_packages(stage: Stage) -> None:
    assert checkpointed(stage, counting(1, 50), every=600) == 1
    assert stage.rows("select count(*) from data.a") == [(50,)]


def test_last_version_of_a_key_wins_over_packages(stage: Stage) -> None:
    versions = [record(id=1, v=str(number)) for number in range(4)]
    state = bookmark(a={"x": 1})
    checkpointed(stage, [schema(v=TEXT), *versions[:2], state, *versions[2:], state])
    assert stage.rows("select id, v from data.a") == [(1, "3")]


def test_streams_and_columns_that_come_later(stage: Stage) -> None:
    stage.streams = {"a": "INCREMENTAL", "b": "INCREMENTAL"}
    state = bookmark(a={"x": 1})
    lines = [schema(), record(id=1), state, schema("b"), record("b", id=1), state]
    lines += [schema(v=TEXT), record(id=2, v="x"), record("b", id=2), state, record(id=3, v="y")]
    checkpointed(stage, lines)
    assert stage.rows("select id, v from data.a order by id") == [(1, None), (2, "x"), (3, "y")]
    assert stage.rows("select id from data.b order by id") == [(1,), (2,)]


def test_replaced_table_is_complete_after_several_packages(stage: Stage) -> None:
    stage.streams = {"a": "FULL_TABLE"}
    state = bookmark(a={})
    checkpointed(stage, [schema(keys=()), record(id=1), bookmark(a={"x": 1}), record(id=2)])
    checkpointed(stage, [schema(keys=()), record(id=3), state, record(id=4), bookmark(a={"x": 9})])
    assert stage.rows("select id from data.a order by id") == [(3,), (4,)]


def test_replace_on_request_replaces_once_per_run(stage: Stage) -> None:
    stage.load([schema(v=TEXT), record(id=7)])
    load(
        stage.pipeline,
        stage.source(counting(1, 3)),
        checkpoint_every=0,
        write_disposition="replace",
    )
    assert stage.rows("select id from data.a order by id") == [(1,), (2,), (3,)]


def test_version_is_activated_over_packages(stage: Stage) -> None:
    stage.load([schema(), record(id=1), {**record(id=2), "version": 1}])

    def rows(*numbers: int) -> list[Any]:
        return [{**record(id=number), "version": 2} for number in numbers]

    activation = {"type": "ACTIVATE_VERSION", "stream": "a", "version": 2}
    state = bookmark(a={"x": 1})
    checkpointed(stage, [schema(), *rows(3), state, *rows(4), state, activation, state, *rows(5)])
    assert stage.rows("select id from data.a order by id") == [(3,), (4,), (5,)]


def test_failed_tap_loses_no_checkpoint_and_commits_nothing_after_it(stage: Stage) -> None:
    lines = [*counting(1, 2), record(id=3)]
    with pytest.raises(PipelineStepFailed, match="out of luck"):
        checkpointed(stage, lines, exit=3, stderr="out of luck")
    assert stage.rows("select id from data.a order by id") == [(1,), (2,)]
    checkpointed(stage, [*counting(3, 4)])
    assert stage.given["state"] == {"bookmarks": {"a": {"x": 2}}}
    assert stage.rows("select id from data.a order by id") == [(1,), (2,), (3,), (4,)]


def test_bad_line_after_a_checkpoint_leaves_it(stage: Stage) -> None:
    with pytest.raises(PipelineStepFailed, match="Line 5"):
        checkpointed(stage, [*counting(1, 1), record(id=2), "no json"])
    assert stage.rows("select id from data.a") == [(1,)]


def test_leftover_package_is_loaded_first(stage: Stage) -> None:
    stage.pipeline.extract(stage.source(counting(1, 2)))
    assert stage.pipeline.has_pending_data
    checkpointed(stage, counting(3, 3))
    assert stage.given["state"] == {"bookmarks": {"a": {"x": 2}}}
    assert stage.rows("select id from data.a order by id") == [(1,), (2,), (3,)]


@pytest.mark.timeout(60)
def test_refusal_of_the_destination_is_the_error_while_the_tap_writes(stage: Stage) -> None:
    """The tap fills the pipe, and does not end by itself."""
    head = schema(v=TEXT)
    stage.load([head, record(id=1, v="1"), bookmark(a={"x": 1})])
    database: Any = stage.into
    database.execute("alter table data.a alter v set not null")
    lines = [head, record(id=2, v=None), bookmark(a={"x": 2}), record(id=3, v="3")]
    source = stage.source(lines, endless=True, options={"patience": 600})
    for _ in range(2):
        with pytest.raises(BridgeError, match="NOT NULL constraint failed"):
            load(stage.pipeline, source, checkpoint_every=0)
        assert stage.rows("select id from data.a") == [(1,)]


def test_refresh_drops_tables_once_per_run(stage: Stage) -> None:
    stage.load(counting(1, 2))
    source = stage.source(counting(5, 7))
    load(stage.pipeline, source, checkpoint_every=0, refresh="drop_resources")
    assert "state" not in stage.given
    assert stage.rows("select id from data.a order by id") == [(5,), (6,), (7,)]


def test_source_of_other_resources_is_refused(stage: Stage) -> None:
    @dlt.source
    def other() -> Any:
        return dlt.resource([{"id": 1}], name="other")

    with pytest.raises(BridgeError, match="source of singer"):
        load(stage.pipeline, other())


def test_lines_are_read_only_once(stage: Stage) -> None:
    source = singer((json.dumps(line) for line in counting(1, 2)), name="once")
    load(stage.pipeline, source, checkpoint_every=0)
    assert stage.rows("select id from data.a order by id") == [(1,), (2,)]
    with pytest.raises(BridgeError, match="were read"):
        load(stage.pipeline, source)


def test_error_of_the_tap_has_no_frames_of_the_bridge(stage: Stage) -> None:
    """They would say nothing of what happened in the tap."""
    with pytest.raises(PipelineStepFailed) as failed:
        stage.load([schema()], exit=1, stderr="ERROR the key is wrong")
    error = failed.value.__cause__.__cause__  # type: ignore[union-attr]
    assert isinstance(error, TapError)
    assert error.__cause__ is None
    frames = traceback.extract_tb(error.__traceback__)
    assert [frame.name for frame in frames if "dlt_bridge" in frame.filename] == ["messages"]


def test_tap_continues_while_a_package_is_loaded(stage: Stage) -> None:
    """The second record is written only when the first is in the database."""

    def lines() -> Iterator[str]:
        yield json.dumps(schema())
        for number in (1, 2, 3):
            yield json.dumps(record(id=number))
            yield json.dumps(bookmark(a={"x": number}))
            seen.append(stage.rows("select max(id) from data.a")[0][0])

    seen: list[int] = []
    load(stage.pipeline, singer(lines(), name="live"), checkpoint_every=0)
    assert seen == [1, 2, 3]


# A tap whose stream counts up from its bookmark, and which stops itself after some records: the
# whole process group goes with it, as if the machine were switched off.
COUNTING_TAP = """
import json, os, pathlib, signal, sys
flag = dict(zip(sys.argv[1::2], sys.argv[2::2]))
kill_at = int(pathlib.Path(os.environ["KILL_AT"]).read_text())
state = json.load(open(flag["--state"])) if "--state" in flag else {}
seen = state.get("bookmarks", {}).get("a", {}).get("x", 0)
def out(message):
    sys.stdout.write(json.dumps(message) + "\\n")
    sys.stdout.flush()
schema = {"properties": {"id": {"type": "integer"}, "v": {"type": "string"}}}
out({"type": "SCHEMA", "stream": "a", "schema": schema, "key_properties": ["id"]})
for number in range(seen + 1, 61):
    if number == kill_at:
        os.kill(int(os.environ["LOADER"]), signal.SIGKILL)
    out({"type": "RECORD", "stream": "a", "record": {"id": number, "v": str(number)}})
    if number % 5 == 0:
        out({"type": "STATE", "value": {"bookmarks": {"a": {"x": number}}}})
"""
LOADER = """
import os, sys, dlt
os.environ["LOADER"] = str(os.getpid())
from dlt_bridge import load, singer
folder, machine = sys.argv[1:]
catalog = {"streams": [{"tap_stream_id": "a", "key_properties": ["id"]}]}
pipeline = dlt.pipeline("p", pipelines_dir=f"{folder}/{machine}", dataset_name="data",
    destination=dlt.destinations.duckdb(f"{folder}/w.duckdb"))
source = singer([sys.executable, f"{folder}/tap.py"], catalog=catalog, name="counting")
load(pipeline, source, checkpoint_every=0)
"""


@pytest.mark.parametrize("fresh_machine", [False, True])
def test_killed_loader_misses_nothing(tmp_path: Path, fresh_machine: bool) -> None:  # noqa: FBT001
    """Killed again and again by the tap itself, at known places, and run again with the rest."""
    (tmp_path / "tap.py").write_text(COUNTING_TAP)
    kill = tmp_path / "kill"
    environment = {**os.environ, "KILL_AT": str(kill)}
    codes = []
    for number, place in enumerate((3, 18, 41, 0)):
        kill.write_text(str(place))
        machine = f"machine{number if fresh_machine else ''}"
        command = [sys.executable, "-c", LOADER, str(tmp_path), machine]
        codes.append(subprocess.run(command, env=environment, check=False).returncode)
    assert codes == [-signal.SIGKILL] * 3 + [0]
    with duckdb.connect(str(tmp_path / "w.duckdb"), read_only=True) as db:
        rows = db.execute("select id, v from data.a order by id").fetchall()
    assert rows == [(number, str(number)) for number in range(1, 61)]


def test_stream_that_is_replaced_is_not_emptied_before_it_is_read(stage: Stage) -> None:
    """A checkpoint comes before its turn, and then the tap fails."""
    stage.streams = {"a": "INCREMENTAL", "b": "FULL_TABLE"}
    stage.load([schema("b", keys=()), record("b", id=7)])
    lines = [schema(), record(id=1), bookmark(a={"x": 1})]
    with pytest.raises(PipelineStepFailed):
        checkpointed(stage, lines, exit=1)
    assert stage.rows("select id from data.b") == [(7,)]
    later = [schema("b", keys=()), record("b", id=8), bookmark(a={"x": 2}), record("b", id=9)]
    checkpointed(stage, [*lines, *later, bookmark(a={"x": 3})])
    assert stage.rows("select id from data.b order by id") == [(8,), (9,)]


def test_replacing_on_request_is_remembered_by_the_source(stage: Stage) -> None:
    messages = [schema(keys=(), v=TEXT), *counting(1, 3)[1:]]
    source = singer([json.dumps(message) for message in messages], select=["a"], name="again")
    source.resources["a"].apply_hints(write_disposition="replace")
    for _ in range(2):
        load(stage.pipeline, source, checkpoint_every=0)
        assert stage.rows("select id from data.a order by id") == [(1,), (2,), (3,)]


def test_name_of_a_pipeline_need_not_be_one_of_a_schema(tmp_path: Path) -> None:
    pipeline = dlt.pipeline(
        "my-chats",
        pipelines_dir=str(tmp_path / "pipelines"),
        destination=dlt.destinations.duckdb(str(tmp_path / "w.duckdb")),
        dataset_name="data",
    )
    for number in (1, 2):
        load(pipeline, singer([json.dumps(line) for line in counting(number, number)], name="n"))
    with duckdb.connect(str(tmp_path / "w.duckdb"), read_only=True) as database:
        found = database.execute("select id from data.a order by id").fetchall()
    assert found == [(1,), (2,)]
