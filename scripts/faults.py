"""`make faults`: run the tap and both loads with every fault, and write the tables of the page."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from fault_matrix.case import WORLD
from fault_matrix.cases import CASES
from fault_matrix.loads import by_bridge, by_target_duckdb, cases_of_values
from fault_matrix.page import LOADS, PAGE, table, tables, with_tables
from fault_matrix.runs import least_seconds, outcomes
from rich.progress import track
from running import Runner

from tap_chat.sandbox import Sandbox


def main() -> None:
    """Write the tables of docs/faults.md."""
    values = cases_of_values()
    with TemporaryDirectory() as name, Sandbox(WORLD) as sandbox:
        folder = Path(name)
        found = {
            case.name: outcomes(Runner(folder), sandbox, case) for case in track(CASES, "tap-chat")
        }
        least = {
            case.name: least_seconds(Runner(folder), sandbox, case)
            for case in track(CASES, "without faults")
            if case.timed
        }
        by_target = {}
        for number, case in enumerate(track(values, "target-duckdb")):
            own = folder / f"target-{number}"
            own.mkdir()
            by_target[case.name] = by_target_duckdb(Runner(own), sandbox, case).cell
        by_dlt = by_bridge(folder, sandbox, values)
    loads = [[case.name, by_target[case.name], by_dlt[case.name].cell] for case in values]
    made = {"tap": tables(found, least), "loads": table(["", *LOADS], loads)}
    PAGE.write_text(with_tables(PAGE.read_text(), made))


if __name__ == "__main__":
    main()
