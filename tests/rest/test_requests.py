"""What each resource sends: its own credential, headers, JSON or form, with values of parents."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from serving import Server

if TYPE_CHECKING:
    from running import Runner
    from starlette.requests import Request

PARENTS = [{"id": 7, "name": "ü & {x}"}, {"id": 8, "name": "b"}]


def respond(request: Request) -> Any:
    match request.url.path:
        case "/v1/parents":
            return {"data": PARENTS}
        case "/v1/me":
            return {"id": 1, "tags": ["x"]}
        case "/v1/nothing":
            return {"data": []}
    return {"data": [{"id": 1}]}


def resource(name: str, path: str, **endpoint: Any) -> dict[str, Any]:
    endpoint = {"path": path, "data_selector": "data", "paginator": "single_page"} | endpoint
    return {"name": name, "primary_key": "id", "endpoint": endpoint}


def test_requests_are_those_of_the_resource_in_each_run(tap: Runner) -> None:
    by_json = {"parent": "{resources.parents.id}", "text": "#{resources.parents.id}", "open": "{{"}
    with Server(respond) as api:
        client = {
            "base_url": f"{api.url}/v1",
            "headers": {"X-All": "all", "X-Own": "all"},
            "auth": {"type": "bearer", "token": "of-all"},
        }
        resources = [
            resource("parents", "parents", headers={"X-Own": "own"}),
            resource("by_json", "json", method="POST", json=by_json),
            resource(
                "by_form",
                "form",
                method="POST",
                data={"q": "{resources.parents.name}", "all": [1, 2]},
                auth={"type": "api_key", "name": "X-Key", "api_key": "own-key"},
            ),
            resource("me", "/me", data_selector="$"),
            resource("nothing", "nothing"),
        ]
        for _ in range(2):
            api.requests.clear()
            api.bodies.clear()
            config = {"rest": {"it": {"client": client, "resources": resources}}}
            run = tap(config)
            assert run.code == 0, run.err
            sent: dict[str, list[tuple[Any, str]]] = {}
            for request, body in zip(api.requests, api.bodies, strict=True):
                sent.setdefault(request.url.path, []).append((request.headers, body.decode()))
            [(headers, _)] = sent["/v1/parents"]
            assert (headers["x-all"], headers["x-own"]) == ("all", "own")
            assert headers["authorization"] == "Bearer of-all"
            bodies = sorted(json.loads(body)["parent"] for _, body in sent["/v1/json"])
            assert bodies == [7, 8]
            assert json.loads(sent["/v1/json"][0][1]).keys() == {"parent", "text", "open"}
            assert {json.loads(body)["open"] for _, body in sent["/v1/json"]} == {"{"}
            forms = [parse_qs(body) for _, body in sent["/v1/form"]]
            assert sorted(form["q"] for form in forms) == sorted([p["name"]] for p in PARENTS)
            assert all(form["all"] == ["1", "2"] for form in forms)
            for headers, _ in sent["/v1/form"]:
                assert headers["x-key"] == "own-key"
                assert "authorization" not in headers
                assert headers["content-type"] == "application/x-www-form-urlencoded"
            assert run.rows("it_me") == [{"id": 1, "tags": ["x"]}]
            assert run.rows("it_nothing") == []
            schemas = {message["stream"] for message in run.of_type("SCHEMA")}
            assert "it_nothing" in schemas
