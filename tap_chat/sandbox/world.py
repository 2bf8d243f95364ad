"""The made-up accounts behind the sandbox: the same seed always gives the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

import msgspec
from typing_extensions import override

from tap_chat.sandbox.declarations import joined
from tap_chat.sandbox.dialect import WorldSettings
from tap_chat.sandbox.registry import DIALECTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_chat.sandbox.dialect import Account, Row


class Truth(Mapping[str, "list[Row]"]):
    """The rows of all streams, made for the dialects that are asked for.

    Args:
        accounts: The accounts by the names of their dialects.
    """

    def __init__(self, accounts: Mapping[str, Account]) -> None:
        self._accounts = accounts

    @override
    def __getitem__(self, stream: str) -> list[Row]:
        # A stream's name begins with that of its dialect.
        return self._accounts[stream.partition("_")[0]].truth[stream]

    @override
    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(account.truth for account in self._accounts.values())

    @override
    def __len__(self) -> int:
        return sum(len(account.truth) for account in self._accounts.values())


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

    @cached_property
    def truth(self) -> Mapping[str, list[Row]]:
        """The rows that each stream must bring: those of the API, with the fields the tap adds."""
        return Truth(self.accounts)

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
