"""LiveChat's v2 API: https://developers.livechat.com/docs/v2/."""

from tap_chat.platforms.livechat.chats import LiveChatChats
from tap_chat.platforms.livechat.parts import LiveChatEvents, LiveChatMessages
from tap_chat.platforms.livechat.settings import LiveChatSettings
from tap_chat.platforms.platform import Platform

PLATFORM = Platform(
    name="livechat",
    title="LiveChat",
    page="livechat",
    description="LiveChat's v2 API.",
    settings=LiveChatSettings,
    streams=(LiveChatChats, LiveChatMessages, LiveChatEvents),
    has_windows=True,
)
