"""What lies between the tap and the API is as it is with requests."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from running import chat_config
from serving import Server, paged, rows
from starlette.responses import Response, StreamingResponse
from urllib3 import HTTPConnectionPool

from tap_chat.connections import Connections, Timeouts
from tap_chat.sandbox import API_KEY, Fault, Options, Sandbox, World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from running import Runner
    from starlette.requests import Request


def test_proxy_of_the_environment_is_used(tap: Runner) -> None:
    with Server(paged(rows(150))) as proxy:
        config = chat_config(proxy, api_url="http://api.invalid/base")
        run = tap.run(tap.command(config), {"HTTP_PROXY": proxy.url, "http_proxy": proxy.url})
        assert run.code == 0, run.err
        assert run.records == rows(150)
        assert {request.headers["host"] for request in proxy.requests} == {"api.invalid"}
        assert {request.url.path for request in proxy.requests} == {"/base/v1/messages"}


def test_host_without_a_proxy_is_asked_itself(tap: Runner) -> None:
    with Server(paged(rows(150))) as api:
        nowhere = {"http_proxy": "http://127.0.0.1:9", "no_proxy": "127.0.0.1"}
        run = tap.run(tap.command(chat_config(api)), nowhere)
    assert run.code == 0, run.err
    assert run.records == rows(150)


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_compressed_answers_are_read(tap: Runner, encoding: str) -> None:
    def answer(request: Request) -> Response:
        assert "gzip" in request.headers["accept-encoding"]
        body = json.dumps(paged(rows(150))(request)).encode()
        body = gzip.compress(body) if encoding == "gzip" else body
        return Response(body, headers={"Content-Encoding": encoding})

    with Server(answer) as api:
        run = tap(chat_config(api))
    assert run.code == 0, run.err
    assert run.records == rows(150)


def test_broken_compression_is_retried_and_said(tap: Runner) -> None:
    with Server(lambda _: Response(b"no gzip", headers={"Content-Encoding": "gzip"})) as api:
        run = tap(chat_config(api, max_retries=1))
        assert len(api.requests) == 2
    assert run.code == 1
    assert "broken compression" in run.errors[0]


def test_redirect_is_not_followed_with_the_key(tap: Runner) -> None:
    with (
        Server(lambda _: {"data": []}) as elsewhere,
        Server(lambda _: Response(status_code=307, headers={"Location": elsewhere.url})) as api,
    ):
        run = tap(chat_config(api, api_key_in="header"))
        assert elsewhere.requests == []
    assert run.code == 1
    assert "which is not followed" in run.errors[0]
    assert API_KEY not in run.err


def test_connections_are_kept_open(tap: Runner) -> None:
    clients: set[Any] = set()

    def answer(request: Request) -> Any:
        clients.add(request.client)
        return paged(rows(950))(request)

    with Server(answer) as api:
        run = tap(chat_config(api))
        assert len(api.requests) == 11
    assert run.code == 0
    assert len(clients) == 1


def test_connection_that_is_not_made_in_time_is_said(tap: Runner) -> None:
    """Who takes a connection, but does not speak TLS on it, is not there."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"https://127.0.0.1:{mute.getsockname()[1]}"
        settings = {"connect_timeout": 0.2, "max_retries": 0}
        config = {"chat": {"api_url": url, "api_key": API_KEY, **settings}}
        run = tap(config)
    assert run.code == 1
    assert "could not connect within 0.2 s" in run.errors[0]


@pytest.mark.parametrize("way", ["direct", "proxy"])
def test_answer_that_drips_is_given_up(tap: Runner, way: str) -> None:
    options = Options(faults=[Fault(kind="drip", seconds=0.05, times=None)])
    with Sandbox(World(messages=100), options) as api:
        config = chat_config(api, request_timeout=0.2, max_retries=0)
        here = {"http_proxy": api.url if way == "proxy" else "", "no_proxy": ""}
        run = tap.run(tap.command(config), here)
    assert run.code == 1
    assert "stalled in the middle of the answer for 0.2 s" in run.errors[0]


def test_large_answer_that_comes_slowly_is_read(tap: Runner) -> None:
    """Each 64 KiB of it has its own time."""
    texts = [{"id": f"m{number}", "message": "x" * 20_000} for number in range(30)]
    body = json.dumps({"data": texts}).encode()

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 50_000):
            yield body[start : start + 50_000]
            await asyncio.sleep(0.1)

    with Server(lambda _: StreamingResponse(pieces())) as api:
        run = tap(chat_config(api, request_timeout=0.3, paging="none", max_retries=0))
    assert run.code == 0, run.err
    assert run.records == texts


def test_connection_waits_as_long_as_the_request_that_it_carries() -> None:
    """Platforms of one host share its connections, but not their settings."""
    with Server(lambda _: {}) as api:
        connections = Connections(HTTPConnectionPool("127.0.0.1", urlsplit(api.url).port))
        timeouts = []
        for timeout in (5.0, 7.0):
            exchange = connections.ask("GET", "/", {}, Timeouts(1.0, timeout))
            timeouts.append(exchange.connection.sock.gettimeout())
            assert exchange.whole(None) == b"{}"
        assert len({request.client for request in api.requests}) == 1
    assert timeouts == [5.0, 7.0]
