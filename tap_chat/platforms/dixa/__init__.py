"""Dixa's exports API (https://support.dixa.help/en/articles/174), and its main API."""

from tap_chat.platforms.dixa import main_details, main_lists
from tap_chat.platforms.dixa.conversations import DixaConversationExport
from tap_chat.platforms.dixa.joins import JOINS
from tap_chat.platforms.dixa.main_log import DixaActivityLog
from tap_chat.platforms.dixa.messages import DixaMessages
from tap_chat.platforms.dixa.settings import MAIN_API, DixaSettings
from tap_chat.platforms.platform import FurtherAPI, Platform

PLATFORM = Platform(
    name="dixa",
    title="Dixa",
    page="dixa",
    description="Dixa's exports API, and its main API.",
    settings=DixaSettings,
    streams=(DixaConversationExport, DixaMessages, DixaActivityLog, *main_lists.STREAMS),
    extra_streams=main_details.STREAMS,
    further_apis=(
        FurtherAPI(
            name=MAIN_API,
            url_setting="main_api_url",
            rate_setting="main_requests_per_minute",
            # Dixa: 10 requests a second, of which 4 at once
            # (https://docs.dixa.io/docs/api-standards-rules/).
            rate_limit=(4, 0.4),
        ),
    ),
    joins=JOINS,
)
