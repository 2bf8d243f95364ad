"""Freshchat's API v2: https://developers.freshchat.com/api/."""

from tap_chat.platforms.freshchat import streams
from tap_chat.platforms.freshchat.conversations import FreshchatUsersConversations
from tap_chat.platforms.freshchat.details import (
    FreshchatConversations,
    FreshchatConversationsMessages,
)
from tap_chat.platforms.freshchat.settings import FreshchatSettings
from tap_chat.platforms.freshchat.users import FreshchatUsers
from tap_chat.platforms.platform import Platform

PLATFORM = Platform(
    name="freshchat",
    title="Freshchat",
    page="freshchat",
    description="Freshchat's API v2.",
    settings=FreshchatSettings,
    # The list of users changes over time: read it before the conversations, which take long.
    streams=(
        *streams.STREAMS,
        FreshchatUsers,
        FreshchatUsersConversations,
        FreshchatConversations,
        FreshchatConversationsMessages,
    ),
)
