"""Responses of servers, and the errors about them."""

from __future__ import annotations

import json
import time
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from running import chat_config
from serving import Server, rows
from starlette.responses import HTMLResponse

from tap_chat.http import failures, responses
from tap_chat.sandbox import Options, Sandbox

if TYPE_CHECKING:
    from running import Runner


def test_body_is_decoded_exactly() -> None:
    assert responses.decode(b'{"a": 0.10, "b": 123456789012345678901}') == {
        "a": Decimal("0.10"),
        "b": 123456789012345678901,
    }
    assert responses.decode(rb'["\ud83d"]') == ["\ud83d"]


UTF_16 = '{"a": 1}'.encode("utf-16")


def test_byte_order_mark_is_ignored() -> None:
    assert responses.decode(b'\xef\xbb\xbf{"a": "\xc3\xa9"}') == {"a": "é"}


@pytest.mark.parametrize("body", [b"", b"{", b'{"a": NaN}', b"\xff", b'"\xe9"', b"[1] [2]", UTF_16])
def test_body_that_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        responses.decode(body)


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://me:s3cret@example.com:8080/v1?api_key=s3cret", "https://example.com:8080"),
        ("https://example.com/login;key=s3cret#api_key=s3cret", "https://example.com"),
        ("//example.com/v1", "//example.com"),
        ("/login?key=s3cret", "another path of the host"),
        ("http://[s3cret", "no URL"),
    ],
)
def test_redirect_is_named_without_secrets(location: str, shown: str) -> None:
    assert failures.origin(location) == shown


DEEP = b"[" * 100_000 + b"]" * 100_000


@pytest.mark.parametrize("value", [DEEP, b'"\\ud83d",' + DEEP, b"1e9999999999999999999"])
def test_body_that_cannot_be_decoded_is_fatal_at_once(tap: Runner, value: bytes) -> None:
    body = b'{"data": [{"id": "a", "message": "hunter2"}], "x": [' + value + b"]}"
    with Server(lambda _: body) as api:
        run = tap(chat_config(api), level="DEBUG")
    assert run.code == 1
    [error] = run.errors
    assert error.startswith(f"Stream chat_messages: GET {api.url}/v1/messages?")
    assert "nested too deeply" in error
    assert len(api.requests) == 1
    assert "hunter2" not in run.err


def test_json_with_the_content_type_of_html_is_read(tap: Runner) -> None:
    body = json.dumps({"data": rows(3)})
    with Server(lambda _: HTMLResponse(body)) as api:
        run = tap(chat_config(api, paging="none"))
    assert run.code == 0, run.err
    assert run.records == rows(3)


def test_hanging_server_is_given_up_after_the_timeout(tap: Runner) -> None:
    with Sandbox(options=Options(latency=5)) as sandbox:
        run = tap(chat_config(sandbox, request_timeout=0.2, max_retries=1))
    assert run.code == 1
    assert "got no response within 0.2 s" in run.errors[0]


@pytest.mark.parametrize("kind", ["number", "integer", "object"])
@pytest.mark.parametrize(
    "number",
    ["9" * 1_000_000, "1." + "0" * 1_000_000, "1" + "0" * 1_000_000 + "e-1000000", "1e999999"],
    ids=["integer", "whole", "shifted", "short"],
)
def test_number_with_a_million_digits_is_written_or_refused_at_once(
    tap: Runner, kind: str, number: str
) -> None:
    value = f'{{"x":{number}}}' if kind == "object" else number
    fields = {"id": {"type": "string"}, "n": {"type": [kind, "null"]}}
    key = {"replication_key": "n"} if kind == "number" else {}
    with Server(lambda _: b'{"data":[{"id":"a","n":%b}]}' % value.encode()) as api:
        started = time.monotonic()
        run = tap(chat_config(api, paging="none", fields=fields, **key))
        # It takes some 0.1 s; to make an integer of it, or a text of one, 10 s.
        assert time.monotonic() - started < 5
    assert run.code in {0, 1}
    assert "Unexpected" not in run.err
