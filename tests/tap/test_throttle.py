"""The server's allowance: used to the full, and kept."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import pytest
from running import assert_complete, chat_config, full_config

from tap_chat.sandbox import Options, Sandbox, World
from tap_chat.throttle import Throttle

if TYPE_CHECKING:
    from running import Runner


@dataclass
class Counter:
    """A server that counts by fixed windows, as seen by one worker, in a time of its own.

    Attributes:
        allowed: The requests of a window.
        span: Its seconds.
        latency: Seconds of a request.
        tells: How it says what to wait: exactly, in whole seconds, or always its whole span.
    """

    allowed: int
    span: float
    latency: float = 0.001
    tells: str = "exactly"
    now: float = 0.0
    begun: float = float("-inf")
    count: int = 0
    accepted: int = 0
    refused: int = 0

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def ask(self, throttle: Throttle) -> None:
        """Send a request until it is accepted."""
        while True:
            sent = throttle.wait()
            self.now += self.latency
            if self.now >= self.begun + self.span:
                self.begun, self.count = self.now, 0
            self.count += 1
            if self.count <= self.allowed:
                self.accepted += 1
                throttle.accepted()
                return
            self.refused += 1
            left = self.begun + self.span - self.now
            waits = {"exactly": left, "rounded": float(ceil(left)), "constant": self.span}
            throttle.refused(sent, waits[self.tells])

    def throttle(self, requests_per_minute: float | None) -> Throttle:
        return Throttle(requests_per_minute, lambda: self.now, self.sleep)


@pytest.mark.parametrize("latency", [0.001, 0.05])
def test_known_allowance_is_used_at_once_and_never_exceeded(latency: float) -> None:
    server = Counter(allowed=600, span=60, latency=latency)
    throttle = server.throttle(600)
    for _ in range(1800):
        server.ask(throttle)
    assert server.refused == 0
    # Two minutes at least, for the third 600 come after two whole windows.
    assert server.now < 1.05 * (120 + 600 * latency)


@pytest.mark.parametrize(("allowed", "span"), [(50, 1.0), (500, 10.0), (600, 60.0), (7, 1.0)])
@pytest.mark.parametrize("given", [None, 3000, 1_000_000])
def test_unknown_allowance_is_learned(allowed: int, span: float, given: float | None) -> None:
    server = Counter(allowed, span)
    throttle = server.throttle(given)
    windows = 100
    for _ in range(allowed * windows):
        server.ask(throttle)
    assert server.refused <= max(2, 0.01 * server.accepted)
    least = max(span * (windows - 1), server.accepted / (given or 1e9) * 60 - 60)
    assert server.now < least / 0.95


@pytest.mark.parametrize(("allowed", "span"), [(50, 1.0), (500, 10.0), (600, 60.0), (7, 1.0)])
@pytest.mark.parametrize("tells", ["rounded", "constant"])
@pytest.mark.parametrize("latency", [0.001, 0.015])
def test_allowance_that_is_told_roughly_is_learned(
    allowed: int, span: float, tells: str, latency: float
) -> None:
    server = Counter(allowed, span, latency, tells)
    throttle = server.throttle(None)
    windows = 100
    for _ in range(allowed * windows):
        server.ask(throttle)
    assert server.refused <= max(10, 0.01 * server.accepted)
    assert server.now < span * (windows - 1) / 0.85


def test_allowance_that_shrinks_and_grows_is_followed() -> None:
    server = Counter(allowed=100, span=1.0)
    throttle = server.throttle(None)
    rates = []
    for allowed in (100, 20, 100):
        server.allowed = allowed
        begun, refused = server.now, server.refused
        for _ in range(20_000):
            server.ask(throttle)
        rates.append(20_000 / (server.now - begun))
        assert server.refused - refused <= 200
    assert rates[0] > 95
    assert 19 < rates[1] <= 20
    assert rates[2] > 70


@pytest.mark.parametrize("per_minute", [0.5, 1, 7.5])
def test_slow_allowance_is_kept(per_minute: float) -> None:
    server = Counter(allowed=1_000_000, span=60)
    throttle = server.throttle(per_minute)
    for _ in range(30):
        server.ask(throttle)
    least = (30 - max(1, int(per_minute))) / per_minute * 60
    assert least <= server.now < 1.05 * 30 / per_minute * 60


def test_pause_holds_everybody() -> None:
    server = Counter(allowed=1_000_000, span=60)
    throttle = server.throttle(None)
    throttle.pause(30)
    server.ask(throttle)
    assert server.now > 30
    assert throttle.waited == 30


@pytest.mark.parametrize("workers", [1, 16])
def test_server_that_allows_little_is_read_whole_with_few_refusals(
    tap: Runner, workers: int
) -> None:
    options = Options(rate_limit=100, rate_window=1)
    with Sandbox(World(users=60, conversations=150), options) as sandbox:
        run = tap(full_config(sandbox, "freshchat") | {"max_workers": workers})
        assert_complete(run, sandbox, "freshchat_conversations_messages")
        assert sandbox.gate.refused <= 0.01 * sandbox.requests + workers


def test_refusal_without_a_time_to_wait_is_waited_out(tap: Runner) -> None:
    options = Options(dixa_rate_limit=4, rate_window=1)
    with Sandbox(World(dixa_conversations=300), options) as sandbox:
        run = tap(full_config(sandbox, "dixa", dixa={"batch_size": 20, "backoff_factor": 1}))
        assert_complete(run, sandbox, "dixa_conversation_export")
        assert sandbox.requests > 8


def test_allowance_of_the_settings_is_shared_by_all_workers(tap: Runner) -> None:
    with Sandbox(World(messages=900), Options(rate_limit=1000)) as sandbox:
        run = tap(chat_config(sandbox, requests_per_minute=1000))
        assert run.code == 0
        assert sandbox.gate.refused == 0
