"""The conversations of Dixa, read in windows of the time of change."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from typing_extensions import override

from tap_chat.platforms.dixa.fields import CONVERSATION_EXPORT
from tap_chat.platforms.dixa.queries import MINUTE, milliseconds, query_of_window
from tap_chat.platforms.dixa.window_stream import WindowStream
from tap_chat.streams.probes import Probe
from tap_chat.streams.windows import TimeWindow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Context

    from tap_chat.singer.records import RecordChunk


class DixaConversationExport(WindowStream):
    """The conversations. A conversation that changes is exported again."""

    name = "dixa_conversation_export"
    path = "/conversation_export"
    filtered_by = "updated"
    replication_key = "updated_at"
    schema = CONVERSATION_EXPORT

    @override
    def read(self, context: Context | None) -> Iterator[RecordChunk]:
        yield from self.read_windows(self.starting_bookmark or self.first_bookmark)
        if self.outside.total:
            self.logger.warning(
                "Conversations of %s with an `updated_at` outside the requested window: %d. They"
                " were written.",
                self.name,
                self.outside.total,
            )

    @override
    def probe(self) -> Probe:
        end = milliseconds(self.end_date)
        window = TimeWindow(end - MINUTE, end)
        request = self.request_of(query_of_window(self.path, self.filtered_by, window))
        return Probe(request, partial(self.check_page, request), "the conversations of a minute")
