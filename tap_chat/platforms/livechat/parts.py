"""The messages and events of LiveChat: parts of the chats, which cost no request."""

from __future__ import annotations

from tap_chat.platforms.livechat import fields
from tap_chat.platforms.livechat.base import ChatPart
from tap_chat.platforms.livechat.chats import LiveChatChats


class LiveChatMessages(ChatPart):
    """The messages of the chats."""

    name = "livechat_messages"
    parent_stream_type = LiveChatChats
    records_path = "messages"
    schema = fields.MESSAGES


class LiveChatEvents(ChatPart):
    """The events of the chats: messages, attachments, and what the system did."""

    name = "livechat_events"
    parent_stream_type = LiveChatChats
    records_path = "events"
    schema = fields.EVENTS
