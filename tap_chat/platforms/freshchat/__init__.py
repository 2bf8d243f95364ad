"""Freshchat's API v2: https://developers.freshchat.com/api/."""

from tap_chat.platforms.freshchat import conversations, streams
from tap_chat.platforms.freshchat.settings import FreshchatSettings
from tap_chat.platforms.freshchat.users import FreshchatUsers
from tap_chat.platforms.platform import Platform

PLATFORM = Platform(
    name="freshchat",
    title="Freshchat",
    page="freshchat",
    description="Freshchat's API v2.",
    settings=FreshchatSettings,
    # The list of users changes while it is read: read it before the long work.
    streams=(*streams.STREAMS, FreshchatUsers, *conversations.STREAMS),
)
