"""Reports of runs of many accounts: a table for people, JSON for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from dlt_bridge.run.report import counted
from tap_chat.escapes import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dlt_bridge.accounts.result import AccountResult

NUMBERS = ("rows", "seconds", "requests", "waited", "warnings")


def outcome(result: AccountResult) -> str:
    """Return how the run of an account has ended, in one line."""
    if result.is_busy:
        return "held by another run"
    if result.failure is None:
        return "loaded"
    return f"failed: {result.failure.partition(chr(10))[0]}"


def table(results: Sequence[AccountResult], seconds: float) -> Table:
    """Return the results as a table of rich.

    Args:
        results: The results.
        seconds: The duration of the whole run.
    """
    grid = Table(title_justify="left")
    grid.add_column("account", overflow="fold")
    for name in NUMBERS:
        grid.add_column(name, justify="right")
    grid.add_column("outcome", overflow="fold")

    def add(*cells: str) -> None:
        # As text, names are not read as rich's markup.
        grid.add_row(*(Text(printable(cell)) for cell in cells))

    for result in results:
        add(
            result.title,
            f"{sum(result.rows.values()):,}",
            f"{result.seconds:.1f}",
            "" if result.requests is None else f"{result.requests:,}",
            "" if result.waited is None else f"{result.waited:.0f} s",
            f"{result.warnings:,}",
            outcome(result),
        )
    grid.add_section()
    failed = sum(result.failure is not None for result in results)
    add(
        counted(len(results), "shard" if any(result.part for result in results) else "account"),
        f"{sum(sum(result.rows.values()) for result in results):,}",
        f"{seconds:.1f}",
        f"{sum(result.requests or 0 for result in results):,}",
        f"{sum(result.waited or 0 for result in results):.0f} s",
        f"{sum(result.warnings for result in results):,}",
        f"{len(results) - failed:,} loaded" + (f", {failed:,} not" if failed else ""),
    )
    return grid


def summary(results: Sequence[AccountResult], seconds: float) -> dict[str, Any]:
    """Return the results as an object for JSON.

    Args:
        results: The results.
        seconds: The duration of the whole run.
    """
    failed = sum(result.failure is not None for result in results)
    return {
        "loaded": len(results) - failed,
        "failed": failed,
        "rows": sum(sum(result.rows.values()) for result in results),
        "seconds": round(seconds, 3),
        "accounts": [result.to_json() for result in results],
    }
