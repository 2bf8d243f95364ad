"""The tables of docs/faults.md: written by `make faults`, read by the tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from demo import ROOT
from fault_matrix.case import PLACES, TIMED
from fault_matrix.cases import CASES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from fault_matrix.case import Case
    from fault_matrix.runs import Outcome

PAGE = ROOT / "docs" / "faults.md"
BEGIN, END = "<!-- {}: begin (made by `make faults`) -->\n", "<!-- {}: end -->"
#: The cell of a platform that does not have the fault.
NOT_THERE = ""
SAYS = "the error"
SECONDS = "seconds, of the least"
LOADS = ("target-duckdb", "bridge")


def tables(found: Mapping[str, Mapping[str, Outcome]], least: Mapping[str, float]) -> str:
    """Return the tables of the tap, one for each group.

    Args:
        found: The outcome of each case on each platform.
        least: The shortest possible seconds of the cases for which the page shows them.
    """
    groups: dict[str, list[list[str]]] = {}
    for case in CASES:
        cells = row(found[case.name])
        if case.group in TIMED:
            said = cells.pop(SAYS)
            cells |= {SECONDS: seconds(found[case.name], least.get(case.name)), SAYS: said}
        groups.setdefault(case.group, []).append([case.name, *cells.values()])
    titles = ["", *(place.title for place in PLACES.values())]
    return "\n".join(
        f"### {group}\n\n{table([*titles, *columns_of(group)], rows)}"
        for group, rows in groups.items()
    )


def columns_of(group: str) -> list[str]:
    """Return the columns of a table after the platforms."""
    return [SECONDS, SAYS] if group in TIMED else [SAYS]


def seconds(found: Mapping[str, Outcome], least: float | None) -> str:
    """Return the cell with the seconds of the runs of a case, and the shortest possible."""
    if least is None:
        return ""
    runs = {id(outcome): outcome.seconds for outcome in found.values()}
    return f"{sum(runs.values()):.1f} of {least:.1f}"


def row(found: Mapping[str, Outcome]) -> dict[str, str]:
    """Return the cells of a case; an error is that of the first platform that has one.

    Args:
        found: The outcome on each platform.
    """
    cells = {name: found[name].cell if name in found else NOT_THERE for name in PLACES}
    return cells | {SAYS: next((outcome.said for outcome in found.values() if outcome.said), "")}


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def with_tables(text: str, made: Mapping[str, str]) -> str:
    """Return a page with new tables between its markers."""
    for name, content in made.items():
        begin, end = BEGIN.format(name), END.format(name)
        before, rest = text.split(begin)
        text = f"{before}{begin}\n{content}\n{end}{rest.split(end)[1]}"
    return text


def rows(name: str) -> Iterator[list[str]]:
    """Yield the rows of the page between the markers of this name."""
    text = PAGE.read_text().split(BEGIN.format(name))[1].split(END.format(name))[0]
    for line in text.splitlines():
        if line.startswith("| ") and not line.startswith(("|  |", "| ---")):
            yield [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split(" |")]


def on_page(case: Case, found: Mapping[str, Outcome]) -> dict[str, str]:
    """Return the row of a case on the page, for the platforms on which it ran."""
    [cells] = [cells for name, *cells in rows("tap") if name == case.name]
    page = dict(zip([*PLACES, *columns_of(case.group)], cells, strict=True))
    # The seconds depend on the machine.
    page.pop(SECONDS, None)
    return page | {name: NOT_THERE for name in case.slow if name not in found}


def loads_on_page(case: Case) -> dict[str, str]:
    """Return the row of the loads of a case on the page."""
    [cells] = [cells for name, *cells in rows("loads") if name == case.name]
    return dict(zip(LOADS, cells, strict=True))
