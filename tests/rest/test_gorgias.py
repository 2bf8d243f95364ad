"""The shipped declaration of Gorgias: newest first until the bookmark."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from running import assert_up_to_date, full_config

from tap_chat.sandbox import Drift, Fault, Options, Sandbox, World

if TYPE_CHECKING:
    from running import Runner

LATER = datetime(2026, 3, 15, tzinfo=UTC)
WORLD = World(gorgias_tickets=250)
STREAMS = [f"gorgias_{name}" for name in ("tickets", "messages", "customers")]
STREAMS += ["gorgias_satisfaction_surveys"]


def config_of(sandbox: Sandbox, **settings: Any) -> dict[str, Any]:
    return full_config(sandbox, "gorgias", gorgias={"requests_per_minute": 100_000, **settings})


def test_later_runs_read_what_is_new_or_changed(tap: Runner) -> None:
    with Sandbox(WORLD) as sandbox:
        runs = [tap(config_of(sandbox))]
        requests = sandbox.requests
        sandbox.world = replace(sandbox.world, now=LATER)
        runs.append(tap(config_of(sandbox), state=runs[-1].state))
        assert_up_to_date(runs, sandbox, STREAMS)
        assert len(runs[1].rows("gorgias_tickets")) < len(runs[0].rows("gorgias_tickets"))
        requests, before = sandbox.requests, requests
        assert requests - before < before
        third = tap(config_of(sandbox), state=runs[-1].state)
        assert_up_to_date([*runs, third], sandbox, STREAMS)
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
        assert_up_to_date([first, second], sandbox, STREAMS)


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
