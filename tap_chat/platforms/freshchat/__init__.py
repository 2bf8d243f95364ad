"""Freshchat's API v2: https://developers.freshchat.com/api/."""

from tap_chat.platforms.freshchat import streams
from tap_chat.platforms.freshchat.conversations import FreshchatUsersConversations
from tap_chat.platforms.freshchat.details import (
    FreshchatConversations,
    FreshchatConversationsMessages,
)
from tap_chat.platforms.freshchat.joins import JOINS
from tap_chat.platforms.freshchat.report_reader import REPORTS_API
from tap_chat.platforms.freshchat.reports import (
    FreshchatChatTranscripts,
    FreshchatConversationEvents,
    FreshchatCsatScores,
)
from tap_chat.platforms.freshchat.settings import FreshchatSettings
from tap_chat.platforms.freshchat.users import FreshchatUsers
from tap_chat.platforms.platform import FurtherAPI, Platform

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
    # A first run takes a minute for each report: of 15 months, that is 16 minutes for the ratings,
    # 80 for the events and more than seven hours for the transcripts. A plan may have no reports.
    extra_streams=(FreshchatCsatScores, FreshchatConversationEvents, FreshchatChatTranscripts),
    further_apis=(FurtherAPI(name=REPORTS_API, rate_setting="reports_per_minute"),),
    joins=JOINS,
)
