"""The section `dixa` of the config, and what to do when its requests fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from typing_extensions import override

from tap_chat.config.settings import (
    LONGEST_LOOKBACK,
    PlatformSettings,
    RequestRate,
    about,
    extra_streams_of,
)
from tap_chat.config.validators import header_problem, url_problem
from tap_chat.http.failures import Remedies

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_MEBIBYTES = 1024 * 1024
MOST_MINUTES = 366 * 24 * 60

REMEDIES = Remedies(
    section="dixa",
    address="the setting dixa.api_url: the exports API is at https://exports.dixa.io/v1",
    unknown=(
        "The setting dixa.api_token is wrong or expired. Make a new token in Settings >"
        " Integrations > API tokens."
    ),
    forbidden=(
        "The token in the setting dixa.api_token may not read the exports API. Make one that may in"
        " Settings > Integrations > API tokens."
    ),
)

#: The name of the API at `main_api_url`.
MAIN_API = "main"

#: What a user with a token for the exports alone can do.
EXPORTS_ONLY = (
    " With a token for the exports alone, select only dixa_conversation_export and dixa_messages,"
    " or name the other streams in dixa.optional."
)

MAIN_REMEDIES = Remedies(
    section="dixa",
    address="the setting dixa.main_api_url: the main API is at https://dev.dixa.io/v1",
    unknown=(
        "The token in the setting dixa.main_api_token, or in dixa.api_token if that is not set, is"
        " wrong, expired, or for the exports API only. Make one for the Dixa API in Settings >"
        f" Integrations > API tokens.{EXPORTS_ONLY}"
    ),
    forbidden=(
        "The token in the setting dixa.main_api_token, or in dixa.api_token if that is not set, may"
        f" not read this. Make one that may in Settings > Integrations > API tokens.{EXPORTS_ONLY}"
    ),
    setting="the setting dixa.main_api_url",
    rate_setting="main_requests_per_minute",
)


class DixaSettings(PlatformSettings, frozen=True, kw_only=True):
    """The section `dixa`."""

    api_token: Annotated[
        str,
        about("API token", "A token of the exports API: Settings > Integrations.", secret=True),
    ]
    api_url: Annotated[str, about("API URL", "The address of the exports API.")] = (
        "https://exports.dixa.io/v1"
    )
    batch_size: Annotated[
        int,
        about("Batch size", "Days per window; Dixa refuses more than 31.", ge=1, le=31),
    ] = 31
    max_response_mb: Annotated[
        int,
        about(
            "Largest response",
            "The size in MiB up to which a response is held in memory. A larger response is written"
            " in parts while it is read; if it breaks off, its window is halved and read again.",
            ge=1,
            le=MOST_MEBIBYTES,
        ),
    ] = 8
    lookback_days: Annotated[
        float,
        about(
            "Lookback",
            "Days before the bookmark to read again, for changes that leave `updated_at` as it"
            " was.",
            ge=0,
            le=LONGEST_LOOKBACK,
        ),
    ] = 0.0
    reread_messages: Annotated[
        bool,
        about(
            "Read messages again",
            "Whether `dixa_messages` reads all messages of older conversations that have changed,"
            " so that edited and late messages arrive: a request for each ten conversations.",
        ),
    ] = True
    lag_minutes: Annotated[
        float,
        about(
            "Lag",
            "The last window ends this many minutes before now, so that conversations that Dixa"
            " adds late are not missed.",
            ge=0,
            le=MOST_MINUTES,
        ),
    ] = 5.0
    requests_per_minute: Annotated[
        RequestRate | None,
        about(
            "Requests a minute",
            "The maximum number of requests in any minute; Dixa allows an organisation 10.",
        ),
    ] = 10.0

    main_api_url: Annotated[
        str,
        about("Main API URL", "The address of the main API: agents, end users, the activity log."),
    ] = "https://dev.dixa.io/v1"
    main_api_token: Annotated[
        str | None,
        about(
            "Main API token",
            "A token of the main API (`Dixa API`); unset, `api_token`.",
            secret=True,
            examples=["eyJhbGciOi..."],
        ),
    ] = None
    main_requests_per_minute: Annotated[
        RequestRate | None,
        about(
            "Requests a minute to the main API",
            "The maximum number of requests to the main API in any minute; unset, what Dixa allows"
            " a token: 10 a second, 4 at once.",
            examples=[300],
        ),
    ] = None
    main_page_size: Annotated[
        int,
        about(
            "Page size of the main API",
            "Records per page of the main API. If Dixa refuses it, pages have Dixa's default size.",
            ge=1,
            le=10_000,
        ),
    ] = 1000
    extra_streams: Annotated[list[str], extra_streams_of("dixa_ratings", "dixa_notes")] = []  # noqa: RUF012

    @override
    def problems(self) -> Iterator[tuple[str, str | None]]:
        yield from super().problems()
        yield "api_token", header_problem(self.api_token)
        yield "main_api_token", header_problem(self.main_api_token or "")
        yield "main_api_url", url_problem(self.main_api_url)
