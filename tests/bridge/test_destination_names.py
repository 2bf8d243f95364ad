"""Names of tables and columns: each leads to one place, at every destination that is tested."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from bridge.destinations import MERGING
from staging import record, schema

if TYPE_CHECKING:
    from collections.abc import Iterable

    from staging import Stage

INTEGER = {"type": ["integer", "null"]}
TEXT = {"type": ["string", "null"]}
OBJECT = {"type": ["object", "null"]}


def each(names: Iterable[str], value: Any) -> dict[str, Any]:
    return dict.fromkeys(names, value)


def test_reserved_words_are_names(anywhere: Stage) -> None:
    words = ("select", "from", "where", "order", "user", "table", "at", "default", "primary")
    anywhere.streams = each(words, "INCREMENTAL")
    lines = []
    for stream in words:
        lines.append(schema(stream, keys=(), **each(words, TEXT)))
        lines.append(record(stream, id=1, **each(words, stream)))
    anywhere.load(lines)
    for stream in words:
        assert anywhere.into.read(stream, *words) == [(stream,) * len(words)]


def test_long_names_stay_distinct(anywhere: Stage) -> None:
    """PostgreSQL would cut names after 63 characters; dlt makes them shorter and different."""
    stream, first, second = "s" * 120, "c" * 119 + "a", "c" * 119 + "b"
    anywhere.streams = {stream: "INCREMENTAL"}
    head = schema(stream, keys=(), **each([first, second], TEXT))
    anywhere.load([head, record(stream, id=1, **{first: "1", second: "2"})])
    naming = anywhere.pipeline.default_schema.naming
    columns = [naming.normalize_path(name) for name in (first, second)]
    table = naming.normalize_table_identifier(stream)
    assert anywhere.into.read(table, *columns) == [("1", "2")]


def test_variant_of_a_column_with_a_long_name_is_found(anywhere: Stage) -> None:
    name = "c" * 120
    for value in (1, "x", "y"):
        anywhere.load(
            [schema(keys=(), **each([name], INTEGER)), record(id=1, **each([name], value))]
        )
    naming = anywhere.pipeline.default_schema.naming
    columns = [naming.normalize_path(part) for part in (name, f"{name}__v_text")]
    assert anywhere.into.read("a", *columns) == [(1, None), (None, "x"), (None, "y")]


def test_names_may_have_any_characters(anywhere: Stage) -> None:
    names = ("Größe", "first name", "a.b", "c-d", "Ünïcödé", "x:y", 'q"r', "e'f", "$g", "100%")
    head = schema(keys=(), **each(names, TEXT))
    anywhere.load([head, record(id=1, **{name: name for name in names})])
    naming = anywhere.pipeline.default_schema.naming
    columns = [naming.normalize_path(name) for name in names]
    assert anywhere.into.read("a", *columns) == [names]


@pytest.mark.parametrize("warehouse", MERGING, indirect=True)
@pytest.mark.parametrize("name", ["a", "d", "s", "data", "staged", "target", "source"])
def test_property_may_have_a_table_name_of_the_merge_sql(anywhere: Stage, name: str) -> None:
    """DuckDB reads `d."id"` as a part of the column `d`, if it has one, before it sees a table."""
    for _ in range(2):
        anywhere.load([schema(**each([name], OBJECT)), record(id=1, **each([name], {"id": 999}))])
    assert anywhere.into.read("a", "id") == [(1,)]
