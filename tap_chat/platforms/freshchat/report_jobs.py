"""The jobs of Freshchat's raw reports: requested, waited for, and downloaded.

https://developers.freshworks.com/assets/Freshchat-ReportsAPI.pdf, and the SDK of Freshworks for the
links: https://www.npmjs.com/package/@freshworks-jaya/freshchat-api.
"""

from __future__ import annotations

import time
from dataclasses import replace
from http import HTTPStatus
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from tap_chat.http import responses
from tap_chat.http.api_rules import ApiRules
from tap_chat.http.clock import time_of
from tap_chat.http.errors import ForbiddenError, MissingError, RequestError
from tap_chat.http.request import Request
from tap_chat.platforms.freshchat.report_files import spool
from tap_chat.platforms.freshchat.report_queue import ReportJob
from tap_chat.platforms.freshchat.settings import FILE_REMEDIES, REPORT_REMEDIES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from requests import PreparedRequest

    from tap_chat.http.client import Client
    from tap_chat.http.rate_limits.throttle import Throttle
    from tap_chat.http.responses import Response
    from tap_chat.platforms.freshchat.report_queue import ReportQueue, ReportSpan
    from tap_chat.platforms.freshchat.streams import FreshchatStream

PATH = "/reports/raw"

#: The statuses of a job, or of a file, that has ended. Others mean that it has not.
DONE = frozenset({"COMPLETED"})
FAILED = frozenset({"FAILED", "FAILURE", "ERROR", "CANCELLED", "CANCELED", "EXPIRED", "REJECTED"})

#: How often a report is requested: jobs fail, or never end.
TRIES = 3

#: Bytes of a file that are read before it is written to a temporary file.
FIRST_BYTES = 64 * 1024

#: Seconds for which a new job may be unknown.
UNKNOWN_SECONDS = 60.0

#: The statuses of responses about jobs.
JOB_STATUSES = (HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED)
FILE_RULES = ApiRules(content="CSV or a ZIP of CSV")

SUPPORT = "Run again; if it fails each time, ask Freshchat's support."


