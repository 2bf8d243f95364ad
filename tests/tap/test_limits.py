"""What a response says of its server's rate limit."""

from __future__ import annotations

from email.utils import formatdate
from http.client import HTTPMessage
from typing import TYPE_CHECKING

import pytest

from tap_chat.http.rate_limits import headers as limits
from tap_chat.http.rate_limits.headers import NOTHING, LimitHeaders

if TYPE_CHECKING:
    from collections.abc import Mapping

OK, FORBIDDEN, REFUSED, UNAVAILABLE = 200, 403, 429, 503
NOW = 1_700_000_000
DATE = {"Date": formatdate(NOW, usegmt=True)}


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        ("2", 2),
        (" 0.25 ", 0.25),
        (formatdate(NOW + 30, usegmt=True), 30),
        (formatdate(NOW - 30, usegmt=True), 0),
        (str(NOW + 30), 30),
        ("86400", 86400),
        ("86401", None),
        ("-1", None),
        ("nan", None),
        ("inf", None),
        ("1e400", None),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert limits.read(REFUSED, {"Retry-After": value} | DATE, None).wait == seconds


@pytest.mark.parametrize("prefix", ["X-RateLimit-", "X-Rate-Limit-", "RateLimit-", "x-ratelimit-"])
@pytest.mark.parametrize(
    "reset", ["7", str(NOW + 7), str(1000 * (NOW + 7)), formatdate(NOW + 7, usegmt=True)]
)
def test_remaining_and_reset(prefix: str, reset: str) -> None:
    headers = {f"{prefix}Limit": "100", f"{prefix}Remaining": "3", f"{prefix}Reset": reset}
    assert limits.read(OK, headers | DATE, None) == LimitHeaders(remaining=3, reset=7)


def test_reset_without_a_date_is_by_the_local_clock() -> None:
    assert limits.read(OK, {"X-RateLimit-Reset": "32503680000"}, None) == NOTHING
    assert limits.read(OK, {"X-RateLimit-Reset": "1000000000"}, None).reset == 0


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        # The drafts, the newest first.
        (
            {"RateLimit": '"day";r=50;t=30', "RateLimit-Policy": '"day";q=100;w=60'},
            LimitHeaders(remaining=50, reset=30),
        ),
        ({"RateLimit": "day;r=50;t=30"}, LimitHeaders(remaining=50, reset=30)),
        (
            {
                "RateLimit": '"burst";r=5;t=1, "day";r=50;t=600',
                "RateLimit-Policy": '"burst";q=10;w=1, "day";q=1000;w=86400',
            },
            LimitHeaders(remaining=5, reset=1),
        ),
        (
            {"RateLimit": '"burst";r=0;t=1, "day";r=0;t=600'},
            LimitHeaders(remaining=0, reset=600),
        ),
        ({"RateLimit": "limit=100, remaining=50, reset=5"}, LimitHeaders(remaining=50, reset=5)),
        (
            {
                "RateLimit-Limit": "10, 10;w=1, 50;w=60",
                "RateLimit-Remaining": "9",
                "RateLimit-Reset": "1",
            },
            LimitHeaders(remaining=9, reset=1),
        ),
        # Freshworks, and Discord.
        ({"X-Ratelimit-Total": "50", "X-Ratelimit-Remaining": "49"}, LimitHeaders(remaining=49)),
        (
            {"X-RateLimit-Reset": str(NOW + 2), "X-RateLimit-Reset-After": "1.25"},
            LimitHeaders(reset=1.25),
        ),
        # Of no limit nothing can remain.
        (
            {"X-RateLimit-Limit": "0", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "60"},
            LimitHeaders(reset=60),
        ),
        ({"RateLimit": "limit=0, remaining=0, reset=5"}, LimitHeaders(reset=5)),
        # Values that make no sense are ignored.
        (
            {"X-RateLimit-Limit": "many", "X-RateLimit-Remaining": "-1", "X-RateLimit-Reset": "x"},
            NOTHING,
        ),
        ({"RateLimit": '"day";r=nan;t=1e9'}, NOTHING),
        ({"RateLimit": ""}, NOTHING),
        ({"X-RateLimit-Reset": "90000"}, NOTHING),
        ({}, NOTHING),
    ],
)
def test_fields(headers: Mapping[str, str], told: LimitHeaders) -> None:
    assert limits.read(OK, dict(headers) | DATE, None) == told


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({}, b'{"errcode": "M_LIMIT_EXCEEDED", "retry_after_ms": 1234}', 1.234),
        ({}, b'{"error": {"retryAfter": "1.5"}}', 1.5),
        ({}, b'{"retry_after": 1.5, "retry_after_ms": 1400}', 1.4),
        # The fraction of a second that the header rounds, and nothing that contradicts it.
        ({"Retry-After": "2"}, b'{"retry_after": 1.5}', 1.5),
        ({"Retry-After": "2"}, b'{"retry_after": 1500}', 2),
        ({"retry-after-ms": "250"}, b"", 0.25),
        ({}, b'{"retry_after_ms": -5}', None),
        ({}, b'{"retry_after_ms": NaN}', None),
        ({}, b'{"retry_after_ms": 1e300}', None),
        ({}, b'{"retry_after_ms": null}', None),
        ({}, b'{"retry_after_ms": ', None),
        ({}, b'{"a": {"b": {"c": {"retry_after": 1}}}}', None),
        ({}, b'{"retry_after":' + b"[" * 30_000, None),
        ({}, b"<html>retry_after</html>", None),
        ({}, b'{"retry_after": 1, "more": "' + b"x" * 70_000 + b'"}', None),
    ],
)
def test_wait_of_the_body(headers: Mapping[str, str], body: bytes, seconds: float | None) -> None:
    assert limits.read(REFUSED, headers, body).wait == seconds


def test_refusal_waits_for_the_end_of_the_window() -> None:
    reset = {"X-RateLimit-Reset": "12"}
    used_up = reset | {"X-RateLimit-Remaining": "0"}
    something_left = reset | {"X-RateLimit-Remaining": "5"}
    assert limits.read(REFUSED, reset, None).wait == 12
    assert limits.read(REFUSED, used_up, None).wait == 12
    assert limits.read(FORBIDDEN, used_up, None).wait == 12
    assert limits.read(REFUSED, used_up | {"Retry-After": "3"}, None).wait == 3
    # Another limit has refused it, and no accepted request waits.
    assert limits.read(REFUSED, something_left, None).wait is None
    assert limits.read(OK, used_up, None).wait is None


@pytest.mark.parametrize(
    ("status", "headers", "refused"),
    [
        (REFUSED, {}, True),
        (FORBIDDEN, {}, False),
        (FORBIDDEN, {"X-RateLimit-Remaining": "10", "X-RateLimit-Reset": "5"}, False),
        (FORBIDDEN, {"X-RateLimit-Remaining": "0"}, True),
        (FORBIDDEN, {"Retry-After": "60"}, True),
        (UNAVAILABLE, {"Retry-After": "60"}, False),
        (UNAVAILABLE, {"X-RateLimit-Remaining": "0"}, True),
        (OK, {"X-RateLimit-Remaining": "0"}, False),
        (404, {"X-RateLimit-Remaining": "0", "Retry-After": "1"}, False),
    ],
)
def test_refusals(status: int, headers: Mapping[str, str], refused: bool) -> None:  # noqa: FBT001
    assert limits.is_refusal(status, limits.read(status, headers, None)) is refused


def test_headers_may_be_those_of_the_http_client() -> None:
    headers = HTTPMessage()
    headers["retry-after"] = "5"
    assert limits.read(REFUSED, headers, None).wait == 5
