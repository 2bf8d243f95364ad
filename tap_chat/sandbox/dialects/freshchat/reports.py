"""Freshchat's raw reports: `POST /v2/reports/raw`, `GET /v2/reports/raw/{id}`, and their files.

https://developers.freshworks.com/assets/Freshchat-ReportsAPI.pdf. A job needs no memory: its id
tells all of it.
"""

from __future__ import annotations

import csv
import io
import time
import zipfile
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_left, bisect_right
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import msgspec
from starlette.responses import Response

from tap_chat.sandbox.dialects.freshchat import report_rows
from tap_chat.sandbox.responses import RefusalError
from tap_chat.sandbox.samples import DAY, HOUR, epoch_ms, timestamp

if TYPE_CHECKING:
    from starlette.requests import Request

    from tap_chat.sandbox.dialects.freshchat.account import FreshchatAccount
    from tap_chat.sandbox.dialects.freshchat.report_rows import Cells
    from tap_chat.sandbox.dialects.freshchat.settings import FreshchatOptions
    from tap_chat.sandbox.faults import Fault

    Body = dict[str, Any]

EVENTS = (
    *(report_rows.TRANSCRIPT, report_rows.RATING, report_rows.CREATED, report_rows.RESOLVED),
    *(report_rows.AGENT, report_rows.GROUP, report_rows.LABEL, *report_rows.OTHERS),
)

#: The longest span of a report, in ms, and that of transcripts.
LONGEST, LONGEST_TRANSCRIPT = 31 * DAY, DAY
#: The months from the start of a report until now.
MONTHS = 15
#: A file has the rows of this many ms.
FILE_SPAN = 15 * DAY

#: The host of the files; that of the API is 127.0.0.1.
FILE_HOST = "localhost"
#: The signature in the address of a file.
SIGNATURE = "sandbox-signature"
DENIED = b"<Error><Code>AccessDenied</Code></Error>"

#: Other names that columns have had, by the usual ones.
RENAMED = {
    "created_time": "Created At",
    "message": "Text",
    "value": "rating",
    "csat_id": "survey_id",
    "csat_response": "comment",
    # It was seen, without its first letter, in a file of Freshchat.
    "label_sub_category_name": "abel_sub_category_name",
}


class Job(msgspec.Struct, frozen=True, array_like=True):
    """A job.

    Attributes:
        event: The report.
        start: The start of its span, in ms.
        end: The end of its span, in ms.
        posted: When it was posted, in seconds since 1970.
        fate: The status with which it ends.
        nonce: Tells it from others.
    """

    event: str
    start: int
    end: int
    posted: float
    fate: str = "COMPLETED"
    nonce: str = ""

    @property
    def id(self) -> str:
        """Its id."""
        return urlsafe_b64encode(msgspec.json.encode(self)).decode().rstrip("=")

    @classmethod
    def of(cls, key: str) -> Job:
        """Return the job with an id; raises `RefusalError`."""
        try:
            return msgspec.json.decode(urlsafe_b64decode(key + "=" * (-len(key) % 4)), type=cls)
        except (ValueError, msgspec.DecodeError):
            raise RefusalError(404, "NOT_FOUND", "there is no such report") from None

    @property
    def spans(self) -> list[tuple[int, int]]:
        """The spans of its files."""
        return [
            (start, min(start + FILE_SPAN, self.end))
            for start in range(self.start, self.end, FILE_SPAN)
        ]


def post_job(sent: bytes, account: FreshchatAccount, fault: Fault | None) -> Body:
    """Respond to `POST /reports/raw`; raises `RefusalError`."""
    try:
        body: dict[str, str] = msgspec.json.decode(sent, type=dict[str, str])
    except msgspec.DecodeError:
        raise RefusalError(400, "BAD_REQUEST", "the body must be JSON") from None
    if body.get("event") not in EVENTS or body.get("format") != "csv":
        raise RefusalError(400, "BAD_REQUEST", "there is no such event or format")
    try:
        moments = [datetime.fromisoformat(body[name]) for name in ("start", "end")]
        start, end = map(epoch_ms, moments)
    except (KeyError, ValueError, TypeError):
        raise RefusalError(400, "BAD_REQUEST", "start and end must be times in UTC") from None
    is_transcript = body["event"] == report_rows.TRANSCRIPT
    if not 0 < end - start <= (LONGEST_TRANSCRIPT if is_transcript else LONGEST):
        raise RefusalError(400, "BAD_REQUEST", "the span is too long")
    if moments[0] < _months_before(account.now):
        raise RefusalError(400, "BAD_REQUEST", f"start is more than {MONTHS} months ago")
    fate = fault.literal if fault and fault.kind == "report" else "COMPLETED"
    job = Job(body["event"], start, end, time.time(), fate, uuid4().hex[:8])
    return {"id": job.id, "link": {"rel": "extracts", "href": f"/reports/raw/{job.id}"}}


