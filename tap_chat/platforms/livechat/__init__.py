"""LiveChat's APIs: version 3, and version 2, which is deprecated.

https://platform.text.com/docs/messaging/agent-chat-api and
https://developers.livechat.com/docs/v2/
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from tap_chat.platforms.livechat.chat_summaries import LiveChatActiveChats
from tap_chat.platforms.livechat.chats import LiveChatChats
from tap_chat.platforms.livechat.configuration import (
    LiveChatAgents,
    LiveChatBots,
    LiveChatGroups,
    LiveChatTags,
)
from tap_chat.platforms.livechat.joins import JOINS
from tap_chat.platforms.livechat.parts import LiveChatEvents, LiveChatMessages
from tap_chat.platforms.livechat.reports import (
    LiveChatDuration,
    LiveChatRatings,
    LiveChatResponseTime,
    LiveChatTotalChats,
)
from tap_chat.platforms.livechat.settings import LiveChatSettings
from tap_chat.platforms.livechat.thread_parts import LiveChatThreadEvents, LiveChatThreadUsers
from tap_chat.platforms.livechat.threads import LiveChatThreads
from tap_chat.platforms.platform import Platform

if TYPE_CHECKING:
    from tap_chat.config.settings import PlatformSettings


STREAMS = (
    LiveChatThreads,
    LiveChatThreadEvents,
    LiveChatThreadUsers,
    LiveChatAgents,
    LiveChatGroups,
    LiveChatTags,
    LiveChatBots,
)

EXTRA = (
    LiveChatActiveChats,
    LiveChatTotalChats,
    LiveChatResponseTime,
    LiveChatRatings,
    LiveChatDuration,
)

#: Those of version 2 of the API.
OLDEST_STREAMS = (LiveChatChats, LiveChatMessages, LiveChatEvents)


def of_version(section: PlatformSettings) -> Platform:
    """Return the platform with the streams of the version that a section names."""
    is_oldest = cast("LiveChatSettings", section).is_oldest
    others = (*STREAMS, *EXTRA) if is_oldest else OLDEST_STREAMS
    setting = f"livechat.api_version to {'3.6' if is_oldest else '2'}"
    platform = replace(PLATFORM, other_streams={stream.name: setting for stream in others})
    return replace(platform, streams=OLDEST_STREAMS, extra_streams=()) if is_oldest else platform


PLATFORM = Platform(
    name="livechat",
    title="LiveChat",
    page="livechat",
    description="LiveChat's API.",
    settings=LiveChatSettings,
    streams=STREAMS,
    extra_streams=EXTRA,
    of_section=of_version,
    joins=JOINS,
)
