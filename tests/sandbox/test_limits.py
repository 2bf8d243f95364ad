"""The limits of the sandbox count as servers do, and tell what they are asked to."""

from __future__ import annotations

import threading
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tap_chat.sandbox import API_KEY, Limit, Options, RateLimiter, Sandbox
from tap_chat.sandbox.limiter import least_seconds, moments_of_other

if TYPE_CHECKING:
    from tap_chat.sandbox.limits import Report

#: A time of the server's clock, in seconds since 1970.
EPOCH = 1_790_000_000.25


def passed(limiter: RateLimiter, times: list[float]) -> list[int]:
    """Return 1 for each request that is accepted, and 0 for each that is refused."""
    return [int(not limiter.acquire(time).refused) for time in times]


def page(sandbox: Sandbox) -> requests.Response:
    return requests.get(f"{sandbox.url}/v1/messages", {"api_key": API_KEY}, timeout=10)


@pytest.mark.parametrize(
    ("limit", "times", "allowed"),
    [
        # A window begins with a request, and forgets all that was counted when it is over.
        (Limit(count=2, window=10), [0, 9, 9.9, 10, 10, 10, 19, 20], [1, 1, 0, 1, 1, 0, 0, 1]),
        (Limit(count=1, window=10), [0, 17, 21, 27], [1, 1, 0, 1]),
        (Limit(count=1, window=10, aligned=True), [0, 17, 21, 27, 30], [1, 1, 1, 0, 1]),
        (Limit(count=2, window=10, used=1, elapsed=6), [0, 3, 4, 4, 4], [0, 0, 1, 1, 0]),
        (Limit(count=2, window=10, used=0.5), [0, 0, 10], [1, 0, 1]),
        # A log forgets each request by itself.
        (Limit(kind="sliding", count=2, window=10), [0, 9, 9, 10, 11, 19], [1, 1, 0, 1, 0, 1]),
        (Limit(kind="sliding", count=1, window=10, used=1), [0, 9, 10], [0, 0, 1]),
        (Limit(kind="sliding", count=1, window=10, strict=True), [0, 9, 18, 28], [1, 0, 0, 1]),
        # Two a second, from a full bucket of three.
        (Limit(kind="token", count=2, window=1, burst=3), [0, 0, 0, 0, 0.5], [1, 1, 1, 0, 1]),
        (Limit(kind="token", count=2, window=1), [0, 0, 0, 0.5, 9, 9, 9], [1, 1, 0, 1, 1, 1, 0]),
        (Limit(kind="token", count=2, window=1, used=1), [0, 0.5, 0.5], [0, 1, 0]),
        # nginx without a burst: one each half second, refusals do not count.
        (Limit(kind="leaky", count=2, window=1), [0, 0.1, 0.4, 0.5, 0.9, 1], [1, 0, 0, 1, 0, 1]),
        (Limit(kind="leaky", count=2, window=1, burst=2), [0, 0, 0, 0, 0.5], [1, 1, 1, 0, 1]),
        (Limit(kind="leaky", count=2, window=1, burst=2, used=1), [0, 0.5], [0, 1]),
        (Limit(kind="stray", every=3), [0, 0, 0, 0, 0, 0], [1, 1, 0, 1, 1, 0]),
    ],
)  # fmt: skip
def test_limit_counts(limit: Limit, times: list[float], allowed: list[int]) -> None:
    assert passed(RateLimiter([limit]), times) == allowed


@pytest.mark.parametrize("kind", ["fixed", "sliding", "token", "leaky"])
@pytest.mark.parametrize("used", [0, 1])
def test_client_that_waits_as_asked_gets_the_full_rate(kind: Any, used: float) -> None:
    limit = Limit(kind=kind, count=30, window=10, burst=10, used=used)
    # What is beyond the bursts comes at three a second.
    assert 190 / 3 - 10 <= least_seconds(limit, 200) <= 200 / 3 + 11


