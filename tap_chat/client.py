"""ChatStream: one request, one checked page, its records; what is retried and what is fatal.

The SDK's parts are used as they are: `get_http_request` builds a request, `authenticator` signs
it, the `backoff_*` hooks pace the retries. Only the loop over pages is our own, because the SDK's
decodes a body after the retries are over and once more in each paginator.
"""

from __future__ import annotations

import random
import sys
from abc import abstractmethod
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeVar

import backoff
import requests
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError
from singer_sdk.helpers.conform import TypeConformanceLevel
from singer_sdk.streams import RESTStream
from singer_sdk.streams.rest import PageContext

from tap_chat import answers
from tap_chat.bookmarks import Bookmark, Bookmarks, normalise_datetime, normalise_value
from tap_chat.pagination import Page, Paginator, RepeatedPageError
from tap_chat.records import compile_conformer

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable

    from backoff.types import Details
    from singer_sdk.helpers.types import Context
    from singer_sdk.streams.rest import HTTPRequest

    from tap_chat.records import Conform, Record
    from tap_chat.settings import PlatformSettings
    from tap_chat.tap import TapChat
    from tap_chat.throttle import Throttle

P = ParamSpec("P")
T = TypeVar("T")

# Characters shown of the name of a field that is not declared.
SHOWN_NAME = 60

PASSING_STATUSES = frozenset({429, 500, 502, 503, 504})


