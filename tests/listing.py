"""A list of a simulated server, and a stream that reads it, without HTTP."""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qsl, urlsplit

from typing_extensions import override

from tap_chat.http.client import Client
from tap_chat.http.errors import RequestError
from tap_chat.http.failures import Remedies
from tap_chat.http.rate_limits.throttle import Throttle
from tap_chat.http.request import Request
from tap_chat.http.responses import Response
from tap_chat.platforms.messages.settings import MessagesSettings
from tap_chat.singer.progress import ReadProgress
from tap_chat.singer.records import RecordChunk
from tap_chat.streams.fan_out import FanOut
from tap_chat.streams.list_reader import ListReader
from tap_chat.streams.paginators import Page
from tap_chat.streams.read_plans import ReadPlan

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from requests import PreparedRequest

    from tap_chat.streams.paginators import Paginator

URL = "http://api.test/v1/rows"
Change = tuple[Literal["delete", "insert", "to_end", "append"], int]


@dataclass
class Listing:
    """A list that a simulated server pages by offset or by number.

    Attributes:
        count: The number of rows at first.
        by: What a request names: the offset of a page, or its number from 1.
        takes: The offsets that are taken: any; or multiples of the limit, others being an error or
            rounded down.
        beyond: The response beyond the end: an empty list, a status, an empty body, null, or the
            last page again.
        largest: The number of rows of the largest page.
        reach: The number of rows that are returned, None for all.
        hidden: The numbers of the rows that are hidden: they count, and are not returned.
        states: What a body states: the total, a wrong total, the number of pages, whether more
            pages follow, a link to the next page.
        broken: The number of the row whose id is a number, which is an error.
        changes: The changes before a request, by the number of the request, from 0.
        most_at_once: The number of requests at once that is not refused.
        failing: The offsets or numbers whose first request fails with 503.
        delay: The maximum seconds for which a request travels.
        seconds: The seconds that a page takes, as the tap measures it.
    """

    count: int
    by: Literal["offset", "page"] = "offset"
    takes: Literal["any", "multiples", "rounded"] = "any"
    beyond: Literal["empty", "none", "null", "last", 204, 400, 404] = "empty"
    largest: int = 100
    reach: int | None = None
    hidden: frozenset[int] = frozenset()
    states: frozenset[str] = frozenset()
    broken: int | None = None
    changes: dict[int, list[Change]] = field(default_factory=dict)
    most_at_once: int = 1000
    failing: frozenset[int] = frozenset()
    delay: float = 0.0
    seconds: float = 1.0

    def __post_init__(self) -> None:
        self.rows = [f"r{number}" for number in range(self.count)]
        self.stayed = set(self.rows)
        self.asked: list[int] = []
        self.most = self.beyond_end = 0
        self._in_flight = 0
        self._lock = threading.Lock()
        self._random = random.Random(7)

    def send_once(self, request: PreparedRequest, *_: object) -> Response:
        """Serve a request, as a transport does."""
        time.sleep(self._random.random() * self.delay)
        query = urlsplit(str(request.url)).query
        params = {name: int(value) for name, value in parse_qsl(query)}
        with self._lock:
            self._in_flight += 1
            self.most = max(self.most, self._in_flight)
            response = self._respond(params)
        time.sleep(self._random.random() * self.delay)
        with self._lock:
            self._in_flight -= 1
        return response

    def _respond(self, params: dict[str, int]) -> Response:
        if self._in_flight > self.most_at_once:
            return Response(429, {}, b"{}")
        at, limit = params["at"], params["limit"]
        number, is_first = len(self.asked), at not in self.asked
        self.asked.append(at)
        for change in self.changes.get(number, ()):
            self._change(*change)
        if is_first and at in self.failing:
            return Response(503, {}, b"{}")
        if self.takes == "multiples" and self.by == "offset" and at % limit:
            return Response(400, {}, b"{}")
        size = min(limit, self.largest)
        offset = at if self.by == "offset" else (at - 1) * size
        if self.takes == "rounded" and self.by == "offset":
            offset -= offset % limit
        rows = self.rows[: self.reach]
        is_beyond = offset >= max(1, len(rows))
        self.beyond_end += is_beyond
        return self._beyond(rows, size) if is_beyond else self._page(rows, offset, size)

    def _beyond(self, rows: list[str], size: int) -> Response:
        if isinstance(self.beyond, int):
            return Response(self.beyond, {}, b"" if self.beyond == 204 else b"{}")
        if self.beyond == "none":
            return Response(200, {}, b"")
        last = max(0, len(rows) - 1) // size * size
        return self._page(rows, last if self.beyond == "last" else len(rows), size)

    def _page(self, rows: list[str], offset: int, size: int) -> Response:
        ids = [row for row in rows[offset : offset + size] if row not in self._hidden_ids]
        page = [{"id": self._id_of(row)} for row in ids]
        is_null = self.beyond == "null" and offset and not page
        body = {"data": None if is_null else page} | self._statements(offset, size)
        return Response(200, {}, json.dumps(body).encode(), seconds=self.seconds)

    @property
    def _hidden_ids(self) -> set[str]:
        return {f"r{number}" for number in self.hidden}

    def _id_of(self, row: str) -> object:
        return 5 if row == f"r{self.broken}" else row

    def _statements(self, offset: int, size: int) -> dict[str, Any]:
        rows = len(self.rows)
        after = offset + size
        every: dict[str, dict[str, Any]] = {
            "total": {"total": rows},
            "low total": {"total": rows // 2},
            "high total": {"total": 3 * rows + 1000},
            "pages": {"pages": -(-rows // size)},
            "more": {"more": after < rows},
            "link": {"next": f"/v1/rows?at={after // size + 1}" if after < rows else None},
        }
        return {name: value for key in self.states for name, value in every[key].items()}

    def _change(self, kind: str, place: int) -> None:
        if kind == "insert":
            self.rows.insert(place % (len(self.rows) + 1), f"new{len(self.asked)}-{place}")
        elif kind == "append":
            self.rows.append(f"late{len(self.asked)}-{place}")
        elif self.rows:
            row = self.rows.pop(place % len(self.rows))
            if kind == "to_end":
                self.rows.append(row)
            else:
                self.stayed.discard(row)


@dataclass
class Reading:
    """What came of reading a list.

    Attributes:
        ids: The ids of the rows, in order.
        error: The sentence of the error, if there was one.
        warnings: The sentences of the warnings.
    """

    ids: list[str] = field(default_factory=list)
    error: str = ""
    warnings: list[str] = field(default_factory=list)


class _Lines(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._lines = lines

    @override
    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(record.getMessage())


class ListStream:
    """What a `ListReader` needs of a stream."""

    name = "rows"
    records_path = "data"
    paging_remedy = "Ask."

    def __init__(self, listing: Listing, workers: int, lines: list[str]) -> None:
        self.logger = logging.getLogger(f"rows.{id(self)}")
        self.logger.addHandler(_Lines(lines))
        self.progress = ReadProgress(self.name)
        settings = MessagesSettings(api_url=URL, api_key="k", backoff_factor=0.001, max_retries=2)
        self.client = Client(
            settings=settings,
            throttle=Throttle(None, workers=workers, max_wait=60, name="rows"),
            transport=listing,  # type: ignore[arg-type]
            remedies=Remedies("rows", "the address", "The key is wrong.", "The key may not."),
            subject="Stream rows: ",
            user_agent="test/1",
            sign=lambda request: request,
        )

    def find_records(self, body: Any) -> Any:
        """Return the records of a body."""
        return body.get("data")

    def check_received(self, request: Request, body: Any, _: object) -> Page:
        """Check a page."""
        if not isinstance(records := body.get("data"), list):
            raise self.client.request_error(request, "returned no list")
        for record in records:
            if not isinstance(record["id"], str):
                raise self.client.request_error(request, f"returned the id {record['id']}")
        return Page(body, RecordChunk(records), [(record["id"],) for record in records])


def read(
    listing: Listing,
    new_paginator: Callable[[], Paginator],
    workers: int,
    *,
    buffer_bytes: int = 2 * 1024 * 1024,
) -> Reading:
    """Read a list with so many workers."""
    reading = Reading()
    stream: Any = ListStream(listing, workers, reading.warnings)

    def steps(ahead: Any) -> Iterator[Any]:
        return ListReader(stream, Request(URL), new_paginator(), None, None).pages(ahead)

    try:
        for page in FanOut(workers, buffer_bytes).read(ReadPlan("rows", steps)):
            reading.ids += [record["id"] for record in page.records]
    except RequestError as error:
        reading.error = str(error)
    return reading
