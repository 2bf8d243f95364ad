"""The section `freshchat` of the config, and what to do when its requests fail."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal, get_args

from msgspec import UNSET, UnsetType, field
from typing_extensions import override

from tap_chat.config.settings import (
    DAY_OF_SECONDS,
    LONGEST_LOOKBACK,
    MOST_ON_A_PAGE,
    PlatformSettings,
    RequestRate,
    about,
    extra_streams_of,
)
from tap_chat.config.validators import header_problem
from tap_chat.http.failures import Remedies
from tap_chat.singer.timestamps import read_datetime

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_MONTHS = 1200

OUT_OF_TIME = "The address of the file may be out of time: run again."

REMEDIES = Remedies(
    section="freshchat",
    # Freshchat: the host of the web pages responds, too, with a web page.
    address=(
        "the setting freshchat.api_url: it must be the API's host with /v2 at the end, such as"
        " https://acme.freshchat.com/v2"
    ),
    # https://crmsupport.freshworks.com/support/solutions/articles/50000004463: there is one token
    # at a time, with the rights that its owner had when it was created.
    unknown=(
        "The setting freshchat.api_key is wrong or expired, or a newer token has taken its place."
        " The one that counts is in Admin settings > API tokens."
    ),
    forbidden=(
        "The token in the setting freshchat.api_key may not read this. See whether the account's"
        " plan has the API; if it has, make a new token in Admin settings > API tokens."
    ),
)


#: Of requests for reports.
REPORT_REMEDIES = replace(REMEDIES, rate_setting="reports_per_minute")

#: Of requests for the files of reports, which another host has.
FILE_REMEDIES = Remedies(
    section="freshchat",
    address="that the network lets the tap reach the host of the file, which Freshchat names",
    unknown=OUT_OF_TIME,
    forbidden=OUT_OF_TIME,
    setting="the network's rules for that host",
)


#: The reports that name conversations which changed.
ChangeReport = Literal[
    "Conversation-Created",
    "Conversation-Agent-Assigned",
    "Conversation-Group-Assigned",
    "Conversation-Resolved",
    "Conversation-Resolution-Label",
]


class FreshchatSettings(PlatformSettings, frozen=True, kw_only=True):
    """The section `freshchat`."""

    api_url: Annotated[
        str,
        about(
            "API URL",
            "The address of the API, which ends in /v2.",
            examples=["https://acme.freshchat.com/v2", "https://api.eu.freshchat.com/v2"],
        ),
    ]
    api_key: Annotated[str, about("API key", "A token: Admin settings > API tokens.", secret=True)]
    items_per_page: Annotated[
        int,
        about(
            "Items per page",
            "Records to request per page; other connectors use 50 without problems.",
            ge=1,
            le=MOST_ON_A_PAGE,
        ),
    ] = 50
    mode: Annotated[
        Literal["all", "updated", "reports"],
        about(
            "Mode",
            "Whose conversations are read: those of `all` users in every run (complete); of users"
            " `updated` since the last run (fast, but may miss messages of other users); or those"
            " that raw `reports` name, after a first run over all users.",
        ),
    ] = "all"
    change_reports: Annotated[
        list[ChangeReport],
        about(
            "Reports of changes",
            "The reports by which mode `reports` finds conversations that changed without a"
            " message, besides the transcripts. Each takes a minute per run.",
        ),
    ] = field(default_factory=lambda: list(get_args(ChangeReport)))
    lookback_days: Annotated[
        float,
        about(
            "Lookback",
            "Days before the last run from which messages and updated users are read again.",
            ge=0,
            le=LONGEST_LOOKBACK,
        ),
    ] = 1.0

    extra_streams: Annotated[
        list[str],
        extra_streams_of(
            "freshchat_csat_scores", "freshchat_conversation_events", "freshchat_chat_transcripts"
        ),
    ] = []  # noqa: RUF012 - a setting of msgspec, which copies it
    reports_start_date: Annotated[
        str | UnsetType,
        about(
            "Start date of reports",
            "Reports start here if that is later than `start_date`. The transcripts of each day"
            " cost a minute, and each other report a minute per four weeks. ISO 8601.",
            form="date-time",
            examples=["2026-01-01T00:00:00Z"],
        ),
    ] = UNSET
    reports_months: Annotated[
        int,
        about(
            "Months of reports",
            "How many months back reports go; Freshchat documents 15.",
            ge=1,
            le=MOST_MONTHS,
        ),
    ] = 15
    reports_per_minute: Annotated[
        RequestRate | None,
        about(
            "Reports a minute",
            "The maximum number of reports to request in any minute. Other requests do not wait for"
            " it.",
        ),
    ] = 1.0
    report_poll_seconds: Annotated[
        float,
        about(
            "Report poll interval",
            "Seconds between two questions whether a report is ready.",
            gt=0,
            le=DAY_OF_SECONDS,
        ),
    ] = 10.0
    report_wait: Annotated[
        float,
        about(
            "Longest wait for a report",
            "Seconds to wait for a report, at most. Then it is requested again, up to three times"
            " in all.",
            ge=0,
            le=DAY_OF_SECONDS,
        ),
    ] = 1800.0

    @override
    def problems(self) -> Iterator[tuple[str, str | None]]:
        yield from super().problems()
        yield "api_key", header_problem(self.api_key)
        is_time = not self.reports_start_date or read_datetime(self.reports_start_date)
        yield "reports_start_date", None if is_time else "is not an ISO 8601 date-time"
