"""The catalog: what streams are called, which are read, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import bookmark, entry, record, schema

from dlt_bridge import BridgeError, singer

if TYPE_CHECKING:
    from staging import Stage

ALIAS = {**entry("public-a", "INCREMENTAL"), "stream": "a"}
OTHER = {**entry("sales-a", "INCREMENTAL"), "stream": "a"}


def names(stage: Stage) -> set[str]:
    query = "select table_name from information_schema.tables where table_schema = 'data'"
    return {name for (name,) in stage.rows(query) if not name.startswith("_dlt")}


@pytest.mark.parametrize("name", ["public-a", "a"])
def test_stream_is_known_by_both_its_names(stage: Stage, name: str) -> None:
    catalog = {"streams": [ALIAS]}
    lines = [schema(name), record(name, id=1), bookmark(**{name: {"x": 1}})]
    stage.load(lines, catalog=catalog)
    assert stage.rows("select id from data.public_a") == [(1,)]
    stage.load(lines, catalog=catalog)
    assert stage.given["state"] == {"bookmarks": {name: {"x": 1}}}
    stage.load(lines, catalog=catalog, refresh="drop_resources")
    assert "state" not in stage.given


def test_name_that_streams_share_is_that_of_the_selected_one(stage: Stage) -> None:
    lines = [schema("a"), record("a", id=1)]
    catalog = {"streams": [ALIAS, OTHER]}
    with pytest.raises(PipelineStepFailed, match="any of the streams public-a, sales-a"):
        stage.load(lines, catalog=catalog)
    stage.pipeline.run(stage.source(lines, catalog=catalog).with_resources("sales-a"))
    assert names(stage) == {"sales_a"}


@pytest.mark.parametrize("line", [schema("zzz"), record("zzz", id=1)])
def test_stream_that_is_not_in_the_catalog_is_refused(stage: Stage, line: dict[str, Any]) -> None:
    with pytest.raises(PipelineStepFailed, match="Stream zzz: line 2 is of a stream that"):
        stage.load([schema(), line])


def test_streams_of_one_table_are_refused(stage: Stage) -> None:
    stage.streams = {"a-b": "INCREMENTAL", "a_b": "INCREMENTAL"}
    with pytest.raises(PipelineStepFailed, match="streams `a-b`, `a_b` would be one table, `a_b`"):
        stage.load([schema("a-b"), record("a-b", id=1), schema("a_b"), record("a_b", id=1)])
    stage.pipeline.run(stage.source([schema("a-b"), record("a-b", id=1)]).with_resources("a-b"))
    with pytest.raises(PipelineStepFailed, match="its table `a_b` holds the stream a-b"):
        stage.pipeline.run(stage.source([schema("a_b"), record("a_b", id=2)]).with_resources("a_b"))
    assert stage.rows("select id from data.a_b") == [(1,)]


@pytest.mark.parametrize("keyword", ["replication-method", "forced-replication-method"])
def test_replication_method_of_the_metadata_counts(stage: Stage, keyword: str) -> None:
    streams: list[dict[str, Any]] = [entry("a", "")]
    streams[0]["metadata"][0]["metadata"][keyword] = "FULL_TABLE"
    for _ in range(2):
        stage.load([schema(keys=()), record(id=1)], catalog={"streams": streams})
    assert stage.rows("select id from data.a") == [(1,)]


def test_catalog_without_metadata_is_enough(stage: Stage) -> None:
    stage.load([schema(), record(id=1)], catalog={"streams": [{"tap_stream_id": "a"}]})
    assert stage.rows("select id from data.a") == [(1,)]
    (given,) = stage.given["catalog"]["streams"]
    assert given["metadata"] == [{"breadcrumb": [], "metadata": {"selected": True}}]


def test_what_a_given_catalog_deselects_is_not_read(stage: Stage) -> None:
    catalog = {"streams": [entry("a", "INCREMENTAL"), entry("b", "INCREMENTAL")]}
    catalog["streams"][1]["metadata"][0]["metadata"]["selected"] = False
    lines = [schema("a"), record("a", id=1), schema("b"), record("b", id=1)]
    discovered = stage.source(lines, catalog=catalog)
    assert set(discovered.selected_resources) == {"a", "b"}
    stage.pipeline.run(stage.source(lines, given_catalog=catalog))
    assert names(stage) == {"a"}
    stage.pipeline.run(stage.source(lines, given_catalog=catalog).with_resources("b"))
    assert names(stage) == {"a", "b"}


@pytest.mark.parametrize(
    "catalog",
    [
        None,
        [],
        {},
        {"streams": {}},
        {"streams": [{"stream": "a"}]},
        {"streams": [{"tap_stream_id": "a"}] * 2},
    ],
)
def test_what_is_no_catalog_is_refused(stage: Stage, catalog: Any) -> None:
    with pytest.raises(BridgeError, match="catalog"):
        stage.source([], catalog=catalog)


@pytest.mark.parametrize(
    ("executable", "arguments", "expected"),
    [
        ("tap-x", [], "tap_x"),
        ("tap_x.py", [], "tap_x"),
        ("tap x", [], "tap_x"),
        ("1st-tap", [], "_1st_tap"),
        ("extract", ["tap-y"], "extract"),
        ("python3.11", ["-m", "tap_x"], "tap_x"),
        ("python", ["-u", "/taps/tap-x.py", "--verbose"], "tap_x"),
        ("python", ["extract.py"], "extract"),
        ("uv", ["run", "--with", "x", "tap-y"], "tap_y"),
        ("x" * 80, [], "x" * 64),
    ],
)
def test_source_is_named_like_the_tap(
    stage: Stage, executable: str, arguments: list[str], expected: str
) -> None:
    path = stage.folder / executable
    path.touch(mode=0o700)
    assert singer([str(path), *arguments], catalog={"streams": []}).name == expected


def test_command_that_tells_no_name_needs_one(stage: Stage) -> None:
    path = stage.folder / "python"
    path.touch(mode=0o700)
    command = [str(path), "-c", "print(1)"]
    with pytest.raises(BridgeError, match="name="):
        singer(command, catalog={"streams": []})
    assert singer(command, catalog={"streams": []}, name="mine").name == "mine"


def test_taps_of_one_launcher_have_each_a_state(stage: Stage) -> None:
    stage.load([schema(), record(id=1), {"type": "STATE", "value": {"cursor": 1}}], name="one")
    cursor = {"type": "STATE", "value": {"cursor": 2}}
    two = stage.source([schema(), record(id=1), cursor], name="two")
    two.a.apply_hints(table_name="a_of_two")
    stage.pipeline.run(two)
    assert "state" not in stage.given
    stage.load([schema()], name="one")
    assert stage.given["state"] == {"cursor": 1}
