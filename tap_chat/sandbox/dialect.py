"""What a dialect declares: the requests it answers, the account behind them, and their settings."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime  # noqa: TC003 - the types of settings are read at run time
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from msgspec import Meta

from tap_chat.sandbox.samples import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from starlette.requests import Request
    from starlette.responses import Response

    from tap_chat.sandbox.faults import Fault
    from tap_chat.sandbox.limits import Limit

Row = dict[str, Any]
#: What can happen to a row of a list while the list is read.
Event = Literal["delete", "insert", "update"]


@dataclass(frozen=True)
class Changes:
    """What has happened to the lists of a world since it was made.

    Attributes:
        removed: The ids of the rows that were deleted.
        inserted: Where each new row was inserted, in the words of its dialect.
        updated: The ids of the rows that were updated, in this order.
    """

    removed: tuple[str, ...] = ()
    inserted: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()

    def with_inserted(self, place: str) -> Changes:
        """Return the changes with one more row at a place."""
        return replace(self, inserted=(*self.inserted, place))


@dataclass(frozen=True, kw_only=True)
class WorldSettings:
    """The settings of a world that all accounts share; a dialect's own extend them."""

    seed: Annotated[int, Meta(description="The same seed gives the same data.")] = 7
    now: Annotated[
        datetime,
        Meta(
            tz=True,
            description="The time at which the accounts are seen, ISO 8601 with a zone. Moved"
            " forward, there is more, and some of what was has changed.",
        ),
    ] = NOW
    hidden: Annotated[
        int,
        Meta(
            ge=0,
            description="Of about so many rows of the messages API and of Freshchat's lists, one"
            " has its place in a page and is not shown; 0 for none.",
        ),
    ] = 0
    changes: Changes = field(default_factory=Changes)


@dataclass(kw_only=True)
class DialectOptions:
    """The options that all dialects share; a dialect's own extend them."""

    max_page_size: Annotated[
        int, Meta(ge=1, description="Most records of a page, whatever is asked for.")
    ] = 100
    rate_window: Annotated[
        float, Meta(gt=0, description="Seconds in which so many requests are allowed.")
    ] = 60.0

    def own_limits(self) -> Iterator[Limit]:
        """Yield the limits that APIs have of their own."""
        yield from ()


class Account(Protocol):
    """The made-up account behind a dialect, at one time. The same seed gives the same rows."""

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows that each stream must bring."""

    @property
    def truth(self) -> dict[str, list[Row]]:
        """The rows that each stream must bring, as the API gives them, with what the tap adds."""


class ChangingAccount(Account, Protocol):
    """An account whose lists can change while they are read."""

    def listed(self, name: str, options: Any) -> list[str]:  # noqa: ANN401 - the dialect's own
        """Return the ids of a list that can change, in the order in which it is listed."""

    def insert(self, name: str, place: int) -> dict[str, Any]:
        """Return the settings of the world in which the list has one more row."""


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """An API that the sandbox serves.

    Attributes:
        name: The name of the platform, as its section in the tap's config.
        title: What people call the API.
        paths: The paths that it answers, as Starlette has them.
        respond: Answers a request, from the account, the options and the fault that strikes.
        data: The settings of a world that decide what the account holds.
        options: The options that decide how the API behaves.
        account: Makes the account from the settings of a world.
        config: From the sandbox's URL to the tap's settings for this API.
        events: What can happen to its lists while they are read, by the name of a list. Where there
            are some, the account is a `ChangingAccount`.
    """

    name: str
    title: str
    paths: tuple[str, ...]
    respond: Callable[[Request, Any, Any, Fault | None], Response]
    data: type[WorldSettings] = WorldSettings
    options: type[DialectOptions] = DialectOptions
    account: Callable[[Any], Account]
    config: Callable[[str], dict[str, Any]]
    events: Mapping[str, frozenset[Event]] = field(default_factory=dict)
