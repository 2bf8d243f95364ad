"""Dixa's exports API: https://support.dixa.help/en/articles/174."""

from tap_chat.platforms.dixa.conversations import DixaConversationExport
from tap_chat.platforms.dixa.messages import DixaMessages
from tap_chat.platforms.dixa.settings import DixaSettings
from tap_chat.platforms.platform import Platform

PLATFORM = Platform(
    name="dixa",
    title="Dixa",
    page="dixa",
    description="Dixa's exports API.",
    settings=DixaSettings,
    streams=(DixaConversationExport, DixaMessages),
)
