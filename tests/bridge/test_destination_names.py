"""Names of tables and columns: each leads to one place, at every destination that is tested."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from bridge.destinations import EVERY, MERGING, Parquet, opened
from staging import Stage, record, schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

INTEGER = {"type": ["integer", "null"]}
TEXT = {"type": ["string", "null"]}
OBJECT = {"type": ["object", "null"]}


def each(names: Iterable[str], value: Any) -> dict[str, Any]:
    return dict.fromkeys(names, value)


WORDS = ("select", "from", "where", "order", "user", "table", "at", "default", "primary")
LONG_STREAM, *LONG = "s" * 120, "c" * 119 + "a", "c" * 119 + "b"
LONG_COLUMN = "c" * 120
NAMES = ("Größe", "first name", "a.b", "c-d", "Ünïcödé", "x:y", 'q"r', "e'f", "$g", "100%")
#: Streams with a property that is named like a table of the SQL of a merge.
PROPERTIES = {
    "a": "a",
    **{f"of_{name}": name for name in ("d", "s", "data", "staged", "target", "source")},
}


def first_run() -> Iterator[Any]:
    for stream in WORDS:
        yield schema(stream, keys=(), **each(WORDS, TEXT))
        yield record(stream, id=1, **each(WORDS, stream))
    yield schema(LONG_STREAM, keys=(), **each(LONG, TEXT))
    yield record(LONG_STREAM, id=1, **dict(zip(LONG, "12", strict=True)))
    yield schema("any", keys=(), **each(NAMES, TEXT))
    yield record("any", id=1, **{name: name for name in NAMES})


@pytest.fixture(scope="module", params=EVERY)
def loaded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """The streams of all tests, loaded in three runs."""
    folder = tmp_path_factory.mktemp("names")
    with opened(request, folder) as warehouse:
        stage = Stage(
            folder, each((*WORDS, LONG_STREAM, "any", "variants"), "INCREMENTAL"), warehouse
        )
        merged: list[Any] = []
        if type(warehouse) is not Parquet:
            stage.streams |= each(PROPERTIES, "INCREMENTAL")
            for stream, name in PROPERTIES.items():
                merged.append(schema(stream, **each([name], OBJECT)))
                merged.append(record(stream, id=1, **each([name], {"id": 999})))
        lines = [*first_run(), *merged]
        for more, value in ((lines, 1), (merged, "x"), ([], "y")):
            head = schema("variants", keys=(), **each([LONG_COLUMN], INTEGER))
            stage.load([*more, head, record("variants", id=1, **each([LONG_COLUMN], value))])
        yield stage


def test_reserved_words_are_names(loaded: Stage) -> None:
    for stream in WORDS:
        assert loaded.into.read(stream, *WORDS) == [(stream,) * len(WORDS)]


def test_long_names_stay_distinct(loaded: Stage) -> None:
    """PostgreSQL would cut names after 63 characters; dlt makes them shorter and different."""
    naming = loaded.pipeline.default_schema.naming
    columns = [naming.normalize_path(name) for name in LONG]
    table = naming.normalize_table_identifier(LONG_STREAM)
    assert loaded.into.read(table, *columns) == [("1", "2")]


def test_variant_of_a_column_with_a_long_name_is_found(loaded: Stage) -> None:
    naming = loaded.pipeline.default_schema.naming
    columns = [naming.normalize_path(part) for part in (LONG_COLUMN, f"{LONG_COLUMN}__v_text")]
    assert loaded.into.read("variants", *columns) == [(1, None), (None, "x"), (None, "y")]


def test_names_may_have_any_characters(loaded: Stage) -> None:
    naming = loaded.pipeline.default_schema.naming
    columns = [naming.normalize_path(name) for name in NAMES]
    assert loaded.into.read("any", *columns) == [NAMES]


@pytest.mark.parametrize("loaded", MERGING, indirect=True)
@pytest.mark.parametrize("name", PROPERTIES.values())
def test_property_may_have_a_table_name_of_the_merge_sql(loaded: Stage, name: str) -> None:
    """DuckDB reads `d."id"` as a part of the column `d`, if it has one, before it sees a table."""
    stream = "a" if name == "a" else f"of_{name}"
    assert loaded.into.read(stream, "id") == [(1,)]
