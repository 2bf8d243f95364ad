"""The section `livechat` of the config, and what to do when its requests fail."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC
from typing import TYPE_CHECKING, Annotated, Literal
from zoneinfo import ZoneInfo

from msgspec import Meta
from typing_extensions import override

from tap_chat.config.settings import (
    LONGEST_LOOKBACK,
    PlatformSettings,
    about,
    extra_streams_of,
)
from tap_chat.http.failures import Remedies
from tap_chat.platforms.livechat.credential import Credential, credential_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import tzinfo

#: The upper limits of the settings, in days and in rows.
LARGEST_WINDOW = 10 * 366
MOST_ROWS = 1_000_000_000

#: The version of LiveChat's oldest API, whose streams differ from those of the others.
OLDEST_VERSION = "2"
#: Days before the bookmark to read again, by default: for that version, and for the others.
OLDEST_LOOKBACK, LOOKBACK = 2.0, 7.0

#: The stream of the active chats, and the first minor version of 3 that can list them alone.
ACTIVE_CHATS, FIRST_MINOR = "livechat_active_chats", 6
VERSION = re.compile(r"2|3\.\d{1,2}")

LookbackDays = Annotated[float, Meta(ge=0, le=LONGEST_LOOKBACK)]

#: https://platform.text.com/docs/authorization/personal-access-tokens
TOKENS = "Developer Console > Settings > Authorization > Personal access tokens"

REMEDIES = Remedies(
    section="livechat",
    address="the setting livechat.api_url: LiveChat's API is at https://api.livechatinc.com",
    unknown=(
        "The setting livechat.access_token is wrong or expired, or livechat.entity_id is not the"
        f" one that it was made for: see {TOKENS}."
    ),
    # https://platform.text.com/docs/authorization/troubleshooting: a token needs its scopes.
    forbidden=(
        "The token in the setting livechat.access_token may not read chats. Make one with the"
        f" scope chats--all:ro, and archives_read for version 2, in {TOKENS}."
    ),
)


def remedies_of(things: str, scope: str) -> Remedies:
    """Return what to do if requests of a stream fail.

    Args:
        things: What the stream reads, such as "agents".
        scope: The scope that it needs.
    """
    return replace(
        REMEDIES,
        forbidden=(
            f"The token in the setting livechat.access_token may not read {things}. Make one with"
            f" the scope {scope} in {TOKENS}, or name the stream in livechat.optional."
        ),
    )


class LiveChatSettings(PlatformSettings, frozen=True, kw_only=True):
    """The section `livechat`."""

    access_token: Annotated[
        str,
        about(
            "Access token",
            f"A personal access token ({TOKENS}), its form in base64 as the console shows it, or"
            " an access token of OAuth.",
            secret=True,
        ),
    ]
    entity_id: Annotated[
        str,
        about(
            "Entity id",
            "The user name of a personal access token: the account id, or for version 2 also the"
            " e-mail address of an agent. Leave it out for the form in base64 and for OAuth.",
        ),
    ] = ""
    api_version: Annotated[
        str,
        about(
            "API version",
            "The version of the API: `3.6`, another one such as `3.7`, or `2`, which is deprecated"
            " and has other streams.",
            examples=["3.6", "2"],
        ),
    ] = "3.6"
    api_url: Annotated[str, about("API URL", "The address of the API.")] = (
        "https://api.livechatinc.com"
    )
    extra_streams: Annotated[
        list[str],
        extra_streams_of(
            ACTIVE_CHATS,
            "livechat_report_total_chats",
            "livechat_report_response_time",
            "livechat_report_ratings",
            "livechat_report_duration",
        ),
    ] = []  # noqa: RUF012 - msgspec copies it
    lookback_days: Annotated[
        LookbackDays | None,
        about(
            "Lookback",
            "Days before the bookmark to read again, for chats that ended or changed since; by"
            " default 7, and 2 for version 2.",
            examples=[7],
        ),
    ] = None
    batch_size: Annotated[
        int,
        about(
            "Batch size",
            "Days per window; a window with too many chats is halved.",
            ge=1,
            le=LARGEST_WINDOW,
        ),
    ] = 31
    reports_timezone: Annotated[
        str,
        about(
            "Time zone of reports", "The time zone of the days of reports, such as `Asia/Tokyo`."
        ),
    ] = "UTC"
    include_pending: Annotated[
        Literal[0, 1],
        about("Include pending", "1 to also read chats that have not ended; version 2 only."),
    ] = 0
    max_rows: Annotated[
        int,
        about(
            "Reachable rows",
            "How many chats a query of version 2 returns, at most, on all its pages.",
            ge=1,
            le=MOST_ROWS,
        ),
    ] = 25_000

    @override
    def problems(self) -> Iterator[tuple[str, str | None]]:
        yield from super().problems()
        is_version = VERSION.fullmatch(self.api_version)
        yield "api_version", None if is_version else "must be `2`, or a version such as `3.6`"
        yield "reports_timezone", zone_problem(self.reports_timezone)
        if is_version and not self.is_oldest and not self.lists_active:
            is_named = ACTIVE_CHATS in self.extra_streams
            problem = "may have livechat_active_chats from version 3.6 on"
            yield "extra_streams", problem if is_named else None

    @property
    def lookback(self) -> float:
        """Days before the bookmark to read again."""
        if self.lookback_days is not None:
            return self.lookback_days
        return OLDEST_LOOKBACK if self.is_oldest else LOOKBACK

    @property
    def is_oldest(self) -> bool:
        """Whether the API is version 2."""
        return self.api_version == OLDEST_VERSION

    @property
    def lists_active(self) -> bool:
        """Whether the API can list the active chats alone."""
        return not self.is_oldest and int(self.api_version.partition(".")[2]) >= FIRST_MINOR

    @property
    def credential(self) -> Credential:
        """The credential that `access_token` and `entity_id` stand for."""
        return credential_of(self.entity_id, self.access_token)

    @property
    def user(self) -> str | None:
        """The account of the credential; None for a token of OAuth, which does not name it."""
        return self.credential.user


def zone_of(name: str) -> tzinfo:
    """Return the time zone of a name. That of UTC needs no database of zones."""
    return UTC if name == "UTC" else ZoneInfo(name)


def zone_problem(name: str) -> str | None:
    """Return why a text is not a time zone, as the predicate of a sentence; None if it is one."""
    try:
        zone_of(name)
    except (OSError, ValueError, KeyError):  # as for "..", "" and "Mars/Base"
        return "is not a time zone such as `UTC` or `Europe/Berlin`"
    return None
