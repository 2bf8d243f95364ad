"""The settings of LiveChat in the sandbox: its data, and how its API behaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta

from tap_chat.sandbox.dialect import DialectOptions, WorldSettings


@dataclass(frozen=True, kw_only=True)
class LiveChatData(WorldSettings):
    """What the account holds."""

    chats: Annotated[int, Meta(ge=0, description="Ended or missed chats of LiveChat.")] = 150
    livechat_timezone: Annotated[
        str, Meta(description="The time zone of the LiveChat account.")
    ] = "Europe/Berlin"

    def __post_init__(self) -> None:
        """Refuse a time zone that does not exist."""
        try:
            ZoneInfo(self.livechat_timezone)
        except ZoneInfoNotFoundError as error:
            raise ValueError(f"livechat_timezone: {error}") from None


@dataclass(kw_only=True)
class LiveChatOptions(DialectOptions):
    """How the API behaves."""

    livechat_page_size: Annotated[int, Meta(ge=1, description="Chats on a page of LiveChat.")] = 25
    livechat_cap: Annotated[
        int, Meta(ge=1, description="How many chats one query of LiveChat returns, at most.")
    ] = 25_000
    livechat_date: Annotated[
        Literal["ended", "started"],
        Meta(description="Which time of a chat LiveChat's date filters compare."),
    ] = "ended"
    livechat_twice: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(description="One chat of LiveChat in this many is listed and counted twice."),
    ] = None
    livechat_excess: Annotated[
        int, Meta(ge=0, description="Chats that LiveChat counts, but does not list.")
    ] = 0
    livechat_count: Annotated[
        Literal["capped", "all"],
        Meta(description="What LiveChat counts: the chats up to its cap, or all."),
    ] = "capped"
    livechat_beyond: Annotated[
        Literal["refused", "empty"],
        Meta(description="What LiveChat returns beyond its cap: a 400, or an empty page."),
    ] = "refused"
