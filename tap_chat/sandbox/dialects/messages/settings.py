"""The settings of the messages API in the sandbox: its data, and how it behaves."""

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
            description="What the messages API returns after its last message: an empty list; null"
            " or an object instead of the list; a status; an empty body (`nothing`); a `message`"
            " instead of the list; or the last page again."
        ),
    ] = "empty"
    messages_total: Annotated[
        bool, Meta(description="The messages API states the number of all messages, as `total`.")
    ] = False
