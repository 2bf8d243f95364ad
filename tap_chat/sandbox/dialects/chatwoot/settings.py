"""The settings of Chatwoot in the sandbox: its data, and how its API behaves."""

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
class ChatwootData(WorldSettings):
    """What the account holds."""

    chatwoot_conversations: Annotated[int, Meta(ge=0, description="Conversations of Chatwoot.")] = (
        60
    )
    chatwoot_contacts: Annotated[int, Meta(ge=0, description="Contacts of Chatwoot.")] = 40
    chatwoot_messages: Annotated[
        int,
        Meta(
            ge=1,
            description="Messages of the longest conversation of Chatwoot, which comes first.",
        ),
    ] = 12


@dataclass(kw_only=True)
class ChatwootOptions(DialectOptions):
    """How the API behaves."""

    chatwoot_page_size: Annotated[
        int, Meta(ge=1, description="Conversations on a page of Chatwoot.")
    ] = 25
    chatwoot_rate_limit: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(
            description="Requests to Chatwoot allowed in a window; the rest get a 429 without"
            " Retry-After. Chatwoot allows 3,000 in a minute."
        ),
    ] = None

    @override
    def own_limits(self) -> Iterator[Limit]:
        """Yield the rate limit of Chatwoot: windows without a gap."""
        yield from super().own_limits()
        if self.chatwoot_rate_limit is not None:
            yield Limit(
                count=self.chatwoot_rate_limit,
                window=self.rate_window,
                aligned=True,
                path="/chatwoot/",
            )
