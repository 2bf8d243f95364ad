"""Values of the tap arrive in DuckDB with both loads, as docs/faults.md shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import demo
import pytest
from fault_matrix.loads import by_bridge, by_target_duckdb, cases_of_values
from fault_matrix.page import loads_on_page
from leaks import leaks

if TYPE_CHECKING:
    from pathlib import Path

    from fault_matrix.case import Case
    from running import Runner

    from tap_chat.sandbox import Sandbox


@pytest.mark.skipif(not demo.HAS_TARGET_DUCKDB, reason="target-duckdb loses rows on Python 3.14")
@pytest.mark.parametrize("case", cases_of_values(), ids=lambda case: case.name)
def test_target_duckdb_stores_the_value_on_the_page(tap: Runner, api: Sandbox, case: Case) -> None:
    loaded = by_target_duckdb(tap, api, case)
    assert loads_on_page(case)["target-duckdb"] == loaded.cell


def test_bridge_keeps_every_value(tmp_path: Path, api: Sandbox) -> None:
    cases = cases_of_values()
    found = by_bridge(tmp_path, api, cases)
    for case in cases:
        assert found[case.name].cell.startswith("whole"), case.name
        assert "instead" not in found[case.name].cell
        assert leaks(found[case.name].err) == []
        assert loads_on_page(case)["bridge"] == found[case.name].cell
