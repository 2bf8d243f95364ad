"""The section `livechat` of the config, and what to do when its requests fail."""

from __future__ import annotations

from typing import Annotated, Literal

from tap_chat.config.settings import LONGEST_LOOKBACK, PlatformSettings, about
from tap_chat.http.failures import Remedies

#: The upper limits of the settings, in days and in rows.
LARGEST_WINDOW = 10 * 366
MOST_ROWS = 1_000_000_000

REMEDIES = Remedies(
    section="livechat",
    address="the setting livechat.api_url: LiveChat's API is at https://api.livechatinc.com",
    unknown=(
        "The setting livechat.access_token is wrong or expired, or livechat.entity_id is not the"
        " one that it was made for: see Developer Console > Tools > Personal access tokens."
    ),
    # https://platform.text.com/docs/authorization/troubleshooting: a token needs its scopes.
    forbidden=(
        "The token in the setting livechat.access_token may not read chats. Make one with the"
        " scopes chats--all:ro and archives_read in Developer Console > Tools > Personal access"
        " tokens."
    ),
)


class LiveChatSettings(PlatformSettings, frozen=True, kw_only=True):
    """The section `livechat`."""

    entity_id: Annotated[
        str, about("Entity id", "The user name: the account id, or the e-mail address of an agent.")
    ]
    access_token: Annotated[
        str,
        about(
            "Access token",
            "A personal access token: Developer Console > Tools > Personal access tokens.",
            secret=True,
        ),
    ]
    api_url: Annotated[str, about("API URL", "The address of the API.")] = (
        "https://api.livechatinc.com"
    )
    include_pending: Annotated[
        Literal[0, 1], about("Include pending", "1 to also read chats that have not ended.")
    ] = 0
    batch_size: Annotated[
        int,
        about(
            "Batch size",
            "Days per window; a window with too many chats is halved.",
            ge=1,
            le=LARGEST_WINDOW,
        ),
    ] = 31
    max_rows: Annotated[
        int,
        about(
            "Reachable rows",
            "How many chats a query of LiveChat returns, at most, on all its pages.",
            ge=1,
            le=MOST_ROWS,
        ),
    ] = 25_000
    lookback_days: Annotated[
        float,
        about(
            "Lookback",
            "Days before the bookmark to read again, for chats that ended or changed since.",
            ge=0,
            le=LONGEST_LOOKBACK,
        ),
    ] = 2.0
