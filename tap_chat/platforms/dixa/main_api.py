"""The base of the streams of Dixa's main API: https://docs.dixa.io/openapi/dixa-api/v1/."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec import Raw
from singer_sdk.authenticators import BearerTokenAuthenticator
from typing_extensions import override

from tap_chat.http import responses
from tap_chat.platforms.dixa.main_paging import PageKeyPaginator, PageLimit
from tap_chat.platforms.dixa.settings import MAIN_API, MAIN_REMEDIES, DixaSettings
from tap_chat.streams.stream import ChatStream

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from singer_sdk.helpers.types import Auth
    from singer_sdk.streams.rest import HTTPRequest, PageContext

    from tap_chat.http.responses import Body
    from tap_chat.singer.records import Record
    from tap_chat.streams.paginators import Page, Paginator
    from tap_chat.streams.raw_records import PageReader

#: How a text ends that ends with the name of a time zone: `2021-12-01T12:46:36.581Z[GMT]`.
END_OF_ZONE = b']"'

#: A time without seconds: its hours and minutes, and its offset.
WHOLE_MINUTE = re.compile(r"(?<=T)(\d\d:\d\d)(Z|[+-][\d:]+)$", re.ASCII)

#: The ids that some clients of Dixa expect as texts, and others as numbers.
IDS = ("id", "conversationId", "csid")
DIGITS = re.compile(r"\d{1,18}", re.ASCII)


class MainStream(ChatStream):
    """A stream of the main API: a list in `data`, and perhaps a link in `meta.next`."""

    section = "dixa"
    api_name = MAIN_API
    remedies = MAIN_REMEDIES
    records_path = "data"
    primary_keys: ClassVar[Sequence[str]] = ("id",)
    settings: DixaSettings

    @property
    @override
    def authenticator(self) -> Auth:
        return BearerTokenAuthenticator(
            token=self.settings.main_api_token or self.settings.api_token
        )

    @cached_property
    def page_limit(self) -> PageLimit:
        """The page size of this stream, as the run learns it."""
        return PageLimit(self.settings.main_page_size)

    @override
    def new_paginator(self) -> Paginator:
        return PageKeyPaginator(self.page_limit)

    @override
    def get_http_request(self, *, page: PageContext[None]) -> HTTPRequest:
        request = super().get_http_request(page=page)
        request.headers["Accept"] = "application/json"
        return request

    @override
    def is_api_error(self, body: Body) -> bool:
        # Dixa: an error is an object with a message. A gateway sends a web page or a plain text.
        return responses.is_object(body)

    @property
    @override
    def page_reader(self) -> PageReader | None:
        return RawTimes(self.raw_reader) if self.raw_reader else None

    @override
    def find_records(self, body: Any) -> Any:
        # Dixa: a list without records may be null.
        if isinstance(body, dict) and body.get("data", body) is None:
            return []
        records = super().find_records(body)
        for record in records if isinstance(records, list) else ():
            if isinstance(record, dict):
                self.mend(record)
        return records

    def mend(self, record: Record) -> None:
        """Change what no loader reads: times that end with the name of a zone, ids of two types.

        Args:
            record: The record as the API sent it.
        """
        for name in self._time_fields:
            if (time := record.get(name)) is not None:
                record[name] = without_zone(time)
        for name, read in self._ids:
            if (value := record.get(name)) is not None:
                record[name] = read(value)

    @cached_property
    def _time_fields(self) -> list[str]:
        properties = self.schema["properties"].items()
        return [name for name, field in properties if field.get("format") == "date-time"]

    @cached_property
    def _ids(self) -> list[tuple[str, Callable[[object], object]]]:
        """The names of the ids, and what gives each its declared type."""
        properties = self.schema["properties"].items()
        return [
            (name, number_of if "integer" in field["type"] else text_of)
            for name, field in properties
            if name in IDS
        ]


class RawTimes:
    """Reads pages without decoding their records, unless a text may have to be changed.

    Args:
        reader: Reads the other pages.
    """

    def __init__(self, reader: PageReader) -> None:
        self._reader = reader

    def read(self, body: Body, context: Mapping[str, Any] | None = None) -> Page | None:
        """Return the page of a body; None to decode it."""
        return None if END_OF_ZONE in body else self._reader.read(body, context)


def without_zone(time: object) -> object:
    """Return a time without the name of a zone in brackets, which follows its offset.

    Java, which writes such times, leaves out the seconds of a whole minute.
    """
    if isinstance(time, str) and time.endswith("]"):
        return WHOLE_MINUTE.sub(r"\1:00\2", time.partition("[")[0])
    return time


def number_of(value: object) -> object:
    """Return an id that may be a text of digits."""
    return int(value) if isinstance(value, str) and DIGITS.fullmatch(value) else value


def text_of(value: object) -> object:
    """Return an id that may be a number."""
    return str(value) if type(value) is int else value


def decoded(value: object) -> object:
    """Return a value that may be raw JSON."""
    return responses.decode(bytes(value)) if isinstance(value, Raw) else value
