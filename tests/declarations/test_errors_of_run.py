"""A run with wrong declarations ends before any request, with a line for each problem."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from running import Runner

FAULTY = Path(__file__).parent / "faulty"


def test_each_problem_is_a_line_of_the_log(tap: Runner) -> None:
    run = tap({"rest": {"livechat": str(FAULTY / "livechat.json")}})
    assert run.code == 1
    assert run.messages == []
    assert [error.partition("`")[2].partition("`")[0] for error in run.errors] == [
        "BASE_CONFIG",
        "ENDPOINTS",
        "DEPENDENCIES",
        "client",
    ]


def test_problems_of_all_declarations_are_reported_at_once(tap: Runner) -> None:
    sections = {name: str(FAULTY / f"{name}.json") for name in ("messages", "dixa")}
    run = tap({"rest": {**sections, "none": "none.yaml"}})
    assert run.code == 1
    assert [error.partition(" ")[0] for error in run.errors] == [
        "rest.messages:",
        "rest.dixa:",
        "rest.dixa:",
        "The",
    ]
