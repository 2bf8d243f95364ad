"""A declaration becomes a source: what is short is written out, what is wrong is reported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from tap_chat.declarations import format as declared
from tap_chat.declarations.files import load_file
from tap_chat.declarations.model import Parent
from tap_chat.declarations.reading import read_declaration

if TYPE_CHECKING:
    from pathlib import Path

    from tap_chat.declarations.model import Source

CLIENT = {"base_url": "https://chat.example.org/api"}

MATRIX = """
client:
  base_url: https://chat.example.org/_synapse/admin/
  auth: {type: bearer, token: "${MATRIX_TOKEN}"}
resources:
  - name: messages
    primary_key: event_id
    include_from_parent: [room_id]
    endpoint:
      path: v1/rooms/{resources.rooms.room_id}/messages
      params: {dir: f, limit: 500}
      data_selector: chunk
      paginator: {type: cursor, cursor_path: end, cursor_param: from}
  - name: rooms
    primary_key: room_id
    endpoint:
      path: v1/rooms
      data_selector: rooms
      paginator: {type: offset, limit: 100, offset_param: from, total_path: total_rooms}
"""


def read(*resources: Any, client: Any = CLIENT, environ: Any = None, **others: Any) -> Source:
    declaration = {"client": client, "resources": list(resources), **others}
    return read_declaration(declaration, name="rest.acme", environ=environ or {})


def errors(*resources: Any, **others: Any) -> list[str]:
    with pytest.raises(ConfigValidationError) as caught:
        read(*resources, **others)
    return list(caught.value.errors)


def test_a_file_becomes_a_source_with_parents_first(tmp_path: Path) -> None:
    path = tmp_path / "matrix.yaml"
    path.write_text(MATRIX)

    source = read_declaration(
        load_file(path), name="rest.matrix", environ={"MATRIX_TOKEN": "syt_1"}
    )

    rooms, messages = source.readings
    assert (rooms.resource.name, rooms.parent) == ("rooms", None)
    assert rooms.resource.primary_key == ["room_id"]
    assert rooms.endpoint == declared.Endpoint(
        path="v1/rooms",
        data_selector="rooms",
        paginator=declared.OffsetPaginator(
            limit=100, offset_param="from", total_path="total_rooms"
        ),
        auth=declared.BearerAuth(token="syt_1"),
    )
    assert messages.parent == Parent(
        "rooms", {"resources.rooms.room_id": "room_id"}, {"_rooms_room_id": "room_id"}
    )
    assert messages.endpoint.params == {"dir": "f", "limit": 500}


def test_texts_are_short_for_objects() -> None:
    source = read(
        "users",
        {"name": "rooms", "endpoint": "v2/rooms"},
        {"name": "tags", "endpoint": {"paginator": "json_response"}},
        client=CLIENT | {"auth": {"token": "t"}, "paginator": "header_link"},
    )
    users, rooms, tags = source.readings
    assert [reading.endpoint.path for reading in source.readings] == ["users", "v2/rooms", "tags"]
    assert users.endpoint.auth == rooms.endpoint.auth == declared.BearerAuth(token="t")
    assert users.endpoint.paginator == declared.HeaderLinkPaginator()
    assert tags.endpoint.paginator == declared.JSONLinkPaginator()


def test_total_path_may_be_null() -> None:
    pages = {"type": "page_number", "total_path": None}
    (users,) = read({"name": "users", "endpoint": {"paginator": pages}}).readings
    assert users.endpoint.paginator == declared.PageNumberPaginator(total_path=None)


def test_defaults_are_merged_as_in_dlt() -> None:
    source = read(
        {
            "name": "users",
            "endpoint": {"params": {"limit": 50}, "json": {"b": 2}},
            "columns": [{"name": "at", "nullable": False}],
        },
        {"name": "rooms", "primary_key": ["org", "id"], "selected": False},
        resource_defaults={
            "primary_key": "id",
            "write_disposition": {"disposition": "merge"},
            "columns": {"at": {"data_type": "timestamp"}},
            "endpoint": {"params": {"limit": 10, "sort": "id"}, "json": {"a": {"c": 1}}},
        },
    )
    users, rooms = source.readings
    assert users.endpoint.params == {"limit": 50, "sort": "id"}
    assert users.endpoint.json == {"a": {"c": 1}, "b": 2}
    assert users.resource.columns == {"at": {"data_type": "timestamp", "nullable": False}}
    assert (users.resource.primary_key, users.resource.write_disposition) == (["id"], "merge")
    assert (rooms.resource.primary_key, rooms.resource.selected) == (["org", "id"], False)
    assert rooms.endpoint.params == {"limit": 10, "sort": "id"}


def test_path_of_one_entity_is_read_whole_from_one_page() -> None:
    _, user = read("users", {"name": "user", "endpoint": "users/{resources.users.id}"}).readings
    assert user.endpoint.data_selector == "$"
    assert user.endpoint.paginator == declared.SinglePagePaginator()


def test_fixed_parameter_is_bound_in_the_path() -> None:
    (users,) = read(
        {"name": "users", "endpoint": {"path": "orgs/{org}/users", "params": {"org": 7, "a": 1}}}
    ).readings
    assert (users.endpoint.path, users.endpoint.params) == ("orgs/7/users", {"a": 1})


def test_every_problem_is_reported_with_its_place() -> None:
    found = errors(
        {"name": "users", "endpoint": {"pagintor": "offset"}, "primary_key": 3},
        {"name": "rooms", "endpoint": {"path": "a/{resources.user.id}/b"}},
        client={"base_url": "chat.example.org", "auth": {"type": "basic"}},
    )
    assert found == [
        "rest.acme: `client.auth` has a type that the format does not have. Write `http_basic`.",
        (
            "rest.acme: `resources[0].endpoint.pagintor` (users) is not a key of the format. "
            "Did you mean `paginator`?"
        ),
        "rest.acme: `resources[0].primary_key` (users) must be a text or a list.",
        "rest.acme: `client.base_url` must begin with https:// or http:// and a host.",
        (
            "rest.acme: `resources[1].endpoint.path` (rooms) takes a value from the resource"
            " `user`, which does not exist. Did you mean `users`?"
        ),
    ]


def test_secret_is_never_shown() -> None:
    source = read(
        {"name": "users", "endpoint": {"headers": {"X": "${KEY}"}, "params": {"k": "${KEY}"}}},
        client=CLIENT | {"auth": {"token": "${KEY}"}, "headers": {"Y": "${KEY}"}},
        environ={"KEY": "topsecret"},
    )
    assert source.readings[0].endpoint.params == {"k": "topsecret"}
    assert "topsecret" not in repr(source)


def test_two_dollar_signs_stand_for_the_text_itself() -> None:
    (users,) = read({"name": "users", "endpoint": {"params": {"q": "$${NAME}"}}}).readings
    assert users.endpoint.params == {"q": "${{NAME}}"}