class ChatStream(RESTStream[Any]):
    """A stream of one platform.

    Args:
        tap: The tap.
        settings: The platform's section of the config.
        throttle: The platform's allowance, shared by its streams.
    """

    #: The platform's section in the config.
    section: ClassVar[str]
    #: The setting that carries the credential, for errors.
    credential: ClassVar[str] = "api_key"

    # Records are conformed when their page is checked. The SDK would do it once more, and turn
    # numbers beyond a double's range into null.
    TYPE_CONFORMANCE_LEVEL = TypeConformanceLevel.NONE

    # A redirect could carry the credential to another host.
    allow_redirects = False

    def __init__(self, tap: TapChat, settings: PlatformSettings, throttle: Throttle) -> None:
        self.settings = settings
        self.throttle = throttle
        self._start_date = tap.start_date
        self._user_agent = tap.user_agent
        super().__init__(tap)

    @property
    @abstractmethod
    def records_path(self) -> str:
        """Where the records are in a page: names with dots between them; empty for the root."""

    @abstractmethod
    def new_paginator(self) -> Paginator[Any]:
        """Return a fresh paginator for one walk over the pages."""

    @property
    @override
    def url_base(self) -> str:
        return self.settings.api_url.rstrip("/")

    @cached_property
    @override
    def user_agent(self) -> str:
        return self._user_agent

    @property
    @override
    def timeout(self) -> float:  # type: ignore[override]
        return self.settings.request_timeout

    # Records

    @override
    def get_records(self, context: Context | None) -> Iterable[Record]:
        paginator = self.new_paginator()
        request_page = self.retrying(self.request_page)
        with self.get_http_request_counter() as counter:
            while not paginator.finished:
                token = paginator.current_value
                request = self.get_http_request(page=PageContext(context, token))
                counter.increment()
                try:
                    page = request_page(request)
                except RetriableAPIError as error:
                    tries = self.backoff_max_tries()
                    raise FatalAPIError(
                        f"{error} Gave up after {tries} tries (setting {self.section}.max_retries)."
                    ) from None
                try:
                    new = paginator.advance(page)
                except RepeatedPageError:
                    raise self.fatal(
                        request,
                        "gave a page that came before",
                        "The server does not page as it was asked to; check the paging settings "
                        f"of {self.section}.",
                    ) from None
                if new:
                    yield from page.records
        if self.replication_key and (unmarked := self.bookmarks.unmarked):
            self.logger.warning(
                "%d records of %s have no usable `%s`: they were written, and will be again "
                "whenever they are read.",
                unmarked,
                self.name,
                self.replication_key,
            )

    def request_page(self, request: HTTPRequest) -> Page:
        """Send one request and check its answer.

        Args:
            request: The request, without credentials.

        Returns:
            The page, whose records all have their keys and the declared types.

        Raises:
            RetriableAPIError: The failure may pass.
            FatalAPIError: It will not. The message names the stream, the request and the remedy.
        """
        self.throttle.wait()
        response = self._exchange(request)
        if response.status_code != HTTPStatus.OK:
            self._refuse(request, response)
        if answers.is_html(response):
            raise self.fatal(
                request,
                "answered with a web page instead of JSON",
                f"Check the setting {self.section}.api_url: it must be the host of the API.",
            )
        try:
            body = answers.decode(response.content)
        except ValueError:
            raise RetriableAPIError(
                self.sentence(request, "answered with a body that is not whole JSON"), response
            ) from None
        return self._page(request, body)

    def _exchange(self, request: HTTPRequest) -> requests.Response:
        prepared = self.build_prepared_request(
            request.method, request.url, params=request.encode_params(), headers=request.headers
        )
        try:
            return self.requests_session.send(
                prepared, timeout=self.timeout, allow_redirects=self.allow_redirects
            )
        except requests.RequestException as error:
            failure = answers.describe_failure(error, self.timeout)
        # Raised outside of the handler: the original error holds the URL with the credential.
        raise RetriableAPIError(self.sentence(request, failure))

    def _refuse(self, request: HTTPRequest, response: requests.Response) -> None:
        status = response.status_code
        said = f"answered {answers.describe_status(status)}"
        if status in PASSING_STATUSES:
            if (wait := answers.retry_after(response)) is not None:
                self.throttle.pause(wait)
            raise RetriableAPIError(self.sentence(request, said), response)
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            remedy = f"Check the setting {self.section}.{self.credential}."
        elif location := response.headers.get("Location"):
            target = answers.without_secrets(location).partition("?")[0]
            said += f" towards {target}, which is not followed"
            remedy = f"If that is the API, put it into the setting {self.section}.api_url."
        else:
            remedy = f"Check the setting {self.section}.api_url and the stream's settings."
        raise self.fatal(request, said, remedy)

    def _page(self, request: HTTPRequest, body: Any) -> Page:  # noqa: ANN401
        records = answers.find(body, self.records_path)
        if not isinstance(records, list):
            place = f"`{self.records_path}`" if self.records_path else "the root"
            raise self.fatal(
                request,
                f"answered without a list of records at {place}, but {answers.shape(body)}",
                self.records_remedy,
            )
        for index, record in enumerate(records):
            problem = self._conform(record) if isinstance(record, dict) else "is not an object"
            if problem:
                said = f"gave a record (number {index} of the page) that {problem}"
                raise self.fatal(request, said, self.record_remedy)
        keys = [tuple(record[key] for key in self.primary_keys) for record in records]
        return Page(body, records, keys)

    @cached_property
    def _conform(self) -> Conform:
        return compile_conformer(self.effective_schema, self.primary_keys, self._warn_undeclared)

    def _warn_undeclared(self, name: str) -> None:
        self.logger.warning(
            "Records of %s have a field '%s' that is not declared; it is left out. %s",
            self.name,
            name[:SHOWN_NAME],
            self.record_remedy,
        )

    # Incremental

    @cached_property
    def bookmarks(self) -> Bookmarks:
        """The keeper of this stream's state."""
        return Bookmarks(
            normalise=self.normalise_bookmark,
            start=self.first_bookmark,
            tap_name=self.tap_name,
            stream_name=self.name,
            tap_state=self.tap_state,
            state_partitioning_keys=self.state_partitioning_keys,
            is_sorted=self.is_sorted,
            check_sorted=self.check_sorted,
        )

    @property
    @override
    def state_manager(self) -> Bookmarks:
        return self.bookmarks

    @property
    def normalise_bookmark(self) -> Callable[[object], Bookmark | None]:
        """The function from a value of the replication key to a bookmark."""
        return normalise_datetime if self.is_timestamp_replication_key else normalise_value

    @property
    def starting_bookmark(self) -> Bookmark | None:
        """Where this run starts; None to read everything."""
        start: Bookmark | None = self.get_starting_replication_key_value(None)
        return start

    @property
    def first_bookmark(self) -> Bookmark | None:
        """Where a first incremental run starts: at the setting `start_date`, if that is a time."""
        return normalise_datetime(self._start_date) if self.is_timestamp_replication_key else None

    @override
    def get_replication_key_signpost(self, context: Context | None = None) -> str | None:
        signpost = super().get_replication_key_signpost(context)
        return normalise_datetime(signpost) if signpost else None

    # Retries

    def retrying(self, func: Callable[P, T]) -> Callable[P, T]:
        """Return a function that calls this one again after a `RetriableAPIError`.

        Unlike the SDK's `request_decorator` it logs a wait once, not twice.

        Args:
            func: What to call.
        """
        decorate: Callable[[Callable[P, T]], Callable[P, T]] = backoff.on_exception(
            self.backoff_wait_generator,
            RetriableAPIError,
            max_tries=self.backoff_max_tries,
            jitter=self.backoff_jitter,
            on_backoff=self.backoff_handler,
            logger=None,
        )
        return decorate(func)

    @override
    def backoff_max_tries(self) -> int:
        return self.settings.max_retries + 1

    @override
    def backoff_wait_generator(self) -> Generator[float, Any, None]:
        wait = self.settings.backoff_factor
        error = yield 0.0
        while True:
            response = error.response if isinstance(error, RetriableAPIError) else None
            asked = answers.retry_after(response) if response is not None else None
            error = yield wait if asked is None else asked
            wait *= 2

    @override
    def backoff_jitter(self, value: float) -> float:
        # Never less than a server asked for; a little more, so that workers spread.
        return value * random.uniform(1, 1.1)  # noqa: S311

    @override
    def backoff_handler(self, details: Details) -> None:
        self.logger.warning(
            "%s Try %d of %d; the next in %.1f s.",
            details.get("exception"),
            details["tries"],
            self.backoff_max_tries(),
            details.get("wait") or 0.0,
        )

    # Errors

    @property
    def records_remedy(self) -> str:
        """What to do when a page has no list of records."""
        return f"Check the setting {self.section}.api_url."

    @property
    def record_remedy(self) -> str:
        """What to do when a record does not fit its schema."""
        return ""

    def sentence(self, request: HTTPRequest, said: str) -> str:
        """Say what a request met, without credentials and without a byte of the answer.

        Args:
            request: The request.
            said: What the server did, as the predicate of the sentence.
        """
        url = answers.without_secrets(f"{request.url}?{request.encode_params()}")
        return f"Stream {self.name}: {request.method} {url} {said}."

    def fatal(self, request: HTTPRequest, said: str, remedy: str = "") -> FatalAPIError:
        """Return the error of a failure that will not pass; arguments as for `sentence`."""
        return FatalAPIError(f"{self.sentence(request, said)} {remedy}".strip())
