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
    livechat_version: Annotated[
        Literal["2", "3.6"],
        Meta(description="The version of LiveChat's API whose rows the account counts."),
    ] = "3.6"
    livechat_lists: Annotated[
        Literal["all", "ended"],
        Meta(description="Which threads LiveChat's archive lists: all, or those that have ended."),
    ] = "all"
    livechat_late_days: Annotated[
        float,
        Meta(
            ge=0,
            description="Days after the beginning of a thread of LiveChat in which its tags, rating"
            " and summary come, and messages are deleted.",
        ),
    ] = 5.0
    livechat_role: Annotated[
        Literal["administrator", "normal"],
        Meta(
            description="The role of the agent who made the token of LiveChat: `normal` does not"
            " see the text of deleted messages."
        ),
    ] = "administrator"
    livechat_groups: Annotated[
        Literal["all", "own"],
        Meta(description="Whether the token of LiveChat sees all groups, or those of its agent."),
    ] = "all"
    livechat_history_days: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(description="Days after which LiveChat restricts access to a thread, by its plan."),
    ] = None

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
    livechat_compares: Annotated[
        Literal["created", "last_event"],
        Meta(description="Which time of a thread LiveChat's `from` and `to` compare."),
    ] = "created"
    livechat_bounds: Annotated[
        Literal["both", "from", "to", "neither"],
        Meta(description="Which ends belong to the interval of LiveChat's `from` and `to`."),
    ] = "both"
    livechat_paging: Annotated[
        Literal["key", "time", "offset"],
        Meta(
            description="Where LiveChat's pages begin: after the last thread, at its millisecond,"
            " or after a number of threads."
        ),
    ] = "key"
    livechat_page_days: Annotated[
        float, Meta(ge=0, description="Days after which a `page_id` of LiveChat has expired.")
    ] = 30.0
    livechat_found: Annotated[
        Literal["about", "none", "many"],
        Meta(description="How many chats LiveChat says that it found: it estimates them."),
    ] = "about"
    livechat_region: Annotated[
        str | None,
        Meta(description="The region that LiveChat's header X-Region must name; None for any."),
    ] = None
    livechat_legacy: Annotated[
        str | None, Meta(description="The value of LiveChat's header Legacy, a date.")
    ] = None
    livechat_deprecation: Annotated[
        str | None, Meta(description="The value of LiveChat's header Deprecation, a date.")
    ] = None
