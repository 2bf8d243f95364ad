"""The tap sends the requests that dlt sends for the same declaration."""

from __future__ import annotations

import json
from collections import Counter
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from dlt.sources.rest_api import rest_api_source
from running import QUICK
from serving import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from running import Runner
    from starlette.requests import Request

USERS = [
    {"id": 1, "name": "a b", "tags": {"first": "x&y"}, "age": 5, "active": True},
    {"id": 2, "name": "{c}", "tags": {"first": "z"}, "age": 1.5, "active": False},
]


class Api:
    """An API of users and their children.

    Attributes:
        sent: The requests since `take` was called, without what the two clients add by themselves.
    """

    def __init__(self) -> None:
        self.sent = Counter[str]()
        self.server = Server(self.respond)

    def respond(self, request: Request) -> Any:
        # The server has read the body just before.
        body = self.server.bodies[-1]
        names = [name for name in request.headers if name.startswith(("x-", "authorization"))]
        parts = (
            request.method,
            request.scope["raw_path"].decode(),
            sorted(request.query_params.multi_items()),
            {name: request.headers[name] for name in sorted(names)},
            json.loads(body) if body else None,
        )
        self.sent[json.dumps(parts, sort_keys=True)] += 1
        return USERS if request.url.path.endswith("/users") else [{"id": 1, "at": "2024-01-01"}]

    def take(self) -> Counter[str]:
        """Return the requests, and forget them."""
        sent, self.sent = self.sent, Counter[str]()
        return sent


@pytest.fixture
def api() -> Iterator[Api]:
    api = Api()
    with api.server:
        yield api


def of_users(**endpoint: Any) -> list[Any]:
    """Return the users, and a child of them with this endpoint."""
    return [
        "users",
        {"name": "child", "endpoint": {"path": "x/{resources.users.id}/y", **endpoint}},
    ]


CLIENT = {"paginator": "single_page", "auth": {"token": "t"}, "headers": {"X-A": "{a}"}}
INCREMENTAL = {"cursor_path": "at", "initial_value": "2023-01-01"}

DECLARATIONS: dict[str, Any] = {
    "names": {"resources": ["users", "rooms"]},
    "path of its own": {"resources": [{"name": "a", "endpoint": "v2/b"}]},
    "headers": {"resources": [{"name": "a", "endpoint": {"headers": {"X-B": "1", "X-A": "2"}}}]},
    "fixed parameter in the path": {
        "resources": [
            {"name": "a", "endpoint": {"path": "o/{org}/a", "params": {"org": 7, "q": 1}}}
        ]
    },
    "parameters of any type": {
        "resources": [
            {
                "name": "a",
                "endpoint": {
                    "params": {"t": True, "n": None, "f": 1.5, "l": ["a", "b"], "s": "ü &", "e": ""}
                },
            }
        ]
    },
    "defaults": {
        "resource_defaults": {
            "endpoint": {
                "params": {"a": 1, "b": 2},
                "json": {"x": {"y": 1}, "z": 1},
                "headers": {"X-C": "c"},
                "method": "POST",
            }
        },
        "resources": [
            "a",
            {"name": "b", "endpoint": {"params": {"b": 3}, "json": {"x": {"w": 2}}}},
            {"name": "c", "endpoint": {"headers": {"X-D": "d"}}},
        ],
    },
    "authentication of an endpoint": {
        "resources": [
            {"name": "a", "endpoint": {"auth": {"type": "api_key", "name": "X-K", "api_key": "k"}}},
            {"name": "b", "endpoint": {"auth": None}},
        ]
    },
    "resolved parameter": {
        "resources": [
            "users",
            {
                "name": "b",
                "endpoint": {
                    "path": "u/{user}/b",
                    "params": {
                        "user": {"type": "resolve", "resource": "users", "field": "id"},
                        "q": 1,
                    },
                },
            },
        ]
    },
    "placeholders in parameters": {
        "resources": of_users(
            params={
                "a": "{resources.users.name}",
                "b": "-{resources.users.age}-{resources.users.id}",
                "{resources.users.id}": "key",
                "c": ["{resources.users.active}", "{{}}"],
                "d": "{resources.users.tags.first}",
                "e": "{resources.users.id:>5}{resources.users.name!r}",
            }
        )
    },
    "placeholders in JSON keep their types": {
        "resources": of_users(
            method="POST",
            json={
                "a": "{resources.users.age}",
                "b": "n{resources.users.age}",
                "c": ["{resources.users.active}", {"d": "{resources.users.tags}"}],
                "{resources.users.name}": "{{ x }}",
            },
        )
    },
    "placeholders in headers": {"resources": of_users(headers={"X-U": "u{resources.users.id}"})},
    "one entity": {"resources": ["users", {"name": "u", "endpoint": "u/{resources.users.id}"}]},
    "three generations": {
        "resources": [
            {"name": "c", "endpoint": "b/{resources.b.id}/c/{resources.b.at}/d"},
            {"name": "b", "endpoint": "a/{resources.users.id}/b"},
            "users",
        ]
    },
    "incremental parameter": {
        "resources": [
            {"name": "a", "endpoint": {"params": {"since": {"type": "incremental", **INCREMENTAL}}}}
        ]
    },
    "incremental with start and end": {
        "resources": [
            {
                "name": "a",
                "endpoint": {
                    "params": {"q": "{incremental.start_value}..{incremental.end_value}"},
                    "incremental": {
                        **INCREMENTAL,
                        "end_value": "2025-01-01",
                        "start_param": "from",
                        "end_param": "to",
                    },
                },
            }
        ]
    },
    "incremental in JSON": {
        "resources": [
            {
                "name": "a",
                "endpoint": {
                    "method": "POST",
                    "json": {"where": {"at": {">": "{incremental.start_value}"}}},
                    "incremental": INCREMENTAL,
                },
            }
        ]
    },
    "incremental in the path": {
        "resources": [
            {
                "name": "a",
                "endpoint": {"path": "a/{incremental.start_value}/b", "incremental": INCREMENTAL},
            }
        ]
    },
}


@pytest.mark.parametrize("case", DECLARATIONS)
def test_requests_are_those_of_dlt(tap: Runner, api: Api, case: str) -> None:
    client = CLIENT | {"base_url": f"{api.server.url}/api"}
    declaration = DECLARATIONS[case] | {"client": client}
    list(rest_api_source(deepcopy(declaration), name="acme"))
    expected = api.take()
    assert expected
    run = tap({"rest": {"acme": {"declaration": declaration, **QUICK}}})
    assert run.code == 0, run.err
    assert api.take() == expected