def test_leaky_bucket_delays_requests_ahead_of_the_rate() -> None:
    held, at_once = (
        RateLimiter([Limit(kind="leaky", count=2, window=1, burst=2, nodelay=nodelay)])
        for nodelay in (False, True)
    )
    assert [held.acquire(0).delay for _ in range(3)] == [0, 0.5, 1]
    assert [at_once.acquire(0).delay for _ in range(3)] == [0, 0, 0]


def test_concurrency_limit_accepts_the_next_request_after_a_response() -> None:
    limiter = RateLimiter([Limit(kind="at_once", count=2), Limit(count=3)])
    first = limiter.acquire(0)
    assert passed(limiter, [0, 0]) == [1, 0]
    limiter.release(first)
    # The third of the other limit; what that refuses has not taken a place.
    assert passed(limiter, [0]) == [1]
    limiter.release(first)
    assert [limiter.acquire(0).verdicts[-1][0].kind for _ in range(3)] == ["fixed"] * 3


def test_stray_refusals_are_a_share() -> None:
    limiter = RateLimiter([Limit(kind="stray", share=0.1)])
    assert 60 < 1000 - sum(passed(limiter, [0.0] * 1000)) < 140
    assert passed(RateLimiter(limiter.limits), [0.0] * 99) == passed(
        RateLimiter(limiter.limits), [0.0] * 99
    )


@pytest.mark.parametrize("kind", ["fixed", "sliding", "token", "leaky"])
def test_other_client_takes_its_part(kind: Any) -> None:
    moments = [number / 40 for number in range(4_000)]
    alone, beside = (
        sum(passed(RateLimiter([Limit(kind=kind, count=20, window=1, shared=part)]), moments))
        for part in (0, 0.5)
    )
    assert alone == pytest.approx(2000, rel=0.1)
    assert 800 < beside < 1600


def test_other_client_comes_at_irregular_times_which_the_seed_decides() -> None:
    limit = Limit(count=100, window=10, shared=0.5)
    first, again, other = (
        [next(moments) for _ in range(1000)]
        for moments in (
            moments_of_other(limit, 0),
            moments_of_other(limit, 0),
            moments_of_other(Limit(count=100, window=10, shared=0.5, seed=8), 0),
        )
    )
    assert first == again != other
    assert first[-1] == pytest.approx(1000 / 5, rel=0.3)
    assert len({round(later - sooner, 6) for sooner, later in pairwise(first)}) > 50


def test_other_client_takes_places_at_once() -> None:
    limiter = RateLimiter([Limit(kind="at_once", count=4, window=1, shared=0.5)])
    free = []
    for second in range(200):
        passages = [limiter.acquire(second) for _ in range(4)]
        free.append(sum(not decision.refused for decision in passages))
        for decision in passages:
            if not decision.refused:
                limiter.release(decision)
    assert len(set(free)) > 2
    assert 1 < sum(free) / len(free) < 3.5


@pytest.mark.parametrize(
    ("report", "headers"),
    [
        ("exact", {"Retry-After": "7.5"}),
        ("seconds", {"Retry-After": "8"}),
        ("constant", {"Retry-After": "1"}),
        ("date", {"Retry-After": "Mon, 21 Sep 2026 14:13:28 GMT"}),
        (
            "x_ratelimit",
            {"X-RateLimit-Limit": "2", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "8"},
        ),
        (
            "x_ratelimit_epoch",
            {
                "X-RateLimit-Limit": "2",
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": "1790000008",
            },
        ),
        (
            "draft_6",
            {
                "RateLimit-Policy": "2;w=10",
                "RateLimit-Limit": "2",
                "RateLimit-Remaining": "0",
                "RateLimit-Reset": "8",
            },
        ),
        (
            "draft_7",
            {"RateLimit-Policy": "2;w=10", "RateLimit": "limit=2, remaining=0, reset=8"},
        ),
        (
            "draft_8",
            {"RateLimit-Policy": '"default";q=2;w=10', "RateLimit": '"default";r=0;t=8'},
        ),
    ],
)
def test_refusal_reports_its_limit(report: Report, headers: dict[str, str]) -> None:
    limiter = RateLimiter([Limit(count=2, window=10, reports=(report,))])
    first, _, refused = (limiter.acquire(moment) for moment in (0, 2, 2.5))
    assert refused.headers(EPOCH) == headers
    assert refused.body == {"message": "Too many requests"}
    # Accepted requests get the same headers, except Retry-After.
    assert first.headers(EPOCH).keys() == headers.keys() - {"Retry-After"}


