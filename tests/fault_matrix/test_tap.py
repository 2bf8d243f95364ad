"""The tap and the faults of docs/faults.md: nothing is lost, or the run fails and says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fault_matrix.cases import CASES, PLACES, WORLD, Case
from fault_matrix.runs import Outcome, assert_discreet, assert_made_good, meet

from tap_chat.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from running import Runner


@pytest.fixture(scope="module")
def api() -> Iterator[Sandbox]:
    with Sandbox(WORLD) as sandbox:
        yield sandbox


def named(case: Case) -> str:
    return case.name


@pytest.mark.parametrize("case", [case for case in CASES if case.ending == "whole"], ids=named)
def test_fault_that_passes_costs_no_row(tap: Runner, api: Sandbox, case: Case) -> None:
    # The older messages of an incremental run are no matter of the others.
    apart = [case.platforms[:1], case.platforms[1:]] if case.settings else [case.platforms]
    for platforms in filter(None, apart):
        assert_whole(meet(tap, api, case, *platforms), case)


def assert_whole(outcome: Outcome, case: Case) -> None:
    assert_discreet(outcome.run)
    assert outcome.run.code == 0, outcome.run.errors
    assert outcome.cell == "whole"
    assert (outcome.changed > 0) == (case.fault.kind == "replace")


@pytest.mark.parametrize("case", [case for case in CASES if case.ending == "fails"], ids=named)
def test_fault_that_stays_fails_aloud_and_loses_nothing(
    tap: Runner, api: Sandbox, case: Case
) -> None:
    outcomes: dict[str, Outcome] = {}
    for platform in case.platforms:
        outcome = outcomes[platform] = meet(tap, api, case, platform)
        assert_discreet(outcome.run)
        assert outcome.run.code == 1, platform
        assert case.words_of(platform) in outcome.said, platform
        # What came before is written.
        assert outcome.found[PLACES[platform].stream], platform
        assert outcome.twice == 0, platform
    assert_made_good(tap, api, outcomes)
