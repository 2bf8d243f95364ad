"""The settings of Front in the sandbox: its data, and how its API behaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta
from typing_extensions import override

from tap_chat.sandbox.dialect import DialectOptions, WorldSettings
from tap_chat.sandbox.limits import Limit

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Front has a host of its own; in the sandbox, no other API has the same path.
PATH = "/front"


@dataclass(frozen=True, kw_only=True)
class FrontData(WorldSettings):
    """What the company holds."""

    front_conversations: Annotated[int, Meta(ge=0, description="Conversations of Front.")] = 25
    front_deleted: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="The share of Front's conversations that have events, but return 404, from"
            " 0 to 1.",
        ),
    ] = 0.0


@dataclass(kw_only=True)
class FrontOptions(DialectOptions):
    """How the API behaves."""

    front_after: Annotated[
        Literal["[", "("],
        Meta(
            description="Whether Front's events after a time include those at that time: a square"
            " bracket includes them, a round one does not."
        ),
    ] = "("
    front_rate_limit: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(
            description="Requests to Front allowed in a minute. Front allows 50, 100 or 200,"
            " depending on the plan."
        ),
    ] = None
    front_tier_limit: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(
            description="Requests for conversations of Front allowed in a second, and what belongs"
            " to them. Front allows 5."
        ),
    ] = None

    @override
    def own_limits(self) -> Iterator[Limit]:
        yield from super().own_limits()
        if self.front_rate_limit is not None:
            yield Limit(
                count=self.front_rate_limit,
                reports=("seconds", "x_ratelimit_epoch"),
                path=PATH,
            )
        if self.front_tier_limit is not None:
            yield Limit(
                count=self.front_tier_limit,
                window=1,
                reports=("seconds",),
                path=f"{PATH}/conversations/",
            )