def test_reported_reset_time_is_not_too_early() -> None:
    limiter = RateLimiter([Limit(count=1, window=10, reports=("date",))])
    moment = [limiter.acquire(0), limiter.acquire(0)][1].headers(EPOCH)["Retry-After"]
    assert 10 <= parsedate_to_datetime(moment).timestamp() - EPOCH < 11


def test_limit_tells_several_things_and_lies_where_it_is_to() -> None:
    limiter = RateLimiter(
        [Limit(count=1, reports=("constant", "retry_after_ms", "draft_7"), constant=0)]
    )
    limiter.acquire(0)
    refused = limiter.acquire(15)
    assert refused.headers(EPOCH) == {
        "Retry-After": "0",
        "RateLimit-Policy": "1;w=60",
        "RateLimit": "limit=1, remaining=0, reset=45",
    }
    assert refused.body["retry_after_ms"] == 0
    [true] = [RateLimiter([Limit(count=1, reports=("retry_after_ms",))])]
    true.acquire(0)
    assert true.acquire(15.5).body["retry_after_ms"] == 44_500


def test_sandbox_has_the_limits(sandbox: Sandbox) -> None:
    sandbox.options.limits = [
        Limit(count=2, reports=("exact", "x_ratelimit"), status=503),
        Limit(count=1, path="/elsewhere"),
    ]
    answers = [page(sandbox) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 503, 503]
    assert [answer.headers["X-RateLimit-Remaining"] for answer in answers] == ["1", "0", "0", "0"]
    assert ["Retry-After" in answer.headers for answer in answers] == [False, False, True, True]
    assert sandbox.app.refused == 2
    # New limits start unused.
    sandbox.options.limits = [Limit(count=1)]
    assert [page(sandbox).status_code for _ in range(2)] == [200, 429]


def test_limits_are_steered_over_http(sandbox: Sandbox) -> None:
    limits = [{"kind": "token", "count": 1, "window": 99, "reports": ["draft_8"]}]
    for _ in range(2):
        report = requests.patch(f"{sandbox.url}/_sandbox", json={"limits": limits}, timeout=10)
        assert report.json()["options"]["limits"][0]["reports"] == ["draft_8"]
        # Limits that are set over HTTP start unused, even if they are the same.
        assert [page(sandbox).status_code for _ in range(2)] == [200, 429]
    wrong = requests.patch(f"{sandbox.url}/_sandbox", json={"limits": [{"count": 0}]}, timeout=10)
    assert wrong.status_code == 400


def test_concurrent_requests_are_counted_until_their_response() -> None:
    options = Options(latency=0.3, limits=[Limit(kind="at_once", count=2, reports=("constant",))])
    statuses: list[int] = []
    with Sandbox(options=options) as sandbox:
        threads = [
            threading.Thread(target=lambda: statuses.append(page(sandbox).status_code))
            for _ in range(5)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(statuses) == [200, 200, 429, 429, 429]
        assert page(sandbox).status_code == 200


def test_longest_stall_is_between_requests_that_were_let_pass() -> None:
    with Sandbox(
        options=Options(limits=[Limit(count=1, window=0.3, reports=("exact",))])
    ) as sandbox:
        while sandbox.requests - sandbox.app.refused < 2:
            page(sandbox)
        assert 0.3 <= sandbox.app.longest_stall < 0.6
