"""What a response states about its server's rate limit.

Sources: RFC 9110 (`Retry-After`), RFC 6585 (429), draft-ietf-httpapi-ratelimit-headers (up to 06
with three fields, 07 with one, and later with a list of them), and the references of vendors:
GitHub, Zendesk and Freshworks (`X-RateLimit-*`), X (`x-rate-limit-*`), Discord
(`X-RateLimit-Reset-After`, `retry_after` in the body), Matrix (`retry_after_ms` in the body),
OpenAI and Azure (`retry-after-ms`).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from tap_chat.http.responses import http_date

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from http.client import HTTPMessage

# Seconds. A longer time is a mistake, or more than a run can wait.
DAY = 24 * 60 * 60.0

# A number as large as this is a timestamp: seconds since 1970, or milliseconds.
EPOCH, EPOCH_MS = 1e9, 1e11

# The bytes and levels of a body that are searched for a time to wait.
LARGEST_BODY, DEEPEST_BODY = 65_536, 3

_ITEM = re.compile(r'\s*("[^"]*"|[^,;\s]*)\s*((?:;[^,]*)?)')
_PARAMETER = re.compile(r"([a-z]+)\s*=\s*([0-9.]+)(?=[\s;,]|$)")


@dataclass(frozen=True, slots=True)
class LimitHeaders:
    """What a response states about its limit; None for what it does not state.

    Attributes:
        wait: Seconds until a request is allowed again.
        remaining: Requests that are left in the window.
        reset: Seconds until the next window begins.
    """

    wait: float | None = None
    remaining: float | None = None
    reset: float | None = None


NOTHING = LimitHeaders()


def read(
    status: int, headers: Mapping[str, str] | HTTPMessage, body: bytes | bytearray | None
) -> LimitHeaders:
    """Return what a response states about its limit.

    Args:
        status: The status.
        headers: The headers, by name in any case.
        body: The body of a refusal; None for other responses.

    Returns:
        What it states. No time is longer than a day. If a header has several windows, the one
        that binds counts.
    """
    # Every response comes through here, and most state nothing.
    names = "\n".join(headers.keys()).lower()
    if body is None and "limit" not in names and "retry-after" not in names:
        return NOTHING
    fields = {_plain(name): headers[name] for name in headers}
    stated = _current_draft(fields) or _three_fields(fields)
    wait = _wait(fields, body)
    if wait is None and _is_until_reset(status, stated):
        wait = stated.reset
    return LimitHeaders(wait, stated.remaining, stated.reset)


def is_refusal(status: int, stated: LimitHeaders) -> bool:
    """Return whether a response refuses a request because of the rate limit.

    A 429 does. A 403 does if nothing remains, or if it states a time to wait (GitHub). A 503 does
    if nothing remains; with nothing but Retry-After, the server is down for a while (RFC 9110).

    Args:
        status: The status.
        stated: What the response states about its limit.
    """
    if status == HTTPStatus.FORBIDDEN:
        return stated.remaining == 0 or stated.wait is not None
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return stated.remaining == 0
    return status == HTTPStatus.TOO_MANY_REQUESTS


def _is_until_reset(status: int, stated: LimitHeaders) -> bool:
    """Return whether a response asks to wait for the end of the window."""
    # If something remains, the reason is another limit, which the response does not state.
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return not stated.remaining
    return stated.remaining == 0 and is_refusal(status, stated)


def _plain(name: str) -> str:
    """Return the name of a header without case, hyphens and `X-`, such as `ratelimitreset`."""
    return name.lower().replace("-", "").replace("_", "").removeprefix("x")


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if 0 <= value < float("inf") else None


def _seconds(fields: Mapping[str, str], text: str | None) -> float | None:
    """Return the seconds until a time: a number of seconds, or a time of the server's clock."""
    if not text:
        return None
    value = _number(text)
    if value is None or value >= EPOCH:
        time = _timestamp(text, value)
        now = http_date(fields.get("date", "")) or datetime.now(UTC)
        value = max(0.0, time - now.timestamp()) if time else None
    return value if value is not None and value <= DAY else None


def _timestamp(text: str, value: float | None) -> float | None:
    """Return the seconds since 1970 that a header states."""
    if value is not None:
        return value / 1000 if value >= EPOCH_MS else value
    time = http_date(text) or _iso(text)
    return time.timestamp() if time else None


def _iso(text: str) -> datetime | None:
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _items(text: str) -> Iterator[dict[str, float]]:
    """Yield the numeric parameters of each item of a list (RFC 9651)."""
    for value, parameters in _ITEM.findall(text):
        if value:
            numbers = {key: _number(text) for key, text in _PARAMETER.findall(parameters)}
            yield {key: number for key, number in numbers.items() if number is not None}


def _binding(windows: list[LimitHeaders]) -> LimitHeaders:
    """Return the window with the fewest requests left; if several have, the one that ends last."""
    return min(
        windows,
        key=lambda stated: (
            float("inf") if stated.remaining is None else stated.remaining,
            -(stated.reset or 0.0),
        ),
        default=NOTHING,
    )


def _day(seconds: float | None) -> float | None:
    return None if seconds is None or seconds > DAY else seconds


def _current_draft(fields: Mapping[str, str]) -> LimitHeaders | None:
    """Read `RateLimit: "name";r=4;t=2`."""
    text = fields.get("ratelimit", "")
    if "=" not in text.partition(";")[2]:
        return None
    return _binding(
        [LimitHeaders(remaining=item.get("r"), reset=_day(item.get("t"))) for item in _items(text)]
    )


def _three_fields(fields: Mapping[str, str]) -> LimitHeaders:
    """Read what remains and the reset: from headers of their own, or both from `RateLimit`."""
    values = dict(_PARAMETER.findall(fields.get("ratelimit", "")))
    for name in ("limit", "remaining", "reset"):
        if text := fields.get(f"ratelimit{name}"):
            values[name] = text if name == "reset" else re.split("[,;]", text)[0].strip()
    return LimitHeaders(
        # A limit of 0 means that there is none.
        remaining=_number(values.get("remaining")) if _number(values.get("limit")) != 0 else None,
        reset=_seconds(fields, fields.get("ratelimitresetafter") or values.get("reset")),
    )


def _wait(fields: Mapping[str, str], body: bytes | bytearray | None) -> float | None:
    """Return the seconds that a response asks to wait, with fractions where it states them."""
    rough = _seconds(fields, fields.get("retryafter"))
    exact = _number(fields.get("retryafterms", fields.get("msretryafterms")))
    fine = exact / 1000 if exact is not None else _wait_of_body(body)
    if fine is None or fine > DAY or (rough is not None and abs(rough - fine) > 1):
        return rough
    return fine


def _wait_of_body(body: bytes | bytearray | None) -> float | None:
    if not body or len(body) > LARGEST_BODY or b"etry" not in body:
        return None
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return None
    waits = dict(_waits_in(value, DEEPEST_BODY))
    if "retryafterms" in waits:
        return waits["retryafterms"] / 1000
    return waits.get("retryafter")


def _waits_in(value: Any, levels: int) -> Iterator[tuple[str, float]]:  # noqa: ANN401 - any JSON
    if isinstance(value, dict) and levels:
        for key, inner in value.items():
            name = _plain(key)
            if name in {"retryafter", "retryafterms"}:
                number = _number(str(inner)) if isinstance(inner, int | float | str) else None
                if number is not None:
                    yield name, number
            yield from _waits_in(inner, levels - 1)
