"""The metadata of materializations: what a run has loaded, without any value of a row."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dagster import MetadataValue

if TYPE_CHECKING:
    from dlt_bridge.accounts import AccountResult


def stream_metadata(result: AccountResult, stream: str) -> dict[str, Any]:
    """Return what a run has done for one stream, and as a whole.

    Args:
        result: The result of the run.
        stream: The name of the stream.
    """
    reached = _time(result.bookmarks.get(stream, {}).get("replication_key_value"))
    return {
        "rows": result.rows.get(stream, 0),
        **({"read until": MetadataValue.timestamp(reached)} if reached else {}),
        **run_metadata(result),
    }


def run_metadata(result: AccountResult) -> dict[str, Any]:
    """Return what a run has done for all its streams together.

    Args:
        result: The result of the run.
    """
    measured = {"requests": result.requests, "seconds of rate limits": result.waited}
    return {
        "rows of the run": sum(result.rows.values()),
        "bytes of the run": result.bytes,
        "packages": result.packages,
        "seconds": round(result.seconds, 1),
        "warnings of the tap": result.warnings,
        **{name: value for name, value in measured.items() if value is not None},
        **({"new columns": MetadataValue.json(result.new_columns)} if result.new_columns else {}),
    }


def _time(bookmark: Any) -> datetime | None:  # noqa: ANN401
    """Return a bookmark as a time; None if it is none."""
    try:
        time = datetime.fromisoformat(bookmark)
    except (TypeError, ValueError):
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
