"""The vendor-neutral messages API: what a chat API of your own most likely looks like."""

from tap_chat.platforms.messages.settings import MessagesSettings
from tap_chat.platforms.messages.streams import ChatMessages
from tap_chat.platforms.platform import Platform

PLATFORM = Platform(
    name="chat",
    title="Messages API",
    page="messages",
    description="The vendor-neutral messages API.",
    settings=MessagesSettings,
    streams=(ChatMessages,),
)
