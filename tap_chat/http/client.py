"""One request and its checked answer: what is retried, what is fatal, and how it is told.

The SDK's parts are used as they are: `get_http_request` builds a request, `authenticator` signs
it. Its `backoff_*` hooks are not: they bound the retries of a request by their number, so that a
short outage or a rate limit that is used up ends a run.
"""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar

import requests
from requests.structures import CaseInsensitiveDict
from requests.utils import default_headers
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError, SkippableAPIError
from typing_extensions import override
from urllib3.exceptions import HTTPError, ReadTimeoutError

from tap_chat.http import responses
from tap_chat.http.clock import ServerClock
from tap_chat.http.connections import LARGEST_ANSWER, LARGEST_DECODED, Timeouts, TooLargeError
from tap_chat.http.rate_limits import headers as limits
from tap_chat.http.rate_limits.throttle import StarvedError
from tap_chat.http.responses import PartialBody
from tap_chat.http.retries import Retries, RetryPolicy
from tap_chat.http.transport import CutOffError
from tap_chat.singer.sdk import ChunkedStream

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from singer_sdk.helpers.types import Context
    from singer_sdk.metrics import Counter
    from singer_sdk.streams.rest import HTTPRequest

    from tap_chat.config.settings import PlatformSettings
    from tap_chat.http.errors import Remedies
    from tap_chat.http.rate_limits.cycles import Turn
    from tap_chat.http.rate_limits.headers import LimitHeaders
    from tap_chat.http.rate_limits.throttle import Throttle
    from tap_chat.http.transport import Response
    from tap_chat.tap import TapChat

T = TypeVar("T")

Body = bytes | bytearray

PASSING_STATUSES = frozenset({408, 500, 502, 503, 504})

# Bytes; the body of a refusal is looked into for what it says of the wait.
LARGEST_REFUSAL = 16 * 1024


class TransientError(RetriableAPIError):
    """A failure that may pass.

    Args:
        message: The sentence.
        asked: Seconds that the server asked to wait, or None.
        remedy: What to do if it does not pass.
    """

    def __init__(self, message: str, asked: float | None = None, remedy: str = "") -> None:
        super().__init__(message)
        self.asked = asked
        self.remedy = remedy
        self.took = 0.0  # seconds


class RefusedError(TransientError):
    """The request was over the server's rate limit: it is no failure, and is sent again."""


class IncompleteResponseError(TransientError):
    """The answer did not arrive whole: it may pass, or it may be too large."""


class MissingPageError(Exception):
    """A status that says that there is no such page.

    Args:
        said: What the server did, as the predicate of a sentence.
    """

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


