"""Lists of records that tests change, the declaration of them, and the schemas of a run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from jsonschema import Draft7Validator
from starlette.responses import Response

from tap_chat.singer.inference import TYPES

if TYPE_CHECKING:
    from running import Run, Runner
    from starlette.requests import Request

MIXED = {"anyOf": [{"type": name} for name in TYPES]}
JSON = {"type": ["object", "array", "string", "number", "boolean", "null"]}
TEXT = {"type": ["string", "null"]}
INTEGER = {"type": ["integer", "null"]}
NUMBER = {"type": ["number", "null"]}


class Lists:
    """Serves lists of records by their paths, two to a page; tests change them at any time."""

    def __init__(self) -> None:
        self.lists: dict[str, list[Any]] = {}
        #: The status of each path that is not allowed.
        self.forbidden: dict[str, int] = {}
        self.asked: list[str] = []
        self.queries: list[str] = []
        self.indent: int | None = None

    def __call__(self, request: Request) -> Any:
        path = unquote(request.url.path.strip("/"))
        self.asked.append(path)
        self.queries.append(f"{path}?{request.url.query}")
        if status := self.forbidden.get(path):
            return Response(b'{"error": "not allowed"}', status)
        if path not in self.lists:
            return Response(b'{"error": "not found"}', 404)
        start = int(request.query_params.get("offset", 0))
        rows, total = self.lists[path][start : start + 2], len(self.lists[path])
        return json.dumps({"data": rows, "total": total}, indent=self.indent).encode()


def items(url: str, **resource: Any) -> dict[str, Any]:
    paginator = {"type": "offset", "limit": 2}
    endpoint = {"path": "items", "data_selector": "data", "paginator": paginator}
    return {
        "client": {"base_url": url},
        "resources": [{"name": "items", "primary_key": "id", "endpoint": endpoint, **resource}],
    }


def rooms(url: str) -> dict[str, Any]:
    declaration = items(url)
    [room] = declaration["resources"]
    endpoint = room["endpoint"] | {"path": "items/{resources.items.id}/notes"}
    note = {"name": "notes", "primary_key": "id", "include_from_parent": ["id"]}
    declaration["resources"].append({**note, "endpoint": endpoint})
    return declaration


def flagged(tap: Runner, config: dict[str, Any], flag: str) -> Run:
    return tap.run([*tap.command(config), flag], {"TAP_CHAT_LOGLEVEL": "INFO"})


def schemas(run: Run, stream: str = "x_items") -> list[dict[str, Any]]:
    """Return the properties of each SCHEMA of a stream."""
    return [
        message["schema"]["properties"]
        for message in run.of_type("SCHEMA")
        if message["stream"] == stream
    ]


def check_schemas_come_before_records(run: Run) -> None:
    """Check that each record is valid, and has no other property than its SCHEMA but a null."""
    validators: dict[str, Draft7Validator] = {}
    for message in run.messages:
        if message["type"] == "SCHEMA":
            strict = message["schema"] | {"additionalProperties": {"type": "null"}}
            validators[message["stream"]] = Draft7Validator(strict)
        elif message["type"] == "RECORD":
            validators[message["stream"]].validate(message["record"])


def discovered(tap: Runner, config: dict[str, Any]) -> dict[str, Any]:
    run = flagged(tap, config, "--discover")
    assert run.code == 0, run.err
    catalog: dict[str, Any] = json.loads(run.out)
    return catalog


def entry(catalog: dict[str, Any], stream: str) -> dict[str, Any]:
    [found] = [entry for entry in catalog["streams"] if entry["tap_stream_id"] == stream]
    return dict(found)
