"""Proxies, certificates, compression and connections work as with requests."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests
from firewall import Firewall
from running import assert_complete, by_stream, chat_config, full_config
from serving import Server, paged, rows
from starlette.responses import Response, StreamingResponse
from urllib3 import HTTPConnectionPool
from urllib3.exceptions import ReadTimeoutError

from tap_chat.http.bounds import Timeouts
from tap_chat.http.connections import Connections
from tap_chat.http.transport import Transport
from tap_chat.sandbox import API_KEY, Fault, Options, Sandbox, World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from running import Runner
    from starlette.requests import Request

    from tap_chat.http.responses import Response as Received


def test_proxy_of_the_environment_is_used(tap: Runner) -> None:
    with Server(paged(rows(150))) as proxy:
        config = chat_config(proxy, api_url="http://api.invalid/base")
        run = tap.run(tap.command(config), {"HTTP_PROXY": proxy.url, "http_proxy": proxy.url})
        assert run.code == 0, run.err
        assert run.records == rows(150)
        assert {request.headers["host"] for request in proxy.requests} == {"api.invalid"}
        assert {request.url.path for request in proxy.requests} == {"/base/v1/messages"}


def test_host_in_no_proxy_gets_direct_requests(tap: Runner) -> None:
    with Server(paged(rows(150))) as api:
        nowhere = {"http_proxy": "http://127.0.0.1:9", "no_proxy": "127.0.0.1"}
        run = tap.run(tap.command(chat_config(api)), nowhere)
    assert run.code == 0, run.err
    assert run.records == rows(150)


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_compressed_responses_are_read(tap: Runner, encoding: str) -> None:
    def answer(request: Request) -> Response:
        assert "gzip" in request.headers["accept-encoding"]
        body = json.dumps(paged(rows(150))(request)).encode()
        body = gzip.compress(body) if encoding == "gzip" else body
        return Response(body, headers={"Content-Encoding": encoding})

    with Server(answer) as api:
        run = tap(chat_config(api))
    assert run.code == 0, run.err
    assert run.records == rows(150)


def test_broken_compression_is_retried_and_reported(tap: Runner) -> None:
    with Server(lambda _: Response(b"no gzip", headers={"Content-Encoding": "gzip"})) as api:
        run = tap(chat_config(api, max_retries=1))
        assert len(api.requests) == 2
    assert run.code == 1
    assert "can't be decompressed" in run.errors[0]


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
        run = tap(chat_config(api) | {"max_workers": 1})
        assert len(api.requests) == 12
    assert run.code == 0
    assert len(clients) == 1


def test_connection_timeout_is_an_error(tap: Runner) -> None:
    """The host accepts a connection, but does not speak TLS."""
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"https://127.0.0.1:{mute.getsockname()[1]}"
        settings = {"connect_timeout": 0.2, "max_retries": 0}
        config = {"chat": {"api_url": url, "api_key": API_KEY, **settings}}
        run = tap(config)
    assert run.code == 1
    assert "could not connect within 0.2 s" in run.errors[0]


@pytest.mark.parametrize("way", ["direct", "proxy"])
def test_slow_drip_of_a_response_times_out(tap: Runner, way: str) -> None:
    options = Options(faults=[Fault(kind="drip", seconds=0.05, times=None)])
    with Sandbox(World(messages=100), options) as api:
        config = chat_config(api, request_timeout=0.2, max_retries=0)
        here = {"http_proxy": api.url if way == "proxy" else "", "no_proxy": ""}
        run = tap.run(tap.command(config), here)
    assert run.code == 1
    assert "stalled in the middle of the response for 0.2 s" in run.errors[0]


def test_large_slow_response_is_read(tap: Runner) -> None:
    """The timeout applies to each 64 KiB."""
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


def test_connection_uses_the_timeout_of_its_request() -> None:
    """Platforms of one host share its connections, but not their timeouts."""
    with Server(lambda _: {}) as api:
        connections = Connections(HTTPConnectionPool("127.0.0.1", urlsplit(api.url).port))
        timeouts = []
        for timeout in (5.0, 7.0):
            exchange = connections.send("GET", "/", {}, Timeouts(1.0, timeout))
            timeouts.append(exchange.connection.sock.gettimeout())
            assert exchange.read_whole(None) == b"{}"
        assert len({request.client for request in api.requests}) == 1
    assert timeouts == [5.0, 7.0]


# Connections that are kept, and gone when they are used again.


@pytest.mark.parametrize("by", ["itself", "proxy"])
def test_connections_dropped_by_a_firewall_cost_no_retry(tap: Runner, by: str) -> None:
    with (
        Sandbox(World(users=30, conversations=60)) as sandbox,
        Firewall(sandbox.url, "reset", after=40) as firewall,
    ):
        without_reports = {"extra_streams": [], "reports_start_date": "2999-01-01"}
        section = {"max_retries": 0} | without_reports
        config = full_config(sandbox, "freshchat", freshchat=section)
        environment = {"no_proxy": ""}
        if by == "proxy":
            environment["http_proxy"] = firewall.url
        else:
            config["freshchat"]["api_url"] = f"{firewall.url}/v2"
        run = tap.run(tap.command(config | {"max_workers": 8}), environment)
        assert_complete(run, sandbox, *(name for name in by_stream(run)))
        assert by_stream(run)["freshchat_conversations_messages"]
        # No more than one for each worker, and then a new one.
        assert 1 <= firewall.hits <= 8
        assert firewall.connections <= 8 + 8
    assert "the connection broke" not in run.err


def kept(api: Server | Firewall, count: int) -> Connections:
    """Return connections, a number of which are open and idle."""
    connections = Connections(HTTPConnectionPool("127.0.0.1", urlsplit(api.url).port))
    under_way = [connections.send("GET", "/", {}, Timeouts(1.0, 5.0)) for _ in range(count)]
    assert [exchange.read_whole(None) for exchange in under_way] == [b"{}"] * count
    return connections


def test_first_dead_connection_closes_all_idle_ones() -> None:
    with Server(lambda _: {}) as api, Firewall(api.url, "reset") as firewall:
        connections = kept(firewall, 5)
        firewall.forget()
        for _ in range(3):
            assert connections.send("GET", "/", {}, Timeouts(1.0, 5.0)).read_whole(None) == b"{}"
        assert (firewall.hits, firewall.connections) == (1, 6)


@pytest.mark.parametrize("by", ["itself", "proxy"])
def test_swallowed_request_costs_one_timeout(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(lambda _: {}) as api, Firewall(api.url, "swallow") as firewall:
        monkeypatch.setenv("http_proxy", firewall.url if by == "proxy" else "")
        monkeypatch.setenv("no_proxy", "")
        transport = Transport(5)
        url = "http://api.invalid/" if by == "proxy" else firewall.url
        request = requests.Request("GET", url).prepare()

        def ask(seconds: float = 5.0) -> Received:
            return transport.send_once(request, Timeouts(1.0, seconds), None)

        together = Barrier(5)

        def ask_at_once(_: int) -> object:
            together.wait()
            return ask().body

        with ThreadPoolExecutor(5) as threads:
            assert list(threads.map(ask_at_once, range(5))) == [b"{}"] * 5
        opened = firewall.connections
        firewall.forget()
        with pytest.raises(ReadTimeoutError):
            ask(0.1)
        for _ in range(5):
            assert ask().body == b"{}"
        assert (firewall.hits, firewall.connections) == (1, opened + 1)


def test_one_proxy_leads_to_several_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    with Server(lambda _: {}) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        transport = Transport(5)
        for host in ("api.invalid", "files.invalid"):
            request = requests.Request("GET", f"http://{host}/").prepare()
            assert transport.send_once(request, Timeouts(1.0, 5.0), None).body == b"{}"
        assert [request.headers["host"] for request in proxy.requests] == [
            "api.invalid",
            "files.invalid",
        ]


def test_connection_is_not_reused_after_a_long_idle_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Server(lambda _: {}) as api:
        connections = kept(api, 3)
        now = time.monotonic()
        monkeypatch.setattr("tap_chat.http.keep_alive.LONGEST_IDLE", time.monotonic() - now)
        assert connections.send("GET", "/", {}, Timeouts(1.0, 5.0)).read_whole(None) == b"{}"
        assert len({request.client for request in api.requests}) == 4


def test_tcp_keepalive_is_on() -> None:
    """The system detects a dead connection long before `request_timeout`."""
    with Server(lambda _: {}) as api:
        exchange = kept(api, 1).send("GET", "/", {}, Timeouts(1.0, 5.0))
        socket_ = exchange.connection.sock
        assert socket_.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert socket_.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        if hasattr(socket, "TCP_USER_TIMEOUT"):
            assert socket_.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 20_000
        exchange.read_whole(None)
