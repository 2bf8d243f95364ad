"""What dlt takes, and is data, is read here; what dlt refuses for its content is refused here."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from dlt.sources.rest_api import rest_api_resources
from hypothesis import given, settings
from hypothesis import strategies as st
from singer_sdk.exceptions import ConfigValidationError

from tap_chat.declarations.files import load_file
from tap_chat.declarations.reading import read_declaration

#: A declaration with every key of the format that is data.
WHOLE: dict[str, Any] = {
    "client": {
        "base_url": "https://x.org/api",
        "headers": {"A": "b"},
        "auth": {"type": "bearer", "token": "t"},
        "paginator": {"type": "json_link", "next_url_path": "next"},
    },
    "resource_defaults": {
        "primary_key": "id",
        "write_disposition": "merge",
        "columns": [{"name": "id", "data_type": "text"}],
        "endpoint": {"params": {"limit": 100}},
    },
    "resources": [
        "simple",
        {
            "name": "users",
            "endpoint": {
                "path": "v1/users",
                "params": {
                    "a": 1,
                    "since": {
                        "type": "incremental",
                        "cursor_path": "updated_at",
                        "initial_value": "2024",
                    },
                },
                "data_selector": "data.items",
                "paginator": {"type": "offset", "limit": 100, "offset_param": "o"},
            },
            "columns": {"at": {"data_type": "timestamp"}},
            "selected": True,
            "parallelized": True,
            "max_table_nesting": 2,
            "table_name": "u",
            "merge_key": "x",
            "schema_contract": "evolve",
            "file_format": "jsonl",
        },
        {
            "name": "rooms",
            "primary_key": ["a", "b"],
            "write_disposition": {"disposition": "merge", "strategy": "upsert"},
            "include_from_parent": ["id"],
            "endpoint": {
                "path": "rooms/{resources.users.id}/x",
                "method": "POST",
                "json": {"q": "{resources.users.name}", "{resources.users.id}": "{{}}"},
                "headers": {"H": "{resources.users.id}"},
                "params": {"p": "{resources.users.id!r:>9}"},
                "paginator": {
                    "type": "page_number",
                    "base_page": 1,
                    "page_param": "p",
                    "maximum_page": 3,
                    "stop_after_empty_page": True,
                    "has_more_path": "more",
                },
                "response_actions": [
                    {"status_code": 404, "action": "ignore"},
                    {"content": "gone", "action": "ignore"},
                ],
                "auth": {"type": "api_key", "name": "k", "api_key": "v", "location": "query"},
            },
        },
        {
            "name": "tags",
            "endpoint": {
                "path": "tags/{uid}/y",
                "params": {"uid": {"type": "resolve", "resource": "users", "field": "id"}},
                "paginator": {"type": "cursor", "cursor_path": "c.next", "cursor_param": "cur"},
            },
        },
        {
            "name": "events",
            "endpoint": {
                "params": {"s": "{incremental.start_value}"},
                "incremental": {
                    "cursor_path": "t",
                    "initial_value": 1,
                    "end_value": 5,
                    "start_param": "a",
                    "end_param": "b",
                    "lag": 3,
                    "last_value_func": "max",
                    "row_order": "asc",
                    "on_cursor_value_missing": "include",
                    "range_start": "open",
                    "range_end": "closed",
                    "primary_key": "id",
                },
                "auth": {"type": "http_basic", "username": "u", "password": "p"},
                "paginator": {"type": "header_link", "links_next_key": "n"},
            },
        },
        {
            "name": "sales",
            "endpoint": {
                "auth": {
                    "type": "oauth2_client_credentials",
                    "access_token_url": "https://x.org/t",
                    "client_id": "a",
                    "client_secret": "b",
                    "access_token_request_data": {"a": "b"},
                    "default_token_expiration": 30,
                },
                "paginator": {"type": "header_cursor", "cursor_key": "k", "cursor_param": "p"},
            },
        },
        {
            "name": "fixed",
            "endpoint": {
                "path": "st/{k}/z",
                "params": {"k": 5},
                "paginator": "single_page",
                "data": {"a": "b"},
            },
        },
    ],
}
#: The keys and numbers that lead to a value.
Place = tuple[str | int, ...]

EXAMPLES = Path(__file__).parents[2] / "examples" / "declarations"


def paths(value: Any, path: Place = ()) -> list[Place]:
    """Return the paths of all values in a document."""
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    inner = [found for key in keys for found in paths(value[key], (*path, key))]
    return [path, *inner] if path else inner


def holder(document: Any, path: Place) -> Any:
    for key in path[:-1]:
        document = document[key]
    return document


def is_taken_by_dlt(document: Any) -> bool:
    try:
        rest_api_resources(deepcopy(document))
    except Exception:  # noqa: BLE001 - dlt has no type of error for this
        return False
    return True


def is_taken_here(document: Any) -> bool:
    try:
        read_declaration(document, name="rest.acme", environ={})
    except ConfigValidationError:
        return False
    return True


def test_every_key_of_the_format_is_taken() -> None:
    assert is_taken_by_dlt(WHOLE)
    assert is_taken_here(WHOLE)


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.yaml")), ids=lambda path: path.stem)
def test_example_is_taken_by_dlt(path: Path) -> None:
    assert is_taken_by_dlt(load_file(path))


def is_key_of_format(path: Place) -> bool:
    """Return whether a place is that of a key, and not of an item or of what a request sends."""
    return isinstance(path[-1], str) and not {"headers", "json", "params", "data"} & set(path[:-1])


@pytest.mark.parametrize("path", [path for path in paths(WHOLE) if is_key_of_format(path)], ids=str)
def test_unknown_key_is_refused_at_every_place(path: Place) -> None:
    document = deepcopy(WHOLE)
    inner = holder(document, path)
    key = path[-1]
    inner[f"{key}_of_none"] = inner.pop(key)
    is_name = path[-2:-1] == ("columns",) or "access_token_request_data" in path[:-1]
    assert is_taken_here(document) == is_name


#: Documents on which dlt and the tap agree.
AGREED: list[tuple[Place, Any]] = [
    (("client",), None),
    (("client", "base_url"), None),
    (("client", "base_url"), 5),
    (("client", "auth"), "beare"),
    (("client", "auth"), {"token": "t"}),
    (("client", "auth", "type"), "basic"),
    (("client", "paginator"), "offset"),
    (("client", "paginator"), "auto"),
    (("client", "paginator", "type"), "json_response"),
    (("client", "paginator", "next_url_path"), "a["),
    (("resource_defaults",), None),
    (("resource_defaults", "endpoint"), "users"),
    (("resources",), {}),
    (("resources", 0), "users"),
    (("resources", 0), 5),
    (("resources", 1, "name"), "simple"),
    (("resources", 1, "name"), None),
    (("resources", 1, "endpoint"), "users"),
    (("resources", 1, "endpoint", "method"), "get"),
    (("resources", 1, "endpoint", "path"), "a/{id}"),
    (("resources", 1, "endpoint", "path"), "a/{a}"),
    (("resources", 1, "endpoint", "path"), "a/{since}"),
    (("resources", 1, "endpoint", "path"), "a/{user.id}"),
    (("resources", 1, "endpoint", "path"), "{a"),
    (("resources", 1, "endpoint", "params", "a"), {"type": "other"}),
    (("resources", 1, "endpoint", "params", "a"), "{x}"),
    (("resources", 1, "endpoint", "params", "a"), "{{x}}"),
    (("resources", 1, "endpoint", "params", "a"), ["x", "{resources.simple.id}"]),
    (("resources", 1, "endpoint", "params", "since", "end_value"), 5),
    (("resources", 1, "endpoint", "params", "b"), {"type": "incremental", "cursor_path": "b"}),
    (("resources", 1, "endpoint", "paginator", "limit"), None),
    (("resources", 1, "endpoint", "paginator", "total_path"), None),
    (("resources", 1, "endpoint", "paginator", "offset_body_path"), "a.b"),
    (("resources", 1, "selected"), "yes"),
    (("resources", 1, "primary_key"), {}),
    (("resources", 1, "write_disposition"), "upsert"),
    (("resources", 2, "write_disposition"), {"strategy": "upsert"}),
    (("resources", 2, "include_from_parent"), "id"),
    (("resources", 2, "endpoint", "path"), "rooms/{resources.simple.id}/x"),
    (("resources", 2, "endpoint", "path"), "rooms/{resources.rooms.id}/x"),
    (("resources", 2, "endpoint", "path"), "rooms"),
    (("resources", 2, "endpoint", "json"), []),
    (("resources", 2, "endpoint", "json"), {"a": ["{resources.nobody.id}"]}),
    (("resources", 2, "endpoint", "json"), {"a": "{resources.users}"}),
    (("resources", 2, "endpoint", "response_actions"), {}),
    (("resources", 2, "endpoint", "paginator", "page_body_path"), "page"),
    (("resources", 2, "endpoint", "auth"), None),
    (("resources", 2, "endpoint", "auth", "location"), "body"),
    (("resources", 3, "endpoint", "path"), "tags/y"),
    (("resources", 3, "endpoint", "params", "uid", "resource"), "nobody"),
    (("resources", 3, "endpoint", "params", "uid", "field"), None),
    (("resources", 3, "endpoint", "paginator", "cursor_body_path"), "a"),
    (("resources", 4, "endpoint", "incremental", "cursor_path"), None),
    (("resources", 4, "endpoint", "incremental", "range_start"), "ajar"),
    (("resources", 4, "endpoint", "incremental", "row_order"), "up"),
    (("resources", 4, "endpoint", "auth", "password"), None),
    (("resources", 5, "endpoint", "auth", "client_id"), None),
]


@pytest.mark.parametrize(("path", "value"), AGREED, ids=str)
def test_both_take_it_or_both_refuse_it(path: Place, value: Any) -> None:
    document = deepcopy(WHOLE)
    holder(document, path)[path[-1]] = value
    assert is_taken_here(document) == is_taken_by_dlt(document)


#: Documents that dlt takes, and then fails on, or reads in a way that nobody means.
REFUSED_HERE: list[tuple[Place, Any]] = [
    (("client", "base_url"), "x.org"),
    (("client", "auth", "token"), []),
    (("resources",), []),
    (("resources", 1, "endpoint", "path"), "a/{}"),
    (("resources", 1, "endpoint", "data_selector"), "a["),
    (("resources", 1, "endpoint", "paginator", "limit"), True),
    (("resources", 2, "endpoint", "paginator", "type"), "auto"),
    (("resources", 2, "endpoint", "response_actions", 0, "action"), "retry"),
    (("resources", 2, "endpoint", "response_actions", 0, "status_code"), "4xx"),
    (("resources", 2, "endpoint", "response_actions", 0), {"action": "ignore"}),
    (("resources", 3, "endpoint", "paginator", "cursor_path"), "links.next.href"),
    (("resources", 4, "endpoint", "incremental"), None),
]


@pytest.mark.parametrize(("path", "value"), REFUSED_HERE, ids=str)
def test_what_dlt_fails_on_later_is_refused_at_once(path: Place, value: Any) -> None:
    document = deepcopy(WHOLE)
    holder(document, path)[path[-1]] = value
    assert is_taken_by_dlt(document)
    assert not is_taken_here(document)


def test_null_is_as_no_key_where_dlt_fails() -> None:
    for path in [path for path in paths(WHOLE) if path[-1] in {"endpoint", "params", "json"}]:
        document = deepcopy(WHOLE)
        del holder(document, path)[path[-1]]
        without = is_taken_here(document)
        holder(document, path)[path[-1]] = None
        assert is_taken_here(document) == without


TEXTS = st.text() | st.lists(
    st.sampled_from(
        [
            *("{", "}", "{}", "{{", "}}", "{0}", "{a!x}", "{a:{b}}", "{{ config.a }}", "${", "$"),
            *("${NAME}", "$${NAME}", "{resources.users.id}", "{resources.}", "{incremental.x}"),
            *("a", ".", "/", "$.", "[", "'", "*", "?(@.a==1)", "offset", "incremental"),
        ]
    ),
    max_size=4,
).map("".join)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 500) | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=300, deadline=None)
@given(path=st.sampled_from(paths(WHOLE)), value=JSON)
def test_any_value_at_any_place_is_taken_or_refused_by_sentences(path: Place, value: Any) -> None:
    document = deepcopy(WHOLE)
    holder(document, path)[path[-1]] = value
    sentences: list[str] = []
    try:
        read = len(read_declaration(document, name="rest.acme", environ={}).readings)
    except ConfigValidationError as error:
        sentences = list(error.errors)
        read = 0
    assert bool(read) != bool(sentences)
    assert read in {0, len(WHOLE["resources"])}
    assert all(sentence.startswith("rest.acme") for sentence in sentences)
