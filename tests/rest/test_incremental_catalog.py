"""Incremental streams with a catalog, as Meltano and others run them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from rest.feed import rooms_and_rows, rows_of, same

if TYPE_CHECKING:
    from rest.feed import Reader, Row

SINCE = {"cursor_path": "at", "start_param": "since"}


def discovered(reader: Reader, config: Row) -> dict[str, Any]:
    """Return the catalog of a config, with all streams selected."""
    run = reader.tap.run([*reader.tap.command(config), "--discover"])
    assert run.code == 0, run.err
    catalog: dict[str, Any] = json.loads(run.out)
    for stream in catalog["streams"]:
        for entry in stream["metadata"]:
            if entry["breadcrumb"] == []:
                entry["metadata"]["selected"] = True
    return catalog


def entry_of(catalog: dict[str, Any], stream: str) -> dict[str, Any]:
    return next(entry for entry in catalog["streams"] if entry["tap_stream_id"] == stream)


@pytest.mark.parametrize(("path", "key"), [("at", "at"), ("meta.at", "meta")])
@pytest.mark.parametrize("kind", ["texts", "numbers", "times"])
def test_catalog_has_the_property_of_the_cursor(
    reader: Reader, path: str, key: str, kind: str
) -> None:
    values: dict[str, list[Any]] = {
        "texts": [f"01ARZ{number:02}" for number in range(30)],
        "numbers": list(range(30)),
        "times": [f"2026-01-01T00:00:{number:02}Z" for number in range(30)],
    }
    feed = reader.feed
    feed.rows = [row | {"meta": {"at": row["at"]}} for row in rows_of(values[kind])]
    config = reader.config({"cursor_path": path})
    catalog = discovered(reader, config)
    entry = entry_of(catalog, "feed_rows")
    assert entry["replication_key"] == key
    assert entry["replication_method"] == "INCREMENTAL"
    assert key in entry["schema"]["properties"]
    every = list(feed.rows)
    feed.rows = every[:20]
    first = reader.tap(config, catalog=catalog)
    assert same(first.rows("feed_rows"), every[:20]), first.err
    assert first.of_type("SCHEMA")[-1]["bookmark_properties"] == [key]
    feed.rows = every
    second = reader.tap(config, catalog=catalog, state=first.state)
    assert same(second.rows("feed_rows"), every[19:])


def test_catalog_of_an_empty_list_reads_what_comes_later(reader: Reader) -> None:
    config = reader.config(SINCE)
    catalog = discovered(reader, config)
    empty = reader.tap(config, catalog=catalog)
    assert empty.code == 0, empty.err
    reader.feed.rows = rows_of([1, 2, 3])
    run = reader.tap(config, catalog=catalog, state=empty.state)
    assert run.code == 0, run.err
    assert same(run.rows("feed_rows"), reader.feed.rows)
    assert run.bookmark("feed_rows") == 3


def test_catalog_may_read_the_full_table(reader: Reader) -> None:
    feed = reader.feed
    feed.rows = rows_of(list(range(30)))
    config = reader.config(SINCE)
    catalog = discovered(reader, config)
    entry = entry_of(catalog, "feed_rows")
    entry["replication_method"] = "FULL_TABLE"
    for metadata in entry["metadata"]:
        metadata["metadata"].pop("forced-replication-method", None)
    first = reader.tap(config, catalog=catalog)
    second = reader.tap(config, catalog=catalog, state=first.state)
    for run in (first, second):
        assert same(run.rows("feed_rows"), feed.rows), run.err


def test_child_alone_may_be_selected(reader: Reader) -> None:
    feed = reader.feed
    feed.rooms = {"a": rows_of([1, 2]), "b": rows_of([3], 10)}
    config = reader.config_of(rooms_and_rows(SINCE))
    catalog = discovered(reader, config)
    for metadata in entry_of(catalog, "feed_rooms")["metadata"]:
        if metadata["breadcrumb"] == []:
            metadata["metadata"]["selected"] = False
    first = reader.tap(config, catalog=catalog)
    assert first.rows("feed_rooms") == []
    assert len(first.rows("feed_rows")) == 3
    feed.rooms["b"] += rows_of([4], 20)
    second = reader.tap(config, catalog=catalog, state=first.state)
    assert [row["at"] for row in second.rows("feed_rows")] == [3, 4]
