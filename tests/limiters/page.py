"""The tables of docs/limits.md: written by `make limits`, read by the tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from demo import ROOT
from limiters.cases import CASES
from limiters.simulation import Outcome, Simulation

from tap_chat.http.rate_limits.pacer import Pacer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from limiters.cases import Case

PAGE = ROOT / "docs" / "limits.md"
BEGIN, END = "<!-- limits: begin (made by `make limits`) -->\n", "<!-- limits: end -->"
HEAD = ["allows", "reports", "share", "refusals", "idle"]


@dataclass(frozen=True)
class Start:
    """How a run begins.

    Attributes:
        workers: Requests at once.
        used: Whether the limit is used up when the run starts.
    """

    workers: int
    used: bool


STARTS = [Start(1, used=False), Start(1, used=True), Start(16, used=False), Start(16, used=True)]


def meet(case: Case, start: Start) -> Outcome:
    """Let the tap's pacer meet a server."""
    return Simulation(case, Pacer(None, start.workers), start.workers, used=start.used).run()


def row(case: Case, found: Sequence[Outcome]) -> list[str]:
    """Return the cells of a server: the worst of what came of it."""
    share = min(1.0, *(outcome.share for outcome in found))
    often = max(outcome.often for outcome in found)
    stall = max(outcome.stall for outcome in found)
    idle = f"{stall:.1f} s" if stall < 10 else f"{stall:.0f} s"
    return [case.name, case.reports.words, f"{share:.0%}", f"{often:.2f}", idle]


def tables(found: Mapping[str, Sequence[Sequence[Outcome]]]) -> str:
    """Return the tables, one for each group.

    Args:
        found: By the group, what came of each of its servers.
    """
    parts = []
    for group, cases in CASES.items():
        rows = [row(case, outcomes) for case, outcomes in zip(cases, found[group], strict=True)]
        parts.append(f"### {group}\n\n{_table(rows)}")
    return "\n".join(parts)


def _table(rows: Sequence[Sequence[str]]) -> str:
    lines = [HEAD, ["---"] * len(HEAD), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def with_tables(text: str, made: str) -> str:
    """Return the page with other tables between its markers."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{made}\n{END}{rest.split(END)[1]}"


def rows() -> Iterator[list[str]]:
    """Yield the rows of the page."""
    for line in PAGE.read_text().split(BEGIN)[1].split(END)[0].splitlines():
        if line.startswith("| ") and not line.startswith((f"| {HEAD[0]}", "| ---")):
            yield [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split(" |")]
