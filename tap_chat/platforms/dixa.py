"""The platform `dixa`: the exports API of Dixa, read in windows of the time of change.

https://support.dixa.help/en/articles/174 documents it. It has no pages: an answer is an array of
everything in a window of at most 31 days.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

import msgspec
from singer_sdk.authenticators import BearerTokenAuthenticator
from singer_sdk.streams.rest import HTTPRequest

from tap_chat import answers
from tap_chat.bookmarks import WindowBookmarks
from tap_chat.checks import header_problem
from tap_chat.client import ChatStream
from tap_chat.exchange import BrokenOffError
from tap_chat.platforms.dixa_fields import CONVERSATION_EXPORT
from tap_chat.settings import PlatformSettings, Positive, about
from tap_chat.windows import Window, Windows

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Auth, Context

    from tap_chat.records import Block, Record

MEBIBYTE = 1024 * 1024

MILLISECOND = 1
MINUTE = 60_000 * MILLISECOND
DAY = 24 * 60 * MINUTE

#: Dixa was founded later; PostHog's source starts here, too.
BEGINNING = datetime(2015, 1, 1, tzinfo=UTC)


class DixaSettings(PlatformSettings, frozen=True, kw_only=True):
    """The section `dixa`."""

    api_token: Annotated[
        str,
        about("API token", "A token of the exports API: Settings > Integrations.", secret=True),
    ]
    api_url: Annotated[str, about("API URL", "Where the exports API is.")] = (
        "https://exports.dixa.io/v1"
    )
    batch_size: Annotated[
        int,
        about("Batch size", "Days of a window; Dixa refuses more than 31.", ge=1, le=31),
    ] = 31
    max_answer_mb: Annotated[
        int,
        about(
            "Largest answer",
            "MiB of an answer that are held in memory; a window with more is halved.",
            ge=1,
        ),
    ] = 32
    lookback_days: Annotated[
        float,
        about(
            "Lookback",
            "Days before the bookmark to read again, for changes that do not count as such.",
            ge=0,
        ),
    ] = 0.0
    lag_minutes: Annotated[
        float,
        about(
            "Lag",
            "Minutes before now that a run ends at, so that what Dixa writes late is not missed.",
            ge=0,
        ),
    ] = 5.0
    requests_per_minute: Annotated[
        Positive | None,
        about("Requests a minute", "The allowance to keep to; Dixa allows an organisation 10."),
    ] = 10.0
    backoff_factor: Annotated[
        float,
        about("Backoff factor", "Seconds before each retry. A Retry-After wins.", ge=0),
    ] = 60.0

    @override
    def problems(self) -> Iterator[tuple[str, str | None]]:
        yield from super().problems()
        yield "api_token", header_problem(self.api_token)


class DixaConversationExport(ChatStream):
    """Conversations, each as it was when it was exported; a change exports it anew."""

    name = "dixa_conversation_export"
    path = "/conversation_export"
    section = "dixa"
    credential = "api_token"
    records_path = "data"
    primary_keys = ("id",)
    replication_key = "updated_at"
    schema = CONVERSATION_EXPORT
    settings: DixaSettings
    # Dixa: the allowance is counted by the minute, so a retry waits for a whole one each time.
    backoff_growth: ClassVar[float] = 1
    bookmarks_class = WindowBookmarks

    @property
    @override
    def authenticator(self) -> Auth:
        return BearerTokenAuthenticator(token=self.settings.api_token)

    @property
    @override
    def first_bookmark(self) -> int:
        return milliseconds(self.starts or BEGINNING)

    @override
    def blocks(self, context: Context | None, *, verbatim: bool) -> Iterator[Block]:
        bookmark = self.starting_bookmark or self.first_bookmark
        start = bookmark - int(self.settings.lookback_days * DAY)
        end = milliseconds(self.ends) - int(self.settings.lag_minutes * MINUTE)
        # Dixa allows 31 days, and a window is asked for with a millisecond more than it has.
        size = min(self.settings.batch_size * DAY, 31 * DAY - MILLISECOND)
        windows = Windows(start, end, size, smallest=MINUTE)
        written: set[tuple[int, int]] = set()
        for window in windows:
            edge, written = written, set()
            try:
                largest = self.settings.max_answer_mb * MEBIBYTE
                limit = largest if windows.halvable(window) else None
                for record in self.window_records(window, limit):
                    version = record["id"], record.get("updated_at") or 0
                    if version[1] >= window.end - MILLISECOND:
                        written.add(version)
                    if version not in edge:
                        yield self.block([record])
            except BrokenOffError as error:
                self.logger.info("%s Its window is halved.", error)
                windows.halve(window)
                written = edge
            else:
                self.reach(window.end)
        self.report()

    def window_records(self, window: Window, largest: int | None) -> Iterator[Record]:
        """Read one window.

        Whether Dixa's bounds belong to a window is not documented. Windows share their ends, and
        each is asked for from a millisecond before its start, so that every millisecond is in one
        even if neither bound belongs to it.

        Args:
            window: The window, in ms since 1970.
            largest: Bytes of the largest answer, if a smaller window can be read instead.

        Yields:
            Its records, in no order.

        Raises:
            BrokenOffError: The answer broke off or is too large, and the window can be halved.
        """
        request = HTTPRequest(
            url=f"{self.url_base}{self.path}",
            params={"updated_after": window.start - MILLISECOND, "updated_before": window.end},
            headers={"Accept": "application/json"},
        )
        body = self.exchange(request, split, largest=largest)
        if not isinstance(body, list):
            # Not the array it should be: `page` says so, or finds one in an envelope.
            yield from self.page(request, body).records
            return
        for index, raw in enumerate(body):
            record = answers.decode(raw)
            self.check(request, index, record)
            yield record


def split(body: bytes | bytearray) -> Any:  # noqa: ANN401
    """Split an array into the texts of its items, so that one is decoded at a time.

    Args:
        body: The whole body. The texts are parts of it, not copies.

    Returns:
        The texts, or the decoded value if it is no array.

    Raises:
        ValueError: The body is not whole.
    """
    try:
        return msgspec.json.decode(body, type=list[msgspec.Raw])
    except msgspec.ValidationError:
        return answers.decode(body)


def milliseconds(time: datetime) -> int:
    """Return a time in ms since 1970."""
    return round(time.timestamp() * 1000)
