"""One account of a tap, and the names that belong to it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from dlt_bridge.accounts.result import title_of
from dlt_bridge.tap.inputs import account_source_name, default_source_name, tap_command

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, kw_only=True)
class Account:
    """An account, and how the tap reads it.

    Attributes:
        name: The account, as the column `_account` has it: any text.
        config: The settings of the tap for this account.
        tap: The executable of the tap, or a command with its arguments.
        catalog: The catalog of the tap; None to run its discovery.
        options: Further arguments of `singer`, such as `select` or `nested`.
        part: The part of the account that is loaded, with a source, a pipeline and a STATE of its
            own, such as `windows`; empty for the account itself.
        is_shard: Whether a run that holds the account loads this part of it.
    """

    name: str
    config: Mapping[str, Any]
    tap: str | Sequence[str] = "tap-chat"
    catalog: Mapping[str, Any] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    part: str = ""
    is_shard: bool = False

    @property
    def title(self) -> str:
        """The account and its part, for people to read."""
        return title_of(self.name, self.part)

    @property
    def tap_name(self) -> str:
        """The name of the tap's source, such as `tap_chat`."""
        return default_source_name(tap_command(self.tap))

    @property
    def source_name(self) -> str:
        """The name of the account's source, pipeline and schema, such as `tap_chat_acme`."""
        # No account has a NUL, so a part has the name of no account.
        own = f"{self.name}\0{self.part}" if self.part else self.name
        return account_source_name(self.tap_name, own)

    @property
    def lease_name(self) -> str:
        """The name of a run's lease: that of the account, which its shards do not share."""
        return self.source_name if self.is_shard else replace(self, part="").source_name
