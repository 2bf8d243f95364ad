"""The tap with the faults of docs/faults.md: it loses no row, or the run fails with an error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from fault_matrix.case import PLACES, Case
from fault_matrix.cases import CASES
from fault_matrix.page import on_page, row, rows
from fault_matrix.runs import assert_discreet, assert_made_good, outcomes

if TYPE_CHECKING:
    from running import Runner

    from tap_chat.sandbox import Sandbox


#: The seconds that a run may take besides its waits; `make faults` measures them.
LONGEST = 20


def named(case: Case) -> str:
    return case.name


def cases_that(ending: str) -> list[Case]:
    """Return the cases with an ending, on the platforms where they are fast."""
    return [case for case in CASES if case.ending == ending and case.quick.platforms]


@pytest.mark.parametrize("case", cases_that("whole"), ids=named)
def test_temporary_fault_loses_no_row(tap: Runner, api: Sandbox, case: Case) -> None:
    found = outcomes(tap, api, case.quick)
    for run in {id(outcome): outcome.run for outcome in found.values()}.values():
        assert_discreet(run)
    for outcome in found.values():
        assert outcome.run.code == 0, outcome.run.errors
        assert outcome.cell == "whole" or (case.again and outcome.lost == 0)
        assert (outcome.changed > 0) == (case.fault.kind == "replace")
        assert outcome.seconds <= LONGEST + case.least
    assert on_page(case, found) == row(found)


@pytest.mark.parametrize("case", cases_that("fails"), ids=named)
def test_permanent_fault_is_an_error_and_loses_nothing(
    tap: Runner, api: Sandbox, case: Case
) -> None:
    if case.name.endswith("100,000 deep") and sys.version_info >= (3, 14):
        pytest.skip("Python 3.14 reads JSON of any depth")
    found = outcomes(tap, api, case.quick)
    for platform, outcome in found.items():
        assert_discreet(outcome.run)
        assert outcome.run.code == 1, platform
        assert case.words_of(platform) in outcome.said, platform
        # The records before the fault are written.
        assert outcome.found[PLACES[platform].stream], platform
        assert outcome.twice == 0, platform
    assert on_page(case, found) == row(found)
    assert_made_good(tap, api, found, case.world)


def test_rows_of_the_page_are_the_cases() -> None:
    assert [name for name, *_ in rows("tap")] == [case.name for case in CASES]
    assert len({case.name for case in CASES}) == len(CASES)
