"""`chat_checks`: keys are unique, and accounts are fresh."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
import duckdb
from orchestration.in_process import DuckDBFile
from running import config_of

from dlt_bridge.dagster import chat_checks

if TYPE_CHECKING:
    from pathlib import Path

    from tap_chat.sandbox import Sandbox


def check(
    warehouse: DuckDBFile, **options: Any
) -> dict[tuple[str, str], tuple[bool, dict[str, Any]]]:
    """Run the checks of all streams; return whether each passed, and its metadata."""
    result = dg.materialize(
        [*warehouse.assets, *chat_checks(warehouse.assets, **options)],
        selection=dg.AssetSelection.all_asset_checks(),
        instance=warehouse.instance,
    )
    return {
        (found.asset_key.path[-1], found.check_name): (
            found.passed,
            {name: value.value for name, value in found.metadata.items()},
        )
        for found in result.get_asset_check_evaluations()
    }


def test_checks_count_doubled_keys_and_name_accounts_that_are_not_fresh(
    tmp_path: Path, sandbox: Sandbox, instance: dg.DagsterInstance
) -> None:
    accounts = {name: config_of(sandbox, name, "dixa") for name in ("acme", "a|b")}
    warehouse = DuckDBFile(tmp_path, instance, accounts)
    stream = "dixa_conversation_export"
    # Nothing was loaded yet.
    before = check(warehouse)
    assert before[stream, "keys_are_unique"] == (True, {"rows": 0, "keys with several rows": 0})
    assert before[stream, "accounts_are_fresh"][1]["some of them"] == ["acme", "a|b"]

    assert warehouse.materialize("acme", "dixa").success
    truth = sandbox.world_of("acme").truth[stream]
    found = check(warehouse)
    assert found[stream, "keys_are_unique"][1]["rows"] == len(truth)
    assert found[stream, "accounts_are_fresh"][0] is False
    assert found[stream, "accounts_are_fresh"][1]["some of them"] == ["a|b"]
    del accounts["a|b"]
    assert check(warehouse)[stream, "accounts_are_fresh"][0] is True
    late = check(warehouse, max_age=timedelta(0))
    assert late[stream, "accounts_are_fresh"][0] is False

    with duckdb.connect(warehouse.file) as database:
        table = f"data.{stream}"
        database.execute(f"insert into {table} select * from {table} limit 3")
    passed, metadata = check(warehouse)[stream, "keys_are_unique"]
    assert (passed, metadata["keys with several rows"]) == (False, 3)
