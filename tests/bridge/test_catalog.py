"""The catalog: the names of streams, their selection and replication method."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import bookmark, entry, record, schema

from dlt_bridge import BridgeError, singer

if TYPE_CHECKING:
    from bridge.command_line import Command
    from staging import Stage

ALIAS = {**entry("public-a", "INCREMENTAL"), "stream": "a"}
OTHER = {**entry("sales-a", "INCREMENTAL"), "stream": "a"}


def names(stage: Stage) -> set[str]:
    query = "select table_name from information_schema.tables where table_schema = 'data'"
    return {name for (name,) in stage.rows(query) if not name.startswith("_dlt")}


@pytest.mark.parametrize("name", ["public-a", "a"])
def test_stream_has_two_names(stage: Stage, name: str) -> None:
    catalog = {"streams": [ALIAS]}
    lines = [schema(name), record(name, id=1), bookmark(**{name: {"x": 1}})]
    stage.load(lines, catalog=catalog)
    assert stage.rows("select id from data.public_a") == [(1,)]
    stage.load(lines, catalog=catalog)
    assert stage.given["state"] == {"bookmarks": {name: {"x": 1}}}
    stage.load(lines, catalog=catalog, refresh="drop_resources")
    assert "state" not in stage.given


def test_shared_name_means_the_selected_stream(stage: Stage) -> None:
    lines = [schema("a"), record("a", id=1)]
    catalog = {"streams": [ALIAS, OTHER]}
    with pytest.raises(PipelineStepFailed, match="any of the streams public-a, sales-a"):
        stage.load(lines, catalog=catalog)
    stage.pipeline.run(stage.source(lines, catalog=catalog).with_resources("sales-a"))
    assert names(stage) == {"sales_a"}


@pytest.mark.parametrize("line", [schema("zzz"), record("zzz", id=1)])
def test_stream_outside_the_catalog_is_refused(stage: Stage, line: dict[str, Any]) -> None:
    with pytest.raises(PipelineStepFailed, match="Stream zzz: line 2 is of a stream that"):
        stage.load([schema(), line])


def test_streams_with_one_table_are_refused(stage: Stage) -> None:
    stage.streams = {"a-b": "INCREMENTAL", "a_b": "INCREMENTAL"}
    with pytest.raises(PipelineStepFailed, match="streams `a-b`, `a_b` would be one table, `a_b`"):
        stage.load([schema("a-b"), record("a-b", id=1), schema("a_b"), record("a_b", id=1)])
    stage.pipeline.run(stage.source([schema("a-b"), record("a-b", id=1)]).with_resources("a-b"))
    with pytest.raises(PipelineStepFailed, match="its table `a_b` holds the stream a-b"):
        stage.pipeline.run(stage.source([schema("a_b"), record("a_b", id=2)]).with_resources("a_b"))
    assert stage.rows("select id from data.a_b") == [(1,)]


@pytest.mark.parametrize("keyword", ["replication-method", "forced-replication-method"])
def test_replication_method_is_read_from_the_metadata(stage: Stage, keyword: str) -> None:
    streams: list[dict[str, Any]] = [entry("a", "")]
    streams[0]["metadata"][0]["metadata"][keyword] = "FULL_TABLE"
    for _ in range(2):
        stage.load([schema(keys=()), record(id=1)], catalog={"streams": streams})
    assert stage.rows("select id from data.a") == [(1,)]


def test_catalog_needs_no_metadata(stage: Stage) -> None:
    stage.load([schema(), record(id=1)], catalog={"streams": [{"tap_stream_id": "a"}]})
    assert stage.rows("select id from data.a") == [(1,)]
    (given,) = stage.given["catalog"]["streams"]
    assert given["metadata"] == [{"breadcrumb": [], "metadata": {"selected": True}}]


def test_deselected_streams_of_a_given_catalog_are_not_read(stage: Stage) -> None:
    catalog = {"streams": [entry("a", "INCREMENTAL"), entry("b", "INCREMENTAL")]}
    catalog["streams"][1]["metadata"][0]["metadata"]["selected"] = False
    lines = [schema("a"), record("a", id=1), schema("b"), record("b", id=1)]
    discovered = stage.source(lines, catalog=catalog)
    assert set(discovered.selected_resources) == {"a", "b"}
    stage.pipeline.run(stage.source(lines, given_catalog=catalog))
    assert names(stage) == {"a"}
    stage.pipeline.run(stage.source(lines, given_catalog=catalog).with_resources("b"))
    assert names(stage) == {"a", "b"}


@pytest.mark.parametrize("older", [{"selected": False}, {"schema": {"selected": False}}])
def test_older_catalog_deselects_in_other_places(stage: Stage, older: dict[str, Any]) -> None:
    catalog = {"streams": [entry("a", "INCREMENTAL"), entry("b", "INCREMENTAL") | older]}
    assert set(stage.source([], given_catalog=catalog).selected_resources) == {"a"}
    stage.load([schema("b")], given_catalog=catalog, options={"select": ["b"]})
    a, b = stage.given["catalog"]["streams"]
    assert (a["selected"], b["selected"]) == (False, True)
    assert b["schema"].get("selected", True) is True


def test_each_property_is_selected_as_meltano_does(stage: Stage) -> None:
    """Some taps read only the properties whose own metadata selects them."""
    stream = entry("a", "INCREMENTAL")
    stream["schema"] = {"properties": {name: {} for name in ("id", "v", "off", "odd", "new")}}
    stream["metadata"] += [
        {"breadcrumb": ["properties", name], "metadata": metadata}
        for name, metadata in {
            "id": {"inclusion": "automatic"},
            "v": {"inclusion": "available", "selected-by-default": False},
            "off": {"inclusion": "available", "selected": False},
            "odd": {"inclusion": "unsupported"},
        }.items()
    ]
    other = {**stream, "tap_stream_id": "b", "stream": "b"}
    catalog = {"streams": [stream, other]}
    stage.load([schema()], catalog=catalog, options={"select": ["a"]})
    found = [
        {item["breadcrumb"][-1]: item["metadata"].get("selected") for item in one["metadata"][1:]}
        for one in stage.given["catalog"]["streams"]
    ]
    assert found[0] == {"id": True, "v": True, "off": False, "odd": None, "new": True}
    assert found[1] == {"id": None, "v": None, "off": False, "odd": None}


@pytest.mark.parametrize("select", [None, ["a"]])
def test_tap_with_properties_instead_of_catalog(
    stage: Stage, caplog: pytest.LogCaptureFixture, select: list[str] | None
) -> None:
    lines = [schema(), record(id=1), bookmark(a=1)]
    stage.load(lines, old=True, options={"select": select})
    assert "wrote no SCHEMA of any" in caplog.text
    assert "properties=True" in caplog.text
    caplog.clear()
    for number in (1, 2):
        lines = [schema(), record(id=number), bookmark(a=number)]
        stage.load(lines, old=True, options={"select": select, "properties": True})
    assert stage.given["state"] == {"bookmarks": {"a": 1}}
    assert "catalog" not in stage.given
    assert stage.rows("select id from data.a order by id") == [(1,), (2,)]
    assert "no SCHEMA" not in caplog.text


def test_tap_that_renames_streams_is_loaded(stage: Stage) -> None:
    """Stream maps rename streams, or their names have a schema; bookmarks have other names, too."""
    stage.streams = {"shop-public-cow": "INCREMENTAL", "shop-public-pig": "INCREMENTAL"}
    for number in (1, 2, 3):
        lines = [
            schema("public_cow"),
            record("public_cow", id=number),
            record("public_cow", id=9),
            schema("public_log", keys=()),
            record("public_log", id=number),
            bookmark(**{"shop-public-cow": number}),
        ]
        options = {"renamed": True, "select": ["*-cow"]}
        stage.load(lines, options=options)
        state = stage.given.get("state")
        assert state == ({"bookmarks": {"shop-public-cow": number - 1}} if number > 1 else None)
    assert [one["selected"] for one in stage.given["catalog"]["streams"]] == [True, False]
    assert stage.rows("select id from data.public_cow order by id") == [(1,), (2,), (3,), (9,)]
    assert stage.rows("select id from data.public_log order by id") == [(1,), (2,), (3,)]
    stage.load(lines, options=options, refresh="drop_resources")
    assert "state" not in stage.given
    assert stage.rows("select id from data.public_log") == [(3,)]


def test_renamed_full_table_stream_is_replaced(stage: Stage) -> None:
    stage.streams = {"a": "FULL_TABLE"}
    for number in (1, 2):
        lines = [schema("x", keys=()), record("x", id=number)]
        stage.load(lines, options={"renamed": True})
    assert stage.rows("select id from data.x") == [(2,)]


def test_command_line_has_options_for_unusual_taps(
    dlt: Command, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [schema(), record(id=1), bookmark(a=1)]
    dlt.run(lines, old=True)
    assert "dlt singer run --properties" in caplog.text
    dlt.run(lines, "--properties", old=True)
    done = dlt("singer", "run", dlt.plays([schema("x"), record("x", id=2)]))
    assert "dlt singer run --renamed" in done.stderr
    dlt.run([schema("x"), record("x", id=2)], "--renamed")
    dlt.run([schema("y"), record("y", id=3)], "--no-discover")
    assert "catalog" not in dlt.given
    query = "select a.id, x.id, y.id from {0}.a, {0}.x, {0}.y"
    assert dlt.rows(query.format("scripted_tap_dataset")) == [(1, 2, 3)]


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
def test_invalid_catalog_is_refused(stage: Stage, catalog: Any) -> None:
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
def test_source_has_the_name_of_the_tap(
    stage: Stage, executable: str, arguments: list[str], expected: str
) -> None:
    path = stage.folder / executable
    path.touch(mode=0o700)
    assert singer([str(path), *arguments], catalog={"streams": []}).name == expected


def test_command_without_a_name_needs_one(stage: Stage) -> None:
    path = stage.folder / "python"
    path.touch(mode=0o700)
    command = [str(path), "-c", "print(1)"]
    with pytest.raises(BridgeError, match="name="):
        singer(command, catalog={"streams": []})
    assert singer(command, catalog={"streams": []}, name="mine").name == "mine"


def test_taps_of_one_launcher_have_separate_states(stage: Stage) -> None:
    stage.load([schema(), record(id=1), {"type": "STATE", "value": {"cursor": 1}}], name="one")
    cursor = {"type": "STATE", "value": {"cursor": 2}}
    two = stage.source([schema(), record(id=1), cursor], name="two")
    two.a.apply_hints(table_name="a_of_two")
    stage.pipeline.run(two)
    assert "state" not in stage.given
    stage.load([schema()], name="one")
    assert stage.given["state"] == {"cursor": 1}
