"""The settings of Intercom in the sandbox: its data, and how its API behaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta
from typing_extensions import override

from tap_chat.sandbox.dialect import DialectOptions, WorldSettings
from tap_chat.sandbox.limits import Limit

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, kw_only=True)
class IntercomData(WorldSettings):
    """What the account holds."""

    intercom_conversations: Annotated[int, Meta(ge=0, description="Conversations of Intercom.")] = (
        60
    )
    intercom_contacts: Annotated[int, Meta(ge=0, description="Contacts of Intercom.")] = 40
    intercom_parts: Annotated[
        int,
        Meta(ge=0, description="Parts of the longest conversation of Intercom, which comes first."),
    ] = 12
    intercom_gone: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="The share of Intercom's conversations that a search finds, but return"
            " 404, from 0 to 1.",
        ),
    ] = 0.0


@dataclass(kw_only=True)
class IntercomOptions(DialectOptions):
    """How the API behaves."""

    intercom_rate_limit: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(
            description="Requests to Intercom allowed in 10 seconds, as `X-RateLimit-*` state it;"
            " the rest get a 429. Intercom allows 1,666."
        ),
    ] = None

    @override
    def own_limits(self) -> Iterator[Limit]:
        """Yield the rate limit of Intercom: windows of 10 seconds without a gap."""
        yield from super().own_limits()
        if self.intercom_rate_limit is not None:
            yield Limit(
                count=self.intercom_rate_limit,
                window=10.0,
                aligned=True,
                path="/intercom/",
                reports=("x_ratelimit_epoch",),
            )
