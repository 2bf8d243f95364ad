"""Which tests run, and which files of tests start first.

A worker takes the next file when it has finished one (`--dist=loadfile`). A long file that starts
last would keep one worker busy when all others are idle.

`make quick` is for the time in which code is written: one case of each test, without the files that
start programs of others, kill runs, run the commands of the documentation, or take long.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

TESTS = Path(__file__).parent
#: Files and folders with long files, the longest first.
LONG = (
    "interop/test_by_meltano.py",
    "interop/test_by_pipe.py",
    "interop/test_by_dlt.py",
    "interop",
    "test_both_worlds.py",
    "killing",
    "dagster",
    "pages",
    "guides",
    "synapse",
    "accounts",
    "parity",
    "test_wheel.py",
    "fault_matrix",
    "shipped",
    "bridge/test_power_loss.py",
    "bridge/test_sdk_target_suite.py",
    "bridge",
    "fuzz",
)
#: Files and folders that `make quick` leaves out.
NOT_QUICK = (
    "accounts",
    "bridge/test_account.py",
    "bridge/test_account_rows.py",
    "bridge/test_broken_off.py",
    "bridge/test_catalog.py",
    "bridge/test_chat_declarations.py",
    "bridge/test_cli.py",
    "bridge/test_cli_init.py",
    "bridge/test_duckdb_merge.py",
    "bridge/test_many.py",
    "bridge/test_many_tables.py",
    "bridge/test_names.py",
    "bridge/test_power_loss.py",
    "bridge/test_replaced.py",
    "bridge/test_sdk_target_suite.py",
    "bridge/test_state_owner.py",
    "dagster",
    "fault_matrix",
    "guides",
    "interop",
    "killing",
    "pages",
    "parity",
    "rest/test_kills.py",
    "shipped/test_by_both.py",
    "sql_recipes",
    "synapse",
    "tap/test_accounts.py",
    "tap/test_resume.py",
    "test_both_worlds.py",
    "test_docker.py",
    "test_secrets.py",
    "test_streams.py",
    "test_supply_chain.py",
    "test_toy_platform.py",
    "test_wheel.py",
)


def rank(path: Path) -> int:
    """Return the place of a file in the order. Files that are not long share the last place."""
    return next((place for place, name in enumerate(LONG) if _is_in(path, name)), len(LONG))


def quick(items: list[pytest.Item]) -> list[pytest.Item]:
    """Return the first case of each test that is not left out by `NOT_QUICK`."""
    first: dict[str, pytest.Item] = {}
    for item in items:
        if not any(_is_in(item.path, name) for name in NOT_QUICK):
            first.setdefault(item.nodeid.partition("[")[0], item)
    return list(first.values())


def _is_in(path: Path, name: str) -> bool:
    return path.relative_to(TESTS).is_relative_to(name)


def order(items: list[pytest.Item]) -> None:
    """Sort tests by the places of their files. Tests of a file keep their order."""
    items.sort(key=lambda item: rank(item.path))
