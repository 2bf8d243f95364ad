"""No message shows a value that was filled into a declaration, nor a credential."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from serving import Server
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from running import Runner
    from starlette.requests import Request
    from starlette.responses import Response

SECRETS = {"ACCOUNT": "7", "IN_PATH": "s3cret-path", "IN_QUERY": "s3cret/query"}
TOKEN = "s3cret-token"


@pytest.mark.parametrize("level", ["INFO", "DEBUG"])
@pytest.mark.parametrize("argument", ["", "--test", "--discover"])
def test_failing_request_shows_no_secret(
    tap: Runner, monkeypatch: pytest.MonkeyPatch, level: str, argument: str
) -> None:
    def fail(request: Request) -> Response | dict[str, object]:
        if "page" in request.query_params:
            return JSONResponse({}, 400)
        # The link repeats the parameters, as most servers do.
        query = f"{request.url.query}&page=2"
        return {"rows": [{"id": 1}], "next": f"{request.url.path}?{query}"}

    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    with Server(fail) as api:
        declaration = {
            "client": {
                "base_url": f"{api.url}/${{IN_PATH}}/",
                "auth": {"type": "api_key", "api_key": TOKEN, "name": "k", "location": "query"},
            },
            "resources": [
                {
                    "name": "rooms",
                    "primary_key": "id",
                    "endpoint": {
                        "path": "accounts/${ACCOUNT}/rooms",
                        "params": {"q": "${IN_QUERY}", "n": 70},
                        "data_selector": "rows",
                        "paginator": "json_link",
                    },
                }
            ],
        }
        command = tap.command({"rest": {"x": declaration}})
        command += filter(None, [argument])
        run = tap.run(command, {"TAP_CHAT_LOGLEVEL": level})
    assert "s3cret" not in run.err + run.out.decode()
    if argument == "":
        assert run.code == 1
        assert f"GET {api.url}/***/accounts/***/rooms?q=***&n=70&k=***&page=2" in run.err


def test_a_successful_test_shows_no_secret_of_the_address(
    tap: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IN_PATH", "s3cret-path")
    with Server(lambda _: []) as api:
        declaration = {"client": {"base_url": f"{api.url}/${{IN_PATH}}"}, "resources": ["rooms"]}
        run = tap.run([*tap.command({"rest": {"x": declaration}}), "--test"])
    assert run.code == 0, run.err
    assert f"{api.url}/*** returned" in run.out.decode()
    assert "s3cret" not in run.err + run.out.decode()


@pytest.mark.parametrize("status", [200, 400, 500])
def test_access_tokens_are_shown_by_no_message(
    tap: Runner, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """Neither an issued one, which a link repeats, nor what the address for them has."""

    def respond(request: Request) -> Response | dict[str, object]:
        if request.url.path == "/token":
            return JSONResponse({"access_token": "s3cret-issued"}, status)
        return {"rows": [{"id": 1}], "next": "/rooms?t=s3cret-issued"}

    monkeypatch.setenv("TENANT", "s3cret")
    monkeypatch.setenv("CLIENT", "s3cret-client")
    with Server(respond) as api:
        auth = {
            "type": "oauth2_client_credentials",
            "access_token_url": f"{api.url}/token?tenant=${{TENANT}}&client=${{CLIENT}}",
            "client_id": "${CLIENT}",
            "client_secret": "s3cret-2",
        }
        endpoint = {"path": "rooms", "data_selector": "rows", "paginator": "json_link"}
        declaration = {
            "client": {"base_url": api.url, "auth": auth},
            "resources": [{"name": "rooms", "primary_key": "id", "endpoint": endpoint}],
        }
        run = tap({"rest": {"x": {"declaration": declaration, "max_retries": 0}}})
    assert run.code == 1
    assert ("rooms?t=***" if status == 200 else "/token?tenant=***&client=*** ") in run.err
    assert "s3cret" not in run.err + run.out.decode()
    assert "-client" not in run.err
