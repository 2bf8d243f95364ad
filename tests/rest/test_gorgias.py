"""The shipped declaration of Gorgias: newest first until the bookmark."""

from __future__ import annotations

import random
import signal
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from running import Run, assert_complete, ended_after, full_config, merged, missing

from tap_chat.sandbox import Drift, Fault, Options, Sandbox, World

if TYPE_CHECKING:
    from running import Runner

LATER = datetime(2026, 3, 15, tzinfo=UTC)
WORLD = World(gorgias_tickets=250)
STREAMS = [f"gorgias_{name}" for name in ("tickets", "messages", "customers")]
STREAMS += ["gorgias_satisfaction_surveys"]


def config_of(sandbox: Sandbox, **settings: Any) -> dict[str, Any]:
    return full_config(sandbox, "gorgias", gorgias={"requests_per_minute": 100_000, **settings})


def assert_up_to_date(runs: list[Run], sandbox: Sandbox) -> None:
    """Check that a loader that merges has all rows of the sandbox."""
    assert runs[-1].code == 0, runs[-1].err
    tables = merged(runs)
    for stream in STREAMS:
        truth = sandbox.world.truth[stream]
        assert missing(truth, list(tables[stream].values())) == [], stream


def test_every_row_arrives_once(tap: Runner) -> None:
    with Sandbox(WORLD) as sandbox:
        assert_complete(tap(config_of(sandbox)), sandbox, *STREAMS)


def test_later_runs_read_what_is_new_or_changed(tap: Runner) -> None:
    with Sandbox(WORLD) as sandbox:
        runs = [tap(config_of(sandbox))]
        requests = sandbox.requests
        sandbox.world = replace(sandbox.world, now=LATER)
        runs.append(tap(config_of(sandbox), state=runs[-1].state))
        assert_up_to_date(runs, sandbox)
        assert len(runs[1].rows("gorgias_tickets")) < len(runs[0].rows("gorgias_tickets"))
        requests, before = sandbox.requests, requests
        assert requests - before < before
        third = tap(config_of(sandbox), state=runs[-1].state)
        assert_up_to_date([*runs, third], sandbox)
        # A page of each list that has a bookmark, the pages of surveys, and those of a day.
        assert sandbox.requests - requests <= 9
        assert len(third.rows("gorgias_tickets")) <= 1


def test_tickets_that_move_to_the_front_are_read_by_the_next_run(tap: Runner) -> None:
    with Sandbox(WORLD) as sandbox:
        sandbox.options.drifts = [
            Drift(kind="update", of="tickets", path="/tickets", after=2, place=220, rows=3)
        ]
        first = tap(config_of(sandbox))
        assert len(first.rows("gorgias_tickets")) == 247
        sandbox.world = replace(sandbox.world, now=LATER)
        second = tap(config_of(sandbox), state=first.state)
        assert_up_to_date([first, second], sandbox)


@pytest.mark.parametrize("seed", range(3))
def test_next_run_completes_a_killed_one(tap: Runner, seed: int) -> None:
    with Sandbox(replace(WORLD, seed=seed)) as sandbox:
        lines = sum(sandbox.world.rows[stream] for stream in STREAMS)
        moment = random.Random(seed).randrange(1, lines)
        killed = ended_after(tap.command(config_of(sandbox)), moment, signal.SIGKILL)
        whole = replace(killed, out=killed.out[: killed.out.rfind(b"\n") + 1])
        sandbox.world = replace(sandbox.world, now=LATER)
        state: dict[str, Any] = {"state": whole.state} if whole.state else {}
        resumed = tap(config_of(sandbox), **state)
        assert_up_to_date([whole, resumed], sandbox)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="status", status=429, headers={"Retry-After": "0"}, path="/tickets", after=1),
        Fault(kind="status", status=500, path="/messages", after=1, times=2),
        Fault(kind="cut", path="/customers"),
        Fault(kind="truncate", path="/tickets", after=2),
        Fault(kind="empty", path="/messages"),
    ],
    ids=lambda fault: f"{fault.kind} {fault.status if fault.kind == 'status' else ''}",
)
def test_passing_faults_cost_no_row(tap: Runner, fault: Fault) -> None:
    with Sandbox(WORLD, Options(faults=[fault])) as sandbox:
        assert_complete(tap(config_of(sandbox)), sandbox, *STREAMS)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (Fault(kind="status", status=401, times=None), "401 Unauthorized"),
        (Fault(kind="status", status=404, path="/tickets", times=None), "404"),
        (Fault(kind="html", times=None), "gorgias"),
        (Fault(kind="repeat", path="/messages", times=None), "repeated"),
        (Fault(kind="drop", field="id", path="/tickets", times=None), "`id`"),
        (Fault(kind="drop", field="updated_datetime", path="/tickets"), "`updated_datetime`"),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
def test_lasting_faults_are_sentences(tap: Runner, fault: Fault, sentence: str) -> None:
    with Sandbox(WORLD, Options(faults=[fault])) as sandbox:
        run = tap(config_of(sandbox))
        assert run.code == 1
        assert any(sentence in error for error in run.errors), run.errors


def test_rate_limit_is_kept(tap: Runner) -> None:
    with Sandbox(WORLD, Options(gorgias_rate_limit=10)) as sandbox:
        run = tap(config_of(sandbox, requests_per_minute=None))
        assert_complete(run, sandbox, *STREAMS)
