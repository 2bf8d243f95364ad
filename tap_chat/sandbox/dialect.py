"""What a dialect declares: the paths it serves, the account behind them, and their settings."""

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
    """What has happened to the lists of a world since it was created.

    Attributes:
        removed: The ids of the rows that were deleted.
        inserted: The place of each new row, as its dialect describes places.
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
    """The settings of a world that all accounts share. Dialects extend this class."""

    seed: Annotated[int, Meta(description="The same seed gives the same data.")] = 7
    now: Annotated[
        datetime,
        Meta(
            tz=True,
            description="The current time of the accounts, ISO 8601 with a zone. At a later time"
            " they have more rows, and some rows have changed.",
        ),
    ] = NOW
    hidden: Annotated[
        int,
        Meta(
            ge=0,
            description="About one row in this many is hidden: it takes a place on its page, but is"
            " not in the response. For the messages API and Freshchat's lists; 0 for none.",
        ),
    ] = 0
    changes: Changes = field(default_factory=Changes)


@dataclass(kw_only=True)
class DialectOptions:
    """The options that all dialects share. Dialects extend this class."""

    max_page_size: Annotated[
        int, Meta(ge=1, description="The most records on a page, even if a request asks for more.")
    ] = 100
    rate_window: Annotated[
        float,
        Meta(gt=0, description="The window of `--rate-limit` and `--dixa-rate-limit`, in seconds."),
    ] = 60.0

    def own_limits(self) -> Iterator[Limit]:
        """Yield the rate limits that belong to the API itself."""
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
        title: The name of the API for people.
        paths: The paths that it serves, in Starlette's syntax.
        methods: The methods that it serves. The body of a request is `request.state.body`.
        respond: Returns the response to a request, given the account, the options and the fault
            that affects the request, or None.
        data: The settings of a world that decide what the account holds.
        options: The options that decide how the API behaves.
        account: Creates the account from the settings of a world.
        config: Returns the tap's settings for this API, given the sandbox's URL.
        world_config: Returns the tap's settings that depend on the settings of the world.
        events: What can happen to its lists while they are read, by the name of a list. Where there
            are some, the account is a `ChangingAccount`.
    """

    name: str
    title: str
    paths: tuple[str, ...]
    methods: tuple[str, ...] = ("GET",)
    respond: Callable[[Request, Any, Any, Fault | None], Response]
    data: type[WorldSettings] = WorldSettings
    options: type[DialectOptions] = DialectOptions
    account: Callable[[Any], Account]
    config: Callable[[str], dict[str, Any]]
    world_config: Callable[[Any], dict[str, Any]] = lambda _: {}
    events: Mapping[str, frozenset[Event]] = field(default_factory=dict)

    def config_of(self, url: str, world: object) -> dict[str, Any]:
        """Return the tap's settings for this API in a world."""
        return self.config(url) | self.world_config(world)
