"""The settings of Freshchat in the sandbox: its data, and how its API behaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from msgspec import Meta

from tap_chat.sandbox.dialect import DialectOptions, WorldSettings


@dataclass(frozen=True, kw_only=True)
class FreshchatData(WorldSettings):
    """What the account holds."""

    users: Annotated[int, Meta(ge=0, description="Users of Freshchat.")] = 20
    conversations: Annotated[
        int, Meta(ge=0, description="Conversations of the users of Freshchat.")
    ] = 60
    deleted: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="The share of Freshchat's users and conversations that are listed, but"
            " return 404, from 0 to 1.",
        ),
    ] = 0.0


@dataclass(kw_only=True)
class FreshchatOptions(DialectOptions):
    """How the API behaves."""

    links: Annotated[
        Literal["relative", "path", "absolute", "absent"],
        Meta(
            description="The form of Freshchat's next links: a path with /v2, a path without it, a"
            " whole URL, or no link."
        ),
    ] = "relative"
    users_order: Annotated[
        Literal["created_time", "-created_time", "updated_time", "-updated_time"],
        Meta(description="The order of Freshchat's users; a minus means descending."),
    ] = "created_time"
    message_links: Annotated[
        bool,
        Meta(
            description="Each page of a Freshchat conversation's messages has a link to the next."
        ),
    ] = False
