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
