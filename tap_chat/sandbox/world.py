"""The made-up accounts behind the sandbox: the same seed always gives the same rows."""

from __future__ import annotations

from dataclasses import asdict, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import msgspec

from tap_chat.sandbox.declarations import joined
from tap_chat.sandbox.dialect import WorldSettings
from tap_chat.sandbox.registry import DIALECTS

if TYPE_CHECKING:
    from tap_chat.sandbox.dialect import Account, Row


class Accounts:
    """The accounts of all dialects; each is an attribute with the name of its dialect."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if any(dialect.name == name for dialect in DIALECTS):
            return self.accounts[name]
        message = f"there is neither a setting nor an account `{name}`"
        raise AttributeError(message)

    @cached_property
    def accounts(self) -> dict[str, Account]:
        """The accounts by the names of their dialects."""
        return {dialect.name: dialect.account(self) for dialect in DIALECTS}

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows that each stream must bring."""
        return {
            stream: count
            for account in self.accounts.values()
            for stream, count in account.rows.items()
        }

    @property
    def truth(self) -> dict[str, list[Row]]:
        """The rows that each stream must bring: those of the API, with the fields the tap adds."""
        return {
            stream: rows
            for account in self.accounts.values()
            for stream, rows in account.truth.items()
        }

    @classmethod
    def names(cls) -> set[str]:
        """Return the names of the settings."""
        return {field.name for field in fields(cast("Any", cls))}

    @property
    def settings(self) -> dict[str, Any]:
        """The settings by name."""
        return asdict(cast("Any", self))

    def changed(self, settings: dict[str, object]) -> Self:
        """Return this world with other settings.

        Args:
            settings: The settings, as JSON has them.

        Raises:
            msgspec.ValidationError: One is wrong.
        """
        return msgspec.convert(self.settings | settings, type(self)) if settings else self


if TYPE_CHECKING:

    class World(Accounts):
        """The data of one sandbox; type checkers do not know its settings."""

        __dataclass_fields__: ClassVar[dict[str, Any]]

        def __init__(self, **settings: Any) -> None: ...  # noqa: ANN401
else:
    World = joined(
        "World",
        "The data of one sandbox.\n\nTime moves on with `dataclasses.replace(world, now=later)`:"
        " what existed still exists under the\nsame ids, some of it has changed, and there is more"
        " of it. The sizes of Freshchat, Dixa and\nLiveChat are those of 2026-01-31T12:00Z,"
        " whatever `now` is.",
        Accounts,
        WorldSettings,
        *(dialect.data for dialect in DIALECTS),
        frozen=True,
    )
