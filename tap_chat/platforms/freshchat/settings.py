"""The section `freshchat` of the config, and what to do when its requests fail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from typing_extensions import override

from tap_chat.config.settings import LONGEST_LOOKBACK, MOST_ON_A_PAGE, PlatformSettings, about
from tap_chat.config.validators import header_problem
from tap_chat.http.failures import Remedies

if TYPE_CHECKING:
    from collections.abc import Iterator

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
        Literal["all", "updated"],
        about(
            "Mode",
            "Whose conversations are read: those of `all` users in every run (complete), or of"
            " users `updated` since the last run (fast, but may miss messages of other users).",
        ),
    ] = "all"
    lookback_days: Annotated[
        float,
        about(
            "Lookback",
            "Days before the last run from which messages and updated users are read again.",
            ge=0,
            le=LONGEST_LOOKBACK,
        ),
    ] = 1.0

    @override
    def problems(self) -> Iterator[tuple[str, str | None]]:
        yield from super().problems()
        yield "api_key", header_problem(self.api_key)
