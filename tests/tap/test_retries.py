"""Failed requests are retried for a limited time, refused ones until the limit passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from running import assert_complete, chat_config, full_config

from tap_chat.http.retries import LONGEST_BACKOFF, Retries, RetryPolicy
from tap_chat.sandbox import Fault, Sandbox

if TYPE_CHECKING:
    from running import Runner

DEFAULT = RetryPolicy(seconds=300, retries=None, backoff=2)
#: As users have it: no bound but time.
PATIENT: dict[str, Any] = {"max_retries": None}


def waits(retries: Retries, took: float, asked: float | None = None) -> list[float]:
    """Return the waits between tries that all fail, until the last one."""
    found: list[float] = []
    while (wait := retries.next_wait(took, asked)) is not None:
        found.append(wait)
        assert len(found) < 1000
    return found


def test_retries_are_bounded_by_time_and_not_by_number() -> None:
    retries = Retries(DEFAULT)
    found = waits(retries, took=0)
    assert retries.seconds == pytest.approx(300)
    assert retries.ended == "max_outage"
    assert 8 <= len(found) <= 12
    assert found[:3] == pytest.approx([2, 4, 8], rel=0.11)
    assert max(found) <= LONGEST_BACKOFF * 1.1


def test_slow_failures_use_up_the_time_too() -> None:
    retries = Retries(DEFAULT)
    waits(retries, took=60)
    assert 300 <= retries.seconds <= 361
    assert retries.sent == 5


@pytest.mark.parametrize("asked", [None, 0.0])
def test_retries_of_fast_failures_wait(asked: float | None) -> None:
    assert len(waits(Retries(RetryPolicy(300, None, backoff=0)), took=0, asked=asked)) < 25


@pytest.mark.parametrize("asked", [0.5, 30, 3600])
def test_first_retry_after_adds_to_the_time(asked: float) -> None:
    retries = Retries(DEFAULT)
    first, *others = waits(retries, took=1, asked=asked)
    assert asked <= first <= asked * 1.1
    assert all(wait >= asked for wait in others)
    assert sum(others) <= 300


def test_number_of_retries_can_be_limited() -> None:
    retries = Retries(RetryPolicy(300, retries=2, backoff=2))
    assert len(waits(retries, took=0)) == 2
    assert (retries.sent, retries.ended) == (3, "max_retries")


@pytest.mark.parametrize("kind", ["status", "reset", "truncate"])
def test_run_survives_an_outage_longer_than_a_few_retries(
    tap: Runner, sandbox: Sandbox, kind: Any
) -> None:
    sandbox.options.faults = [Fault(kind=kind, status=503, after=2, times=7)]
    run = tap(chat_config(sandbox, **PATIENT) | {"max_workers": 1})
    assert run.code == 0, run.errors
    assert run.records == sandbox.world.chat.messages


def test_lasting_outage_ends_the_run_in_time(tap: Runner, sandbox: Sandbox) -> None:
    sandbox.options.faults = [Fault(kind="status", status=503, times=None, after=3)]
    config = chat_config(sandbox, max_outage=0.5, **PATIENT)
    run = tap(config)
    assert run.code == 1
    assert "returned 503 Service Unavailable. Gave up after " in run.errors[0]
    assert "(setting chat.max_outage). The server or the network has a problem" in run.errors[0]
    # What came before is written, and the next run has the rest.
    assert len(run.records) > 200
    assert run.records == sandbox.world.chat.messages[: len(run.records)]
    sandbox.options.faults = []
    again = tap(config, state=run.state)
    assert again.code == 0
    assert again.records == sandbox.world.chat.messages


def test_refusals_use_up_no_retry(tap: Runner, sandbox: Sandbox) -> None:
    sandbox.options.faults = [Fault(kind="status", status=429, after=2, times=4)]
    run = tap(full_config(sandbox, "dixa", dixa={"max_retries": 0}))
    assert_complete(run, sandbox, "dixa_conversation_export")


@pytest.mark.parametrize("workers", [1, 16])
def test_endless_refusals_end_the_run(tap: Runner, sandbox: Sandbox, workers: int) -> None:
    sandbox.options.faults = [Fault(kind="status", status=429, times=None, after=3)]
    config = chat_config(sandbox, max_wait=0.5, **PATIENT) | {"max_workers": workers}
    run = tap(config)
    assert run.code == 1
    assert "waits for the rate limit, and no request was accepted for 1 s" in run.errors[0]
    assert "chat.max_wait" in run.errors[0]
    assert len(run.records) > 200
    assert run.records == sandbox.world.chat.messages[: len(run.records)]


def test_first_retry_after_adds_to_the_longest_wait(tap: Runner, sandbox: Sandbox) -> None:
    told = {"Retry-After": "1.2"}
    sandbox.options.faults = [Fault(kind="status", status=429, headers=told, after=3)]
    run = tap(chat_config(sandbox, max_wait=0.1, **PATIENT))
    assert run.code == 0, run.errors
    assert run.records == sandbox.world.chat.messages
    assert sandbox.app.busy >= 1.2


def test_time_lost_to_the_rate_limit_is_reported_at_the_end(tap: Runner, sandbox: Sandbox) -> None:
    told = {"Retry-After": "0.5"}
    sandbox.options.faults = [Fault(kind="status", status=429, headers=told, after=3)]
    run = tap(full_config(sandbox, "chat", "freshchat"))
    assert run.code == 0
    [said] = [line for line in run.err.splitlines() if "for the rate limit; " in line]
    assert "1 of " in said