class ExchangeStream(ChunkedStream):
    """A stream that sends requests and checks their responses.

    Args:
        tap: The tap.
        settings: The platform's section of the config.
        throttle: What keeps to the platform's rate limit, shared by its streams.
    """

    name: str
    #: The platform's section in the config.
    section: ClassVar[str]
    #: What to do about requests to the platform that fail.
    remedies: ClassVar[Remedies]

    def __init__(self, tap: TapChat, settings: PlatformSettings, throttle: Throttle) -> None:
        self.settings = settings
        self.throttle = throttle
        self._user_agent = tap.user_agent
        self._transport = tap.transport
        self._counting = threading.Lock()
        self.clock = ServerClock()
        super().__init__(tap)

    @property
    @override
    def url_base(self) -> str:
        return self.settings.api_url.rstrip("/")

    @override
    def get_url(self, context: Context | None) -> str:
        # The SDK's own puts settings, credentials too, into the place of their names in braces.
        return f"{self.url_base}{self.path}"

    @cached_property
    @override
    def user_agent(self) -> str:
        return self._user_agent

    @cached_property
    def request_counter(self) -> Counter:
        """Counts the stream's requests, retries included, and logs the number now and then."""
        return self.get_http_request_counter()

    @cached_property
    def timeouts(self) -> Timeouts:
        """How long the server may take."""
        return Timeouts(self.settings.connect_timeout, self.settings.request_timeout)

    @override
    def log_sync_costs(self) -> None:
        super().log_sync_costs()
        self.throttle.log_summary()

    def exchange(
        self,
        request: HTTPRequest,
        read: Callable[[Any], T],
        *,
        largest: int | None = None,
        skippable: bool = False,
        missing: Collection[int] = (),
    ) -> T:
        """Send a request until it is answered.

        Args:
            request: The request, without credentials.
            read: From a body to what is wanted of it; a ValueError says that it is not whole.
            largest: Bytes of the largest answer that is held, if less can be asked for. Of a larger
                one `read` gets the `PartialBody`; one that breaks off is given up at once.
            skippable: True if a 404 only says that this one is gone.
            missing: Statuses that only say that there is no such page.

        Returns:
            What `read` made of the body.

        Raises:
            BrokenOffError: The answer broke off, and less can be asked for. Reading the rest of a
                larger one raises it, too.
            MissingPageError: One of those statuses.
            SkippableAPIError: A 404 of what may be gone.
            FatalAPIError: The request failed for good, or for too long. The message names the
                stream, the request and the remedy.
        """
        retries: Retries | None = None
        while True:
            try:
                return self.attempt(
                    request, read, largest=largest, skippable=skippable, missing=missing
                )
            except RefusedError as error:
                self.logger.debug("%s It is sent again when the limit lets it.", error)
                continue
            except IncompleteResponseError as error:
                if largest is not None:
                    raise
                failed: TransientError = error
            except TransientError as error:
                failed = error
            retries = retries or Retries(self._policy)
            wait = retries.wait(failed.took, failed.asked)
            if wait is None:
                raise self._given_up(failed, retries) from None
            failed.__traceback__ = None  # it holds the answer
            self.logger.warning(
                "%s It has failed for %.0f s; the next try is in %.1f s.",
                failed,
                retries.seconds,
                wait,
            )
            time.sleep(wait)

    def attempt(
        self,
        request: HTTPRequest,
        read: Callable[[Any], T],
        *,
        largest: int | None = None,
        skippable: bool = False,
        missing: Collection[int] = (),
    ) -> T:
        """Send a request once; arguments and value as for `exchange`.

        Raises:
            PassingError: There is no good answer, but there may be one later.
            MissingPageError: One of the statuses that say that there is no such page.
            SkippableAPIError: A 404 of what may be gone.
            FatalAPIError: There is no good answer.
        """
        with self._turn(request) as turn:
            try:
                answer, body = self._send(request, largest)
            except BaseException:
                self.throttle.failed(turn)
                raise
            told = self._tell(turn, answer)
            if answer.status in missing and self._says_missing(answer.status, body):
                raise MissingPageError(f"answered {responses.describe_status(answer.status)}")
            if answer.status == HTTPStatus.NOT_FOUND and skippable:
                self._skip(request, body)
            if answer.status != HTTPStatus.OK:
                self._refuse(request, answer, told)
            self.clock.saw(answer.headers.get("Date", ""))
            return self._value_of(request, body, read)

    def _value_of(
        self, request: HTTPRequest, body: Body | PartialBody, read: Callable[[Any], T]
    ) -> T:
        if responses.is_html(body):
            raise self.fatal(
                request,
                "answered with a web page instead of JSON",
                self.remedies.check_address,
            )
        try:
            return read(body)
        except (responses.UnreadableError, RecursionError):
            readable = False
        except ValueError:
            readable = True
        # Raised outside of the handlers: errors live on for a while, and these hold the body.
        if readable:
            said = "answered with a body that is not whole JSON in UTF-8"
            remedy = self.remedies.check_address_at_last
            raise IncompleteResponseError(self.sentence(request, said), remedy=remedy)
        raise self.unreadable(request)

    def _skip(self, request: HTTPRequest, body: Body | PartialBody) -> NoReturn:
        if self.says_gone(body):
            raise SkippableAPIError(self.sentence(request, "answered 404 Not Found"))
        said = "answered 404 Not Found, but not as the API does"
        raise TransientError(self.sentence(request, said))

    def _says_missing(self, status: int, body: Body | PartialBody) -> bool:
        # A web page is not the API's, and says nothing of its pages.
        return not responses.is_html(body) and (
            status != HTTPStatus.NOT_FOUND or self.says_gone(body)
        )

    def says_gone(self, body: Body | PartialBody) -> bool:  # noqa: ARG002 - most APIs have one 404
        """Say whether the body of a 404 is the API's word that something is gone.

        Others that stand before it, such as a gateway without a backend, answer 404, too.

        Args:
            body: The body.
        """
        return True

    @contextmanager
    def _turn(self, request: HTTPRequest) -> Iterator[Turn]:
        """Wait until a request may be sent, and take the time of what fails then."""
        try:
            turn = self.throttle.enter()
        except StarvedError as error:
            raise self._starved(request, error.seconds) from None
        with self._counting:
            self.request_counter.increment()
        started = time.monotonic()
        try:
            yield turn
        except TransientError as error:
            error.took = time.monotonic() - started
            raise

    def _send(
        self, request: HTTPRequest, largest: int | None
    ) -> tuple[Response, Body | PartialBody]:
        began = False
        try:
            answer = self._transport.carry(self._signed(request), self.timeouts, largest)
        except CutOffError as error:
            failed: Exception = error.reason
            began = True
        except Exception as error:  # noqa: BLE001 - its text may hold the URL with the credential
            failed = error
        else:
            body = answer.body
            if isinstance(body, PartialBody):
                body = PartialBody(body.first, self._rest(request, body.rest))
            return answer, body
        # Raised outside of the handler, so that nobody finds the original.
        if isinstance(failed, TooLargeError):
            raise self.fatal(
                request,
                f"answered with more than {LARGEST_ANSWER >> 20} MiB, or with values that take more"
                f" than {LARGEST_DECODED >> 20} MiB",
                "So much is not held in memory. Ask for less at once, or ask the API's vendor.",
            )
        if not isinstance(failed, HTTPError) or isinstance(failed, ValueError):
            raise self.fatal(
                request,
                f"can't be sent ({type(failed).__name__})",
                f"Check the settings of {self.section}, and those of proxies and certificates in"
                " the environment.",
            )
        said = responses.describe_failure(failed, self.timeouts, began=began)
        remedy = self.remedies.of_failure(failed, began=began)
        broke_off = began or isinstance(failed, ReadTimeoutError)
        kind = IncompleteResponseError if broke_off else TransientError
        raise kind(self.sentence(request, said), remedy=remedy)

    def _rest(self, request: HTTPRequest, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Read what follows a beginning, with errors as sentences."""
        try:
            yield from chunks
        except CutOffError as error:
            said = responses.describe_failure(error.reason, self.timeouts, began=True)
        else:
            return
        raise IncompleteResponseError(self.sentence(request, said))

    def _signed(self, request: HTTPRequest) -> requests.PreparedRequest:
        """Return a request with its credential, as authenticators know requests."""
        prepared = requests.PreparedRequest()
        prepared.method = request.method
        prepared.url = f"{request.url}?{request.encode_params()}".removesuffix("?")
        prepared.headers = CaseInsensitiveDict(self._common_headers)
        prepared.headers.update(request.headers)
        return self._sign(prepared)

    @cached_property
    def _common_headers(self) -> dict[str, str]:
        return {**default_headers(), "User-Agent": self.user_agent}

    @cached_property
    def _sign(self) -> Callable[[requests.PreparedRequest], requests.PreparedRequest]:
        return self.authenticator

    def _tell(self, turn: Turn, answer: Response) -> LimitHeaders:
        """Tell the throttle how a request was answered; return what it says of the limit."""
        told = limits.read(answer.status, answer.headers, _refusal(answer))
        if limits.is_refusal(answer.status, told):
            self.throttle.refused(turn, told)
        elif answer.status in PASSING_STATUSES:
            self.throttle.failed(turn)
            if told.wait is not None:
                self.throttle.pause(told.wait)
        else:
            self.throttle.accepted(turn, told)
        return told

    def _refuse(self, request: HTTPRequest, answer: Response, told: LimitHeaders) -> None:
        said = f"answered {responses.describe_status(answer.status)}"
        remedy = self.remedies.of_status(answer.status, told.wait)
        if limits.is_refusal(answer.status, told):
            raise RefusedError(self.sentence(request, said), told.wait, remedy)
        if answer.status in PASSING_STATUSES:
            raise TransientError(self.sentence(request, said), told.wait, remedy)
        if answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            raise IncompleteResponseError(self.sentence(request, said))
        redirected = HTTPStatus.MULTIPLE_CHOICES <= answer.status < HTTPStatus.BAD_REQUEST
        if redirected and (location := answer.headers.get("Location")):
            said += f" towards {responses.origin(location)}, which is not followed"
            remedy = f"If that is the API, put it into the setting {self.section}.api_url."
        raise self.fatal(request, said, remedy)

    @cached_property
    def _policy(self) -> RetryPolicy:
        settings = self.settings
        return RetryPolicy(settings.max_outage, settings.max_retries, settings.backoff_factor)

    def _given_up(self, failed: TransientError, retries: Retries) -> FatalAPIError:
        return FatalAPIError(
            f"{failed} Gave up after {retries.sent} tries in {retries.seconds:.0f} s (setting"
            f" {self.section}.{retries.ended}). {failed.remedy}".rstrip()
        )

    def _starved(self, request: HTTPRequest, seconds: float) -> FatalAPIError:
        return self.fatal(
            request,
            f"waits for the rate limit, and no request was accepted for {seconds:.0f} s",
            f"Try again later; the setting {self.section}.max_wait waits longer, and"
            f" {self.section}.requests_per_minute keeps to the limit.",
        )

    def sentence(self, request: HTTPRequest, said: str) -> str:
        """Say what a request met, without credentials and without a byte of the answer.

        Args:
            request: The request.
            said: What the server did, as the predicate of the sentence.
        """
        url = f"{request.url}?{request.encode_params()}".removesuffix("?")
        return f"{self.subject}{request.method} {url} {said}."

    @property
    def subject(self) -> str:
        """What each sentence begins with."""
        return f"Stream {self.name}: "

    def unreadable(self, request: HTTPRequest) -> FatalAPIError:
        """Return the error of an answer that is JSON, but of which no value can be made."""
        return self.fatal(
            request,
            "answered with JSON that is nested too deeply, or has a number that is too long",
            "It can't be read; ask the API's vendor.",
        )

    def fatal(self, request: HTTPRequest, said: str, remedy: str = "") -> FatalAPIError:
        """Return the error of a failure that will not pass; arguments as for `sentence`."""
        return FatalAPIError(f"{self.sentence(request, said)} {remedy}".strip())


def _refusal(answer: Response) -> bytes | None:
    """Return the body of a refusal, if it is small."""
    body = answer.body
    if answer.status < HTTPStatus.BAD_REQUEST or isinstance(body, PartialBody):
        return None
    return bytes(body) if len(body) <= LARGEST_REFUSAL else None
