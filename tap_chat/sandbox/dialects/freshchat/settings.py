"""The settings of Freshchat in the sandbox: its data, and how its API behaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta
from typing_extensions import override

from tap_chat.sandbox.dialect import DialectOptions, WorldSettings
from tap_chat.sandbox.limits import Limit

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, kw_only=True)
class FreshchatData(WorldSettings):
    """What the account holds."""

    users: Annotated[int, Meta(ge=0, description="Users of Freshchat.")] = 20
    conversations: Annotated[
        int, Meta(ge=0, description="Conversations of the users of Freshchat.")
    ] = 60
    deleted: Annotated[
        float,
        Meta(
            ge=0,
            le=1,
            description="The share of Freshchat's users and conversations that are listed, but"
            " return 404, from 0 to 1.",
        ),
    ] = 0.0


@dataclass(kw_only=True)
class FreshchatOptions(DialectOptions):
    """How the API behaves."""

    links: Annotated[
        Literal["relative", "path", "absolute", "absent"],
        Meta(
            description="The form of Freshchat's next links: a path with /v2, a path without it, a"
            " whole URL, or no link."
        ),
    ] = "relative"
    users_order: Annotated[
        Literal["created_time", "-created_time", "updated_time", "-updated_time"],
        Meta(description="The order of Freshchat's users; a minus means descending."),
    ] = "created_time"
    message_links: Annotated[
        bool,
        Meta(
            description="Each page of a Freshchat conversation's messages has a link to the next."
        ),
    ] = False
    report_delay: Annotated[
        float, Meta(ge=0, description="Seconds until a report of Freshchat is ready.")
    ] = 0.0
    report_format: Annotated[
        Literal["zip", "csv"], Meta(description="The format of the files of Freshchat's reports.")
    ] = "zip"
    report_columns: Annotated[
        Literal["usual", "other"],
        Meta(
            description="The columns of Freshchat's reports: the usual ones, or some with other"
            " names and an unknown one."
        ),
    ] = "usual"
    report_times: Annotated[
        Literal["java", "iso", "zone"],
        Meta(
            description="The times in Freshchat's reports: UTC as Java writes it, ISO 8601, or the"
            " local time of the account."
        ),
    ] = "java"
    report_empty: Annotated[
        Literal["header", "no_file", "no_link"],
        Meta(
            description="What a report of Freshchat without rows has: a header alone, a ZIP without"
            " a file, or no link."
        ),
    ] = "header"
    report_bounds: Annotated[
        Literal["[)", "[]", "(]", "()"],
        Meta(
            description="Which bounds of the span belong to a report of Freshchat: square brackets"
            " include a bound, round ones exclude it."
        ),
    ] = "[]"
    report_lag: Annotated[
        float,
        Meta(ge=0, description="Hours until a message or change is in Freshchat's reports."),
    ] = 0.0
    report_link_seconds: Annotated[
        float, Meta(gt=0, description="Seconds for which the link to a report's file is valid.")
    ] = 3600.0
    reports_per_window: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(
            description="Reports of Freshchat that can be requested in a window; the rest get a"
            " 429. Freshchat allows one a minute."
        ),
    ] = None

    @override
    def own_limits(self) -> Iterator[Limit]:
        yield from super().own_limits()
        if self.reports_per_window is not None:
            yield Limit(
                count=self.reports_per_window, window=self.rate_window, path="POST /v2/reports/raw"
            )
