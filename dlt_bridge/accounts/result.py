"""What a run of one account has done."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


def title_of(account: str, part: str) -> str:
    """Return an account and its part, for people to read."""
    return f"{account} ({part})" if part else account


@dataclass(kw_only=True)
class AccountResult:
    """What a run of one account has done, whether it failed or not.

    Attributes:
        account: The account.
        part: The part of the account, such as `shard 1 of 4`; empty for the account itself.
        failure: Why the run failed, in a sentence without secrets; None if it did not.
        is_busy: Another run holds the account, so this one did nothing.
        rows: The number of rows that are committed, by stream.
        bytes: The size of the files that were loaded, in bytes.
        packages: The number of packages that are committed.
        seconds: The duration of the run.
        requests: The number of requests that the tap has logged; None if it logs none.
        waited: Seconds that the tap has waited for rate limits; None if it logs none.
        warnings: The number of warnings and errors that the tap has logged.
        new_columns: The new columns of tables that existed before, by table.
        bookmarks: How far each stream is: its bookmark in the tap's STATE, by stream.
    """

    account: str
    part: str = ""
    failure: str | None = None
    is_busy: bool = False
    rows: dict[str, int] = field(default_factory=dict)
    bytes: int = 0
    packages: int = 0
    seconds: float = 0.0
    requests: int | None = None
    waited: float | None = None
    warnings: int = 0
    new_columns: dict[str, list[str]] = field(default_factory=dict)
    bookmarks: dict[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The account and its part, for people to read."""
        return title_of(self.account, self.part)

    def to_json(self) -> dict[str, Any]:
        """Return the result as an object for JSON."""
        return asdict(self)
