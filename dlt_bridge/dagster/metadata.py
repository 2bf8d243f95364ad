"""The metadata of materializations: what a run has loaded, without any value of a row."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from dagster import MetadataValue

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dlt_bridge.accounts import AccountResult

#: Larger numbers are milliseconds since 1970, not seconds. As seconds, it is after the year 2100.
FIRST_MILLISECOND = 5_000_000_000
_TIME_NAME = re.compile(r"(_at|time|timestamp|date)$", re.IGNORECASE)


def stream_metadata(result: AccountResult, stream: str) -> dict[str, Any]:
    """Return what a run has done for one stream, and as a whole.

    Args:
        result: The result of the run.
        stream: The name of the stream.
    """
    reached = _time(result.bookmarks.get(stream, {}))
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


def _time(bookmark: Mapping[str, Any]) -> datetime | None:
    """Return the bookmark of a stream as a time; None if it is none.

    A number is one of a time if its property has the name of one: others are ids.
    """
    value: Any = bookmark.get("replication_key_value")
    name = str(bookmark.get("replication_key"))
    if isinstance(value, (int, float)) and _TIME_NAME.search(name):
        seconds = value / 1000 if value > FIRST_MILLISECOND else value
        return datetime.fromtimestamp(seconds, UTC) if seconds < FIRST_MILLISECOND else None
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return time if time.tzinfo else time.replace(tzinfo=UTC)
