"""The SCHEMA of a declared stream: declared, inferred from pages, and widened; nothing is lost."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from rest.lists import (
    INTEGER,
    JSON,
    MIXED,
    NUMBER,
    TEXT,
    Lists,
    check_schemas_come_before_records,
    discovered,
    items,
    rooms,
    schemas,
)

if TYPE_CHECKING:
    from running import Runner
    from serving import Server


def test_schema_is_that_of_the_first_page_which_is_requested_once(
    tap: Runner, lists: Lists, api: Server
) -> None:
    first = {"id": 1, "name": "a", "size": 1, "share": 0.5, "on": True, "at": "2024-01-01"}
    lists.lists["items"] = [first | {"none": None, "tags": [], "of": {"a": 1}}]
    run = tap({"rest": {"x": items(api.url)}})
    assert run.code == 0, run.err
    assert schemas(run) == [
        {
            "id": {"type": ["integer"]},
            "name": TEXT,
            "size": INTEGER,
            "share": NUMBER,
            "on": {"type": ["boolean", "null"]},
            "at": TEXT,
            "tags": {"type": ["array", "null"]},
            "of": {"type": ["object", "null"]},
        }
    ]
    assert list(schemas(run)[0]) == ["id", "name", "size", "share", "on", "at", "tags", "of"]
    assert run.rows("x_items") == lists.lists["items"]
    assert len(lists.queries) == len({*lists.queries})


@pytest.mark.parametrize("indent", [None, 1], ids=["raw", "decoded"])
@pytest.mark.parametrize("workers", [1, 16])
def test_schema_is_written_again_before_records_that_need_it(
    tap: Runner, lists: Lists, api: Server, indent: int | None, workers: int
) -> None:
    lists.indent = indent
    lists.lists["items"] = [
        {"id": 1, "a": 1, "b": None},
        {"id": 2, "a": 2},
        {"id": 3, "a": 1.5, "new": "x"},
        {"id": 4, "b": [1]},
        {"id": 5, "a": 1},
        {"id": 6, "a": "text", "b": [2]},
    ]
    run = tap({"max_workers": workers, "rest": {"x": items(api.url)}})
    assert run.code == 0, run.err
    assert run.rows("x_items") == lists.lists["items"]
    assert schemas(run)[0] == {"id": {"type": ["integer"]}, "a": INTEGER}
    assert {"id": {"type": ["integer"]}, "a": NUMBER, "new": TEXT}.items() <= schemas(run)[
        -2
    ].items()
    assert schemas(run)[-1] == {
        "id": {"type": ["integer"]},
        "a": MIXED,
        "b": {"type": ["array", "null"]},
        "new": TEXT,
    }
    check_schemas_come_before_records(run)
    assert run.err.count("as `a`, after ") == 2


def test_messages_do_not_depend_on_the_threads(tap: Runner, lists: Lists, api: Server) -> None:
    lists.lists["items"] = [{"id": str(number)} for number in range(9)]
    for number in range(9):
        notes = [{"id": 10 * number + index, f"f{number}": index} for index in range(5)]
        lists.lists[f"items/{number}/notes"] = notes

    def messages(workers: int) -> list[bytes]:
        run = tap({"max_workers": workers, "rest": {"x": rooms(api.url)}})
        assert run.code == 0, run.err
        check_schemas_come_before_records(run)
        kept = [line for line in run.out.splitlines() if not line.startswith(b'{"type":"STATE"')]
        return [re.sub(rb'"time_extracted":"[^"]*"', b"", line) for line in kept]

    assert messages(1) == messages(16)


def test_later_run_knows_the_types_of_the_run_before(
    tap: Runner, lists: Lists, api: Server
) -> None:
    lists.lists["items"] = [{"id": 1, "a": 1}, {"id": 2}, {"id": 3, "a": 1.5}]
    config = {"rest": {"x": items(api.url)}}
    run = tap(config)
    assert [found["a"] for found in schemas(run)] == [INTEGER, NUMBER]
    for _ in range(2):
        run = tap(config, state=run.state)
        assert [found["a"] for found in schemas(run)] == [NUMBER]
        assert list(schemas(run)[0]) == ["id", "a"]
        assert "after integer" not in run.err
    lists.lists["items"].append({"id": 4, "a": "text"})
    run = tap(config, state=run.state)
    assert [found["a"] for found in schemas(run)] == [NUMBER, MIXED]
    run = tap(config, state=run.state, catalog=discovered(tap, config))
    assert [found["a"] for found in schemas(run)] == [MIXED]


def test_second_run_starts_with_what_its_first_page_shows(
    tap: Runner, lists: Lists, api: Server
) -> None:
    lists.lists["items"] = [{"id": 1}]
    tap({"rest": {"x": items(api.url)}})
    lists.lists["items"] = [{"id": 1, "late": {"a": 1}}]
    run = tap({"rest": {"x": items(api.url)}})
    assert run.rows("x_items") == lists.lists["items"]
    assert schemas(run) == [{"id": {"type": ["integer"]}, "late": {"type": ["object", "null"]}}]


def test_children_have_a_schema_after_that_of_their_parent(
    tap: Runner, lists: Lists, api: Server
) -> None:
    lists.lists["items"] = [{"id": "a"}, {"id": "b", "x": 1}, {"id": "c"}]
    lists.lists |= {"items/a/notes": [], "items/b/notes": [{"id": 1}]}
    lists.lists["items/c/notes"] = [{"id": 2, "text": "x"}, {"id": 3, "text": 4}]
    run = tap({"rest": {"x": rooms(api.url)}})
    assert run.code == 0, run.err
    assert [message["stream"] for message in run.of_type("SCHEMA")][:2] == ["x_items", "x_notes"]
    check_schemas_come_before_records(run)
    assert schemas(run, "x_notes")[-1] == {
        "id": {"type": ["integer"]},
        "text": MIXED,
        "_items_id": TEXT,
    }
    assert run.rows("x_notes") == [
        {"id": 1, "_items_id": "b"},
        {"id": 2, "text": "x", "_items_id": "c"},
        {"id": 3, "text": 4, "_items_id": "c"},
    ]
    assert lists.asked.count("items/a/notes") == 1


def test_stream_without_records_has_a_schema_of_what_is_known(
    tap: Runner, lists: Lists, api: Server
) -> None:
    lists.lists["items"] = []
    columns = {"at": {"data_type": "timestamp"}}
    run = tap({"rest": {"x": items(api.url, columns=columns)}})
    assert run.code == 0, run.err
    [message] = run.of_type("SCHEMA")
    assert message["key_properties"] == ["id"]
    assert message["schema"]["properties"] == {
        "id": {"type": ["string", "integer"]},
        "at": {"type": ["string", "null"], "format": "date-time"},
    }


def test_columns_are_declared_and_the_rest_is_inferred(
    tap: Runner, lists: Lists, api: Server
) -> None:
    record = {"id": 1, "at": "2024-01-01T00:00:00Z", "price": 1, "any": 1, "more": "x"}
    lists.lists["items"] = [record, record | {"id": 2, "any": []}, record | {"id": 3, "price": "1"}]
    columns = {
        "id": {"data_type": "bigint"},
        "at": {"data_type": "timestamp", "description": "When."},
        "price": {"data_type": "decimal", "precision": 10, "scale": 2},
        "any": {"data_type": "json"},
        "more": {"description": "More."},
    }
    run = tap({"rest": {"x": items(api.url, columns=columns)}})
    assert run.code == 0, run.err
    price = {"type": ["number", "null"], "format": "singer.decimal", "precision": 10, "scale": 2}
    first = {
        "id": {"type": ["integer"]},
        "at": {"type": ["string", "null"], "format": "date-time", "description": "When."},
        "price": price,
        "any": JSON,
        "more": TEXT | {"description": "More."},
    }
    assert schemas(run) == [first, first | {"price": MIXED}]
    assert run.rows("x_items") == lists.lists["items"]


def test_records_without_a_key_are_written_raw_and_whole(
    tap: Runner, lists: Lists, api: Server
) -> None:
    lists.lists["items"] = [{"a": 1}, {"a": 2}, {"a": 2.50, "b": "x"}, {}]
    run = tap({"rest": {"x": items(api.url, primary_key=[])}})
    assert run.code == 0, run.err
    assert run.rows("x_items") == lists.lists["items"]
    assert schemas(run) == [{"a": INTEGER}, {"a": NUMBER, "b": TEXT}]
    assert b'"a":2.5' in run.out.replace(b" ", b"")


@pytest.mark.parametrize(
    ("record", "problem"),
    [
        ({"a": 1}, "has no `id`, which is its key"),
        ({"id": None}, "has no `id`, which is its key"),
        ({"id": {}}, "has object as `id`, which is its key"),
        ("text", "has no `id`, which is its key"),
    ],
)
def test_record_without_its_key_is_an_error(
    tap: Runner, lists: Lists, api: Server, record: Any, problem: str
) -> None:
    lists.lists["items"] = [{"id": 1}, {"id": 2}, record]
    run = tap({"rest": {"x": items(api.url)}})
    assert run.code == 1
    assert f" of the page) that {problem}" in run.err
    assert run.rows("x_items") == [{"id": 1}, {"id": 2}]


def test_exact_values_of_what_no_float_holds(tap: Runner, lists: Lists, api: Server) -> None:
    lists.lists["items"] = [{"id": 1, "n": 2**80}, {"id": 2, "n": 1}]
    run = tap({"rest": {"x": items(api.url)}})
    assert run.rows("x_items") == lists.lists["items"]
    assert schemas(run)[0]["n"] == INTEGER
