"""Assets of accounts of the sandbox, which a test loads into a DuckDB file in its process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg
import duckdb

from dlt_bridge.dagster import chat_assets
from dlt_bridge.dagster.partitions import partition_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class DuckDBFile:
    """The assets of some accounts, which are loaded into a DuckDB file.

    Args:
        folder: The folder for all files.
        instance: Dagster's storage.
        accounts: The accounts.
        options: Further arguments of `chat_assets`.
    """

    def __init__(
        self,
        folder: Path,
        instance: dg.DagsterInstance,
        accounts: Mapping[str, Any],
        **options: Any,
    ) -> None:
        self.file, self.instance = str(folder / "w.duckdb"), instance
        self.assets = chat_assets(
            accounts=accounts,
            destination="duckdb",
            dataset_name="data",
            credentials=self.file,
            pipelines_dir=str(folder / "pipelines"),
            **options,
        )

    def materialize(self, account: str, platform: str, **options: Any) -> dg.ExecuteInProcessResult:
        """Run the partition of an account, or of one of its windows: `acme|2025-01-01`."""
        key = account if "|2" in account else partition_key(account)
        self.instance.add_dynamic_partitions(f"{platform}_accounts", [key.partition("|")[0]])
        assets = [
            definition for definition in self.assets if definition.op.name == f"{platform}_streams"
        ]
        return dg.materialize(assets, partition_key=key, instance=self.instance, **options)

    def rows(self, query: str) -> list[Any]:
        with duckdb.connect(self.file, read_only=True) as database:
            return database.execute(query).fetchall()
