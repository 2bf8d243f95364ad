"""What can be set of the messages API: its data, and how it behaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from tap_chat.sandbox.dialect import DialectOptions, WorldSettings

End = Literal[
    "empty", "null", "object", "404", "400", "416", "422", "204", "nothing", "message", "last"
]


@dataclass(frozen=True, kw_only=True)
class MessagesData(WorldSettings):
    """What the account holds."""

    messages: Annotated[int, Meta(ge=0, description="Messages of the messages API.")] = 1000


@dataclass(kw_only=True)
class MessagesOptions(DialectOptions):
    """How the API behaves."""

    messages_end: Annotated[
        End,
        Meta(
            description="What the messages API gives beyond its last message: an empty list; null"
            " or an object in its place; a status; nothing (an empty body); a message in place of"
            " the list; or the last page again."
        ),
    ] = "empty"
    messages_total: Annotated[
        bool, Meta(description="The messages API says how many messages there are, as total.")
    ] = False
