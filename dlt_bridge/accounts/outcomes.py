"""Outcomes: how the last run of each account has ended, and which account is loaded next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Outcome:
    """How the last run of an account has ended.

    Attributes:
        failed: It failed, or was killed.
        loaded_at: When a run has last loaded everything; None if none has.
    """

    failed: bool
    loaded_at: datetime | None


def failed_first(pipelines: Mapping[str, str], outcomes: Mapping[str, Outcome]) -> list[str]:
    """Return accounts in the order in which they are to be loaded.

    Those whose last run failed come first, then new ones, then those that were loaded longest ago.

    Args:
        pipelines: The pipelines, by account.
        outcomes: The outcomes of their last runs, by pipeline.
    """
    long_ago = datetime.min.replace(tzinfo=UTC)

    def place(account: str) -> tuple[bool, datetime]:
        outcome = outcomes.get(pipelines[account], Outcome(failed=False, loaded_at=None))
        return not outcome.failed, outcome.loaded_at or long_ago

    return sorted(pipelines, key=place)


def read_time(value: datetime | str) -> datetime:
    """Return a timestamp as the destination gives it; SQLite gives texts."""
    time = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def read_outcome(started: Any, ended: Any, loaded: Any, failure: str | None) -> Outcome:  # noqa: ANN401
    """Return the outcome that a row of the ledger has."""
    was_killed = started is not None and ended is None
    return Outcome(
        failed=was_killed or failure is not None,
        loaded_at=None if loaded is None else read_time(loaded),
    )
