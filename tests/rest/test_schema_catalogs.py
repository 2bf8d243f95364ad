"""Discovery reads first pages, and a catalog never hides what an API has since."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pyarrow as pa
import pytest
from rest.lists import (
    INTEGER,
    MIXED,
    TEXT,
    Lists,
    check_schemas_come_before_records,
    discovered,
    entry,
    flagged,
    items,
    rooms,
    schemas,
)

if TYPE_CHECKING:
    from running import Runner
    from serving import Server


def test_discovery_reads_the_first_page_with_records(
    tap: Runner, lists: Lists, api: Server
) -> None:
    lists.lists["items"] = [{"id": "a", "x": 1}, {"id": "b"}, {"id": "c"}]
    lists.lists |= {"items/a/notes": [], "items/b/notes": [{"id": 1, "text": "x"}] * 3}
    catalog = discovered(tap, {"rest": {"x": rooms(api.url)}})
    assert sorted(lists.asked) == ["items", "items/a/notes", "items/b/notes"]
    assert entry(catalog, "x_items")["schema"]["properties"] == {
        "id": {"type": ["string"]},
        "x": INTEGER,
    }
    notes = entry(catalog, "x_notes")
    assert notes["schema"]["properties"] == {
        "id": {"type": ["integer"]},
        "text": TEXT,
        "_items_id": TEXT,
    }
    breadcrumbs = [item["breadcrumb"] for item in notes["metadata"]]
    assert ["properties", "text"] in breadcrumbs


def test_discovery_asks_the_first_parents_only(tap: Runner, lists: Lists, api: Server) -> None:
    lists.lists["items"] = [{"id": f"r{number}"} for number in range(9)]
    lists.lists |= {f"items/r{number}/notes": [] for number in range(9)}
    declaration = rooms(api.url)
    declaration["resources"][0]["endpoint"]["paginator"] = {"type": "single_page"}
    lists.lists["items"] = lists.lists["items"][:2]
    catalog = discovered(tap, {"rest": {"x": declaration}})
    assert len(lists.asked) == 3
    assert entry(catalog, "x_notes")["schema"]["properties"] == {
        "id": {"type": ["string", "integer"]}
    }


@pytest.mark.parametrize("status", [401, 402, 403])
def test_stream_that_the_api_does_not_allow_is_in_the_catalog(
    tap: Runner, lists: Lists, api: Server, status: int
) -> None:
    lists.lists |= {"items": [{"id": "a", "x": 1}], "items/a/notes": [{"id": 1, "text": "x"}]}
    lists.forbidden = {"items/a/notes": status}
    config = {"rest": {"x": rooms(api.url)}}
    run = flagged(tap, config, "--discover")
    assert run.code == 0, run.err
    assert f"returned {status}" in run.err
    assert "The catalog has only its declared fields." in run.err
    catalog = json.loads(run.out)
    assert "x" in entry(catalog, "x_items")["schema"]["properties"]
    assert "text" not in entry(catalog, "x_notes")["schema"]["properties"]
    assert tap(config, catalog=catalog).code == 1  # the stream is selected
    [selected] = [
        item for item in entry(catalog, "x_notes")["metadata"] if item["breadcrumb"] == []
    ]
    selected["metadata"]["selected"] = False
    deselected = tap(config, catalog=catalog)
    assert deselected.code == 0, deselected.err
    assert deselected.rows("x_items") == lists.lists["items"]
    # When the API allows it, the fields that the catalog lacks are written.
    selected["metadata"]["selected"] = True
    lists.forbidden = {}
    allowed = tap(config, catalog=catalog)
    assert allowed.code == 0, allowed.err
    assert allowed.rows("x_notes") == [{"id": 1, "text": "x", "_items_id": "a"}]


def test_discovery_fails_if_no_stream_of_a_platform_is_allowed(
    tap: Runner, lists: Lists, api: Server
) -> None:
    lists.lists |= {"items": [{"id": "a"}], "other": [{"id": 1, "x": 1}]}
    lists.forbidden = {"items": 401}
    other = items(api.url)
    other["resources"][0]["endpoint"]["path"] = "other"
    config = {"rest": {"x": rooms(api.url), "y": other}}
    run = flagged(tap, config, "--discover")
    assert run.code == 1
    assert "Stream x_items: GET" in run.errors[0]
    assert "returned 401" in run.errors[0]
    assert "The catalog has only" not in run.err
    # With another stream of the platform, it is a warning, for the child, too.
    lists.lists["free"] = [{"id": 1, "f": 1}]
    [free] = items(api.url)["resources"]
    free |= {"name": "free", "endpoint": free["endpoint"] | {"path": "free"}}
    config["rest"]["x"]["resources"].append(free)
    run = flagged(tap, config, "--discover")
    assert run.code == 0, run.err
    assert "Stream x_items: GET" in run.err
    assert "Stream x_notes: the stream above it is not allowed. The catalog has only" in run.err
    assert "f" in entry(json.loads(run.out), "x_free")["schema"]["properties"]


def test_optional_stream_that_is_not_allowed_is_in_the_catalog(
    tap: Runner, lists: Lists, api: Server
) -> None:
    lists.lists["items"] = [{"id": 1}]
    declaration = items(api.url)
    [resource] = declaration["resources"]
    tags = {**resource, "name": "tags", "endpoint": resource["endpoint"] | {"path": "tags"}}
    declaration["resources"].insert(0, tags)
    lists.forbidden = {"tags": 403}
    section = {"declaration": declaration, "optional": ["x_tags"]}
    catalog = discovered(tap, {"rest": {"x": section}})
    config = {"rest": {"x": section}}
    for run in (tap(config), tap(config, catalog=catalog)):
        assert run.code == 0, run.err
        assert "as it is in rest.x.optional" in run.err
        assert run.rows("x_items") == [{"id": 1}]
    section["optional"] = ["x_tag"]
    refused = tap({"rest": {"x": section}})
    assert refused.code == 1
    assert "It can name x_tags, x_items." in refused.err
    section |= {"declaration": rooms(api.url), "optional": ["x_notes"]}
    refused = tap({"rest": {"x": section}})
    assert refused.code == 1
    assert "It can name none." in refused.err


def test_catalog_of_an_api_that_has_changed_loses_nothing(
    tap: Runner, lists: Lists, api: Server
) -> None:
    lists.lists["items"] = [{"id": 1, "a": 1, "gone": "x", "null": None}]
    config = {"rest": {"x": items(api.url)}}
    catalog = discovered(tap, config)
    lists.lists["items"] = [
        {"id": 1, "a": 1, "first": 1},
        {"id": 2},
        {"id": 3, "a": "x", "null": 1, "new": True},
    ]
    run = tap(config, catalog=catalog)
    assert run.code == 0, run.err
    assert run.rows("x_items") == lists.lists["items"]
    first = {"id": {"type": ["integer"]}, "a": INTEGER, "gone": TEXT, "first": INTEGER}
    assert schemas(run) == [
        first,
        first | {"a": MIXED, "null": INTEGER, "new": {"type": ["boolean", "null"]}},
    ]
    check_schemas_come_before_records(run)
    assert run.err.count("the catalog does not have: `first`.") == 1
    assert run.err.count("is written again, with `a`, `null`, `new`.") == 1
    lists.lists["items"] += [{"id": 4, "newer": 1}]
    run = tap(config, catalog=discovered(tap, config))
    assert run.rows("x_items") == lists.lists["items"]
    assert "the catalog does not have" not in run.err


def test_deselected_property_stays_out_of_a_wider_schema(
    tap: Runner, lists: Lists, api: Server
) -> None:
    lists.lists["items"] = [{"id": 1, "a": 1, "secret": 1}]
    config = {"rest": {"x": items(api.url)}}
    catalog = discovered(tap, config)
    for item in entry(catalog, "x_items")["metadata"]:
        if item["breadcrumb"] == ["properties", "secret"]:
            item["metadata"]["selected"] = False
    lists.lists["items"] = [
        {"id": 1, "a": 1, "secret": 1},
        {"id": 2},
        {"id": 3, "secret": "x", "b": 1},
    ]
    run = tap(config, catalog=catalog)
    assert run.code == 0, run.err
    assert run.rows("x_items") == [{"id": 1, "a": 1}, {"id": 2}, {"id": 3, "b": 1}]
    assert schemas(run)[-1].keys() == {"id", "a", "b"}


def test_stream_map_uses_fields_that_come_later(tap: Runner, lists: Lists, api: Server) -> None:
    lists.lists["items"] = [{"id": 1}, {"id": 2}, {"id": 3, "b": 2}]
    maps = {"x_items": {"twice": "record.get('b', 0) * 2", "b": None}}
    run = tap({"rest": {"x": items(api.url)}, "stream_maps": maps})
    assert run.code == 0, run.err
    assert run.rows("x_items") == [
        {"id": 1, "twice": 0},
        {"id": 2, "twice": 0},
        {"id": 3, "twice": 4},
    ]


def test_new_fields_are_flattened(tap: Runner, lists: Lists, api: Server) -> None:
    lists.lists["items"] = [{"id": 1}, {"id": 2}, {"id": 3, "b": {"c": 1}}]
    config = {"rest": {"x": items(api.url)}}
    run = tap({**config, "flattening_enabled": True, "flattening_max_depth": 1})
    assert run.code == 0, run.err
    assert [row["id"] for row in run.rows("x_items")] == [1, 2, 3]


def test_test_of_schemas_sends_no_request(tap: Runner, lists: Lists, api: Server) -> None:
    run = flagged(tap, {"rest": {"x": items(api.url)}}, "--test=schema")
    assert run.code == 0, run.err
    assert [message["stream"] for message in run.of_type("SCHEMA")] == ["x_items"]
    assert not lists.asked


def test_discovery_without_config_sends_no_request(tap: Runner) -> None:
    assert flagged(tap, {}, "--discover").code == 0


def test_discovery_of_an_api_that_fails_is_the_usual_error(tap: Runner, api: Server) -> None:
    run = flagged(tap, {"rest": {"x": items(api.url)}}, "--discover")
    assert run.code == 1
    assert "404" in run.err
    assert "Traceback" not in run.err


@pytest.mark.parametrize(
    "encoding", [{"format": "jsonl", "compression": "gzip"}, {"format": "arrow"}]
)
def test_files_hold_the_fields_of_the_schema_before_them(
    tap: Runner, lists: Lists, api: Server, encoding: dict[str, str]
) -> None:
    lists.lists["items"] = [{"id": 1, "a": 1}, {"id": 2}, {"id": 3, "a": "x", "b": [1]}, {"id": 4}]
    batch = {"encoding": encoding, "storage": {"root": f"file://{tap.folder}"}, "batch_size": 3}
    run = tap({"rest": {"x": items(api.url)}, "batch_config": batch})
    assert run.code == 0, run.err
    assert [message["type"] for message in run.messages if message["type"] != "STATE"] == [
        "SCHEMA",
        "BATCH",
        "SCHEMA",
        "BATCH",
    ]
    files = [urlsplit(url).path for batch in run.of_type("BATCH") for url in batch["manifest"]]
    assert [rows_of(Path(file)) for file in files] == [
        [{"id": 1, "a": 1}, {"id": 2}],
        [{"id": 3, "a": "x", "b": [1]}, {"id": 4}],
    ]


def rows_of(file: Path) -> list[dict[str, Any]]:
    """Return the records in a file, without nulls."""
    if file.suffix == ".gz":
        return [json.loads(line) for line in gzip.decompress(file.read_bytes()).splitlines()]
    rows: list[dict[str, Any]] = []
    for row in pa.ipc.open_file(file.read_bytes()).read_all().to_pylist():
        is_json = {"a", "b"} if isinstance(row["a"], str) or "b" in row else set()
        rows.append(
            {
                name: json.loads(value) if name in is_json else value
                for name, value in row.items()
                if value is not None
            }
        )
    return rows