class ReportFiles:
    """The files of the reports of an account.

    Args:
        account: The account.
        options: How to behave.
    """

    def __init__(self, account: FreshchatAccount, options: FreshchatOptions) -> None:
        self.account = account
        self.options = options

    def status(self, key: str, base_url: str) -> Body:
        """Respond to `GET /reports/raw/{id}`; raises `RefusalError`.

        Args:
            key: The id of the job.
            base_url: Where the API is.
        """
        job = Job.of(key)
        is_ready = time.time() - job.posted >= self.options.report_delay
        status = job.fate if is_ready else "PENDING"
        body: Body = {"id": key, "status": status, "interval": "2020-09-14 00:01:00.0 ..."}
        if status == "COMPLETED":
            body["links"] = [
                {
                    "link": {"rel": "extraction", "href": self._link(key, number, base_url)},
                    "from": timestamp(start),
                    "to": timestamp(end),
                    "status": status,
                }
                for number, (start, end) in enumerate(job.spans)
                if self.options.report_empty != "no_link" or self._rows(job, number)
            ]
        return body

    def file(self, key: str, number: str, request: Request) -> Response:
        """Respond to the request of a file."""
        query = request.query_params
        is_expired = float(query.get("expires", 0)) < time.time()
        # The storage refuses a request with a token in addition to the signature.
        has_token = "authorization" in request.headers
        is_there = request.url.hostname == FILE_HOST
        if query.get("sign") != SIGNATURE or is_expired or has_token or not is_there:
            return Response(DENIED, 403, media_type="application/xml")
        job = Job.of(key)
        found = self._rows(job, int(number))
        is_empty = not found and self.options.report_empty == "no_file"
        text = "" if is_empty else self._csv(job.event, found)
        if self.options.report_format == "csv":
            return Response(text.encode(), media_type="text/csv")
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            if not is_empty:
                archive.writestr(f"{job.event}.csv", text.encode())
        return Response(packed.getvalue(), media_type="application/zip")

    def _link(self, key: str, number: int, base_url: str) -> str:
        # Another host than that of the API, with a signature instead of the token.
        base = base_url.rstrip("/").replace("127.0.0.1", FILE_HOST)
        expires = time.time() + self.options.report_link_seconds
        return f"{base}/report-files/{key}/{number}?expires={expires:.3f}&sign={SIGNATURE}"

    def _rows(self, job: Job, number: int) -> list[Cells]:
        """Return the rows of a file of a job."""
        start, end = job.spans[number]
        found = self.account.report(job.event)
        opens, closes = self.options.report_bounds
        # Only the bounds of the whole span may be left out.
        from_start = bisect_left if opens == "[" or number else bisect_right
        to_end = bisect_right if closes == "]" and end == job.end else bisect_left
        newest = epoch_ms(self.account.now) - round(self.options.report_lag * HOUR)
        rows = found[from_start(found, start, key=_moment) : to_end(found, end, key=_moment)]
        return [row for row in rows if row.time <= newest]

    def _csv(self, event: str, found: list[Cells]) -> str:
        """Return rows as CSV; without rows, the header alone."""
        time_column = report_rows.TIMES.get(event, report_rows.TIME)
        examples = found or self.account.report(event)
        names = [time_column, *(examples[0].cells if examples else ())]
        header = names
        rows = [[self._time(row.time), *row.cells.values()] for row in found]
        if self.options.report_columns == "other":
            is_rating = event == report_rows.RATING
            renamed = RENAMED | {report_rows.TIME: "csat_rated_at" if is_rating else "created_time"}
            header = [*(renamed.get(name, name) for name in names), "Sentiment"]
            rows = [[*cells, "" if number % 3 else "good"] for number, cells in enumerate(rows)]
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerows([header, *rows])
        return text.getvalue()

    def _time(self, moment: int) -> str:
        """Return a time as the options have it."""
        if self.options.report_times == "iso":
            return timestamp(moment)
        time = datetime.fromtimestamp(moment / 1000, UTC)
        if self.options.report_times == "zone":
            time += timedelta(hours=5, minutes=30)
        # As java.sql.Timestamp, which `interval` has, too.
        text = f"{time:%Y-%m-%d %H:%M:%S}.{moment % 1000:03}".rstrip("0")
        return f"{text}0" if text.endswith(".") else text


def _moment(row: Cells) -> int:
    return row.time


def _months_before(now: datetime) -> datetime:
    """Return the earliest start of a report."""
    year, month = divmod(12 * now.year + now.month - 1 - MONTHS, 12)
    return now.replace(year=year, month=month + 1, day=min(now.day, 28)) - timedelta(days=3)
