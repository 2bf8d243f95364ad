"""What can be set of Freshchat: its data, and how its API behaves."""

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
            description="The part of Freshchat's users and conversations that are listed, but gone"
            " (404), from 0 to 1.",
        ),
    ] = 0.0


@dataclass(kw_only=True)
class FreshchatOptions(DialectOptions):
    """How the API behaves."""

    links: Annotated[
        Literal["relative", "path", "absolute", "absent"],
        Meta(
            description="Freshchat's next links: with /v2 from the root of the host, without it,"
            " whole, or none at all."
        ),
    ] = "relative"
    users_order: Annotated[
        Literal["created_time", "-created_time", "updated_time", "-updated_time"],
        Meta(
            description="What Freshchat's users are ordered by; descending, if it begins with a"
            " minus."
        ),
    ] = "created_time"
    message_links: Annotated[
        bool,
        Meta(
            description="A page of the messages of a Freshchat conversation has a link to the next."
        ),
    ] = False