class Reports:
    """Gets the reports of a stream.

    Args:
        stream: The stream, whose requests they are.
        posting: The throttle of requests for reports.
        loading: The throttle of downloads, which no rate limit holds back.
        queue: The jobs of the run.
    """

    def __init__(
        self, stream: FreshchatStream, posting: Throttle, loading: Throttle, queue: ReportQueue
    ) -> None:
        self._settings = stream.settings
        self._url = stream.url_base
        rules = replace(stream.api_rules, successes=JOB_STATUSES)
        self._poster = stream.client_of(posting, rules=rules, remedies=REPORT_REMEDIES)
        self._asker = stream.client_of(stream.api.throttle, rules=rules)
        self._client = stream.client
        self._loader = stream.client_of(loading, _unsigned, FILE_RULES, FILE_REMEDIES)
        self._logger = stream.logger
        self._queue = queue

    def expect(self, spans: Iterable[ReportSpan]) -> None:
        """Request reports ahead, in this order, while other streams are read."""
        self._queue.expect(spans, self._post_once)

    def job(self, span: ReportSpan) -> ReportJob:
        """Return the job of a report, which is posted if there is none."""
        return self._queue.job(span, self._post)

    def files(self, span: ReportSpan) -> Iterator[tuple[Request, IO[bytes]]]:
        """Download the files of a report.

        Args:
            span: The report.

        Yields:
            The request of each file, for errors, and its content.

        Raises:
            RequestError: There is no report.
        """
        links = self._wait(span)
        number = restarts = 0
        while number < len(links):
            try:
                request, file = self._load(links[number])
            except RequestError as error:
                # Its address may be out of time: the job has a new one.
                self._logger.info("%s The report is looked up again.", error)
                job = self.job(span)
                links = self._wait(span)
                if self.job(span) != job and restarts < TRIES:
                    # Another job may divide the rows among its files otherwise.
                    number = 0
                    restarts += 1
                if number >= len(links):
                    raise
                request, file = self._load(links[number])
            with file:
                yield request, file
            number += 1

    def _load(self, link: str) -> tuple[Request, IO[bytes]]:
        """Download a file.

        Args:
            link: Its address.

        Returns:
            Its request, for errors, and its content.
        """
        request, client = self._request_of(link)
        try:
            file = client.send(request, spool, largest=FIRST_BYTES, reads_rest=True)
        except ForbiddenError as refusal:
            # It says nothing about what the token may read.
            failure = str(refusal)
        else:
            return request, file
        raise RequestError(failure)

    def _wait(self, span: ReportSpan) -> list[str]:
        """Wait until a report is ready, and return the addresses of its files."""
        for attempt in range(1, TRIES + 1):
            job = self.job(span)
            links, failure = self._poll(job)
            if links is not None:
                return links
            self._queue.forget(span)
            sentence = self._client.sentence(self._status_request(job), failure)
            if attempt < TRIES:
                self._logger.warning("%s It is requested again.", sentence)
        raise RequestError(f"{sentence} It was requested {TRIES} times in all.", SUPPORT)

    def _poll(self, job: ReportJob) -> tuple[list[str] | None, str]:
        """Ask for the status of a job until it ends.

        Returns:
            The addresses of its files; or None, and why there are none as a predicate.
        """
        request = self._status_request(job)
        deadline = time.monotonic() + self._settings.report_wait
        while True:
            try:
                body = self._asker.send(
                    request, _decoded, missing=(HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
                )
            except MissingError as error:
                if time.monotonic() > job.posted + UNKNOWN_SECONDS:
                    return None, str(error)
                status, links = "", list[str]()
            else:
                status, links = self._read_status(request, body)
            if status in FAILED:
                return None, f"has the status {status}"
            if status in DONE:
                return links, ""
            if time.monotonic() >= deadline:
                seconds = self._settings.report_wait
                return None, (f"is not ready after {seconds:.0f} s (setting freshchat.report_wait)")
            time.sleep(self._settings.report_poll_seconds)

    def _read_status(self, request: Request, body: Any) -> tuple[str, list[str]]:  # noqa: ANN401
        """Return the status of a job, and the addresses of its files."""
        status = responses.find(body, "status")
        if not isinstance(status, str):
            raise self._client.request_error(
                request,
                f"returned no status of the report, but {responses.describe_shape(body)}",
                self._client.remedies.check_address,
            )
        status = status.strip().upper()
        files = body.get("links")
        if status not in DONE or files is None:
            if status in DONE:
                sentence = self._client.sentence(request, "returned a report without links")
                self._logger.warning("%s It counts as empty.", sentence)
            return status, []
        if not isinstance(files, list):
            raise self._client.request_error(request, "returned links, but not as a list", SUPPORT)
        links = []
        for file in files:
            own_status = str(responses.find(file, "status") or status).strip().upper()
            if own_status not in DONE:
                return own_status, []
            link = responses.find(file, "link.href") or responses.find(file, "href")
            if isinstance(link, str) and link:
                links.append(link)
            else:
                sentence = self._client.sentence(request, "returned a file without an address")
                self._logger.warning("%s It counts as empty.", sentence)
        return status, links

    def _status_request(self, job: ReportJob) -> Request:
        url = f"{self._url}{PATH}/{{id}}"
        return Request(url, path_params={"id": job.id}, headers={"Accept": "application/json"})

    def _request_of(self, link: str) -> tuple[Request, Client]:
        """Return the request of a file, and the client for it: the token stays with the API."""
        own = urlsplit(self._url)
        address = quote(link, safe="%/:=&?~#+!$,;'@()*[]")
        if link.startswith("/"):
            # Freshchat: the address of a job is below /v2, too.
            return Request(f"{self._url}{address}", is_secret=True), self._client
        try:
            parts = urlsplit(link)
            is_valid = bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
        except ValueError:
            is_valid = False
        if not is_valid or parts.scheme not in {"https", own.scheme}:
            request = Request(f"{self._url}{PATH}")
            raise self._client.request_error(
                request,
                "named a file whose address is not a URL with https://",
                "The file is not downloaded; ask Freshchat's support.",
            )
        request = Request(address, is_secret=True)
        is_own = (parts.scheme, parts.netloc) == (own.scheme, own.netloc)
        return request, self._client if is_own else self._loader

    def _post(self, span: ReportSpan) -> ReportJob:
        request = self._post_request(span)
        return self._poster.send(request, lambda response: self._job_of(request, response))

    def _post_once(self, span: ReportSpan) -> ReportJob:
        request = self._post_request(span)
        return self._poster.send_once(request, lambda response: self._job_of(request, response))

    def _post_request(self, span: ReportSpan) -> Request:
        body = {
            "start": _written(span.start),
            "end": _written(span.end),
            "event": span.event,
            "format": "csv",
        }
        headers = {"Accept": "application/json"}
        return Request(f"{self._url}{PATH}", "POST", headers=headers, body=body)

    def _job_of(self, request: Request, response: Response) -> ReportJob:
        body = responses.decode(response.body)
        key = responses.find(body, "id")
        if not key or isinstance(key, bool) or not isinstance(key, (str, int)):
            raise self._poster.request_error(
                request,
                f"returned no id of the report, but {responses.describe_shape(body)}",
                self._poster.remedies.check_address,
            )
        return ReportJob(str(key), time_of(response), time.monotonic())


def _written(moment: datetime) -> str:
    """Return a time as Freshchat takes it."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _decoded(response: Response) -> Any:  # noqa: ANN401
    return responses.decode(response.body)


def _unsigned(request: PreparedRequest) -> PreparedRequest:
    return request
