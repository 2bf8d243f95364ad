"""The settings of Gorgias in the sandbox: its data, and how its API behaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta
from typing_extensions import override

from tap_chat.sandbox.dialect import DialectOptions, WorldSettings
from tap_chat.sandbox.limits import Limit

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Gorgias has a host per account, with this path; in the sandbox, no other API has the same path.
PATH = "/gorgias/api"


@dataclass(frozen=True, kw_only=True)
class GorgiasData(WorldSettings):
    """What the account holds."""

    gorgias_tickets: Annotated[int, Meta(ge=0, description="Tickets of Gorgias.")] = 40


@dataclass(kw_only=True)
class GorgiasOptions(DialectOptions):
    """How the API behaves."""

    gorgias_rate_limit: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(
            description="Requests to Gorgias that a bucket holds, which leaks empty in 20 seconds."
            " Gorgias allows 40 with an API key."
        ),
    ] = None

    @override
    def own_limits(self) -> Iterator[Limit]:
        yield from super().own_limits()
        if self.gorgias_rate_limit is not None:
            yield Limit(
                kind="token",
                count=self.gorgias_rate_limit,
                window=20,
                reports=("seconds", "call_limit"),
                path=PATH,
            )
