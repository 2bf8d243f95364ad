"""`make limits`: simulate the tap with every rate limit, and write the tables of the page."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor

from limiters.cases import CASES
from limiters.page import PAGE, STARTS, meet, tables, with_tables
from rich.progress import track


def _outcomes(group: str, number: int) -> list:  # type: ignore[type-arg]
    return [meet(CASES[group][number], start) for start in STARTS]


def main() -> None:
    """Write the tables of docs/limits.md."""
    places = [(group, number) for group, cases in CASES.items() for number in range(len(cases))]
    with ProcessPoolExecutor() as pool:
        running = [pool.submit(_outcomes, *place) for place in places]
        met = [future.result() for future in track(running, "limits")]
    found = {
        group: [outcomes for (name, _), outcomes in zip(places, met, strict=True) if name == group]
        for group in CASES
    }
    PAGE.write_text(with_tables(PAGE.read_text(), tables(found)))


if __name__ == "__main__":
    main()
