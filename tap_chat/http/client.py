"""The client of an API: sends a request until it succeeds, and reads the response.

It respects the rate limit, retries transient failures, and describes failures without secrets.
"""

from __future__ import annotations

import logging
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from requests.utils import default_headers

from tap_chat.http import failures, responses
from tap_chat.http.api_rules import ApiRules
from tap_chat.http.bounds import Timeouts
from tap_chat.http.clock import ServerClock
from tap_chat.http.deprecation import Deprecation
from tap_chat.http.errors import (
    IgnoredError,
    IncompleteResponseError,
    MissingError,
    RefusedError,
    RenewedError,
    RequestError,
    TransientError,
)
from tap_chat.http.rate_limits import headers as limits
from tap_chat.http.rate_limits.throttle import StarvedError
from tap_chat.http.request import PathError
from tap_chat.http.retries import Retries, RetryPolicy
from tap_chat.http.transport import CutOffError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    import requests

    from tap_chat.config.settings import PlatformSettings
    from tap_chat.http.failures import Remedies
    from tap_chat.http.rate_limits.cycles import Permit
    from tap_chat.http.rate_limits.headers import LimitHeaders
    from tap_chat.http.rate_limits.throttle import Throttle
    from tap_chat.http.request import Request
    from tap_chat.http.responses import Response
    from tap_chat.http.transport import Transport

    Sign = Callable[[requests.PreparedRequest], requests.PreparedRequest]

logger = logging.getLogger("tap-chat")

T = TypeVar("T")

NOT_SENT = "It is not sent: a stream must give a value for each name in braces in its path."


class Client:
    """Sends requests to one API; safe to use from several threads.

    Args:
        settings: The platform's section of the config.
        throttle: The throttle that all clients of the platform share.
        transport: The transport that all clients of the tap share.
        remedies: What to do about failed requests.
        subject: The beginning of each sentence, such as "Stream chat_messages: ".
        user_agent: The User-Agent of every request.
        sign: Adds the credential to a request, as authenticators of `requests` do.
        count: Called for each request that is sent, retries included, from any thread.
        rules: What the API does otherwise than most.
        deprecation: Takes note of what the API says about its end.

    Attributes:
        clock: The server's clock, as its responses show it.
    """

    def __init__(  # noqa: PLR0913 - what a request needs, each by its name
        self,
        *,
        settings: PlatformSettings,
        throttle: Throttle,
        transport: Transport,
        remedies: Remedies,
        subject: str,
        user_agent: str,
        sign: Sign,
        count: Callable[[], None] = lambda: None,
        rules: ApiRules = ApiRules(),  # noqa: B008 - it is immutable
        deprecation: Deprecation | None = None,
    ) -> None:
        self.settings = settings
        self.throttle = throttle
        self.remedies = remedies
        self.subject = subject
        self.clock = ServerClock()
        self._timeouts = Timeouts(settings.connect_timeout, settings.request_timeout)
        self._transport = transport
        self._headers = {**default_headers(), "User-Agent": user_agent}
        self._sign = sign
        self._count = count
        self.rules = rules
        self.deprecation = deprecation or Deprecation(remedies.section)
        self._policy = RetryPolicy(
            settings.max_outage, settings.max_retries, settings.backoff_factor
        )

    def send(
        self,
        request: Request,
        read: Callable[[Response], T],
        *,
        missing: Collection[int] = (),
        largest: int | None = None,
        reads_rest: bool = False,
    ) -> T:
        """Send a request until it succeeds.

        Args:
            request: The request.
            read: Reads a response of status 200. A ValueError means that the body is incomplete;
                then the request is sent again.
            missing: The statuses that mean that the requested object does not exist.
            largest: The size in bytes up to which a body is held in memory; None if it must be held
                as a whole. A larger body is returned in part, with its `rest`; if it breaks off,
                the request is not retried, because the caller can request less.
            reads_rest: Whether `read` reads the rest, too: then the request is retried.

        Returns:
            The value that `read` returns.

        Raises:
            MissingError: The status is one of `missing`.
            IgnoredError: The response means that there are no records.
            IncompleteResponseError: The response broke off, and `largest` is given. Reading the
                rest of a body raises it, too.
            RequestError: The request failed for good, or for too long.
        """
        retries = Retries(self._policy)
        while True:
            try:
                return self.send_once(request, read, missing=missing, largest=largest)
            except RefusedError as error:
                logger.debug("%s It is sent again.", error)
                continue
            except TransientError as error:
                is_incomplete = isinstance(error, IncompleteResponseError)
                if largest is not None and not reads_rest and is_incomplete:
                    raise
                failure = error
            wait = retries.next_wait(failure.seconds, failure.retry_after)
            if wait is None:
                raise RequestError(
                    f"{failure} Gave up after {retries.sent} tries in {retries.seconds:.0f} s"
                    f" (setting {self.remedies.section}.{retries.ended}).",
                    failure.remedy,
                ) from None
            failure.__traceback__ = None  # it holds the response
            logger.warning(
                "%s It has failed for %.0f s; the next try is in %.1f s.",
                failure,
                retries.seconds,
                wait,
            )
            time.sleep(wait)

    def send_once(
        self,
        request: Request,
        read: Callable[[Response], T],
        *,
        missing: Collection[int] = (),
        largest: int | None = None,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> T:
        """Send a request once.

        Args:
            request: As for `send`, like the other arguments and the returned value.
            read: See `send`.
            missing: See `send`.
            largest: See `send`.
            is_wanted: Returns whether it is still wanted, while it waits for the rate limit.

        Raises:
            UnwantedError: The response is not wanted any more.
            RefusedError: The request was over the rate limit, or its credential is renewed.
            IgnoredError: The response means that there are no records.
            TransientError: It failed, and may succeed later.
            MissingError: The status is one of `missing`.
            RequestError: It failed for good.
        """
        try:
            url = request.full_url
        except PathError as error:
            raise self.request_error(request, error.predicate, NOT_SENT) from None
        permit = self._enter(request, is_wanted)
        self._count()
        started = time.monotonic()
        try:
            try:
                response = self._send_signed(request, url, largest)
            except BaseException:
                self.throttle.failed(permit)
                raise
            self._check_status(
                request, response, self.throttle.responded(permit, response), missing
            )
            self.clock.see(response.headers.get("Date", ""))
            self.deprecation.see(response.headers)
            return self.read(request, response, read)
        except TransientError as error:
            error.seconds = time.monotonic() - started
            raise

    def _enter(self, request: Request, is_wanted: Callable[[], bool]) -> Permit:
        """Wait until a request may be sent."""
        try:
            return self.throttle.enter(is_wanted)
        except StarvedError as error:
            seconds = error.seconds
        raise self.request_error(
            request,
            f"waits for the rate limit, and no request was accepted for {seconds:.0f} s",
            f"Try again later, raise the setting {self.remedies.section}.max_wait, or set"
            f" {self.remedies.section}.{self.remedies.rate_setting} to stay below the limit.",
        )

    def _send_signed(self, request: Request, url: str, largest: int | None) -> Response:
        """Sign and send a request, and receive the response; errors become sentences."""
        began = False
        try:
            signed = self._sign(request.prepare(url, self._headers))
            response = self._transport.send_once(signed, self._timeouts, largest)
            response = response.with_problem(self.rules.problem_of(response))
        except CutOffError as error:
            failure: Exception = error.reason
            began = True
        except (RequestError, TransientError, RefusedError):
            raise  # no credential can be obtained
        except Exception as error:  # noqa: BLE001 - its text may hold the URL with the credential
            failure = error
        else:
            if self.rules.is_renewed_after(signed, response.status):
                status = failures.describe_status(response.status)
                raise RenewedError(self.sentence(request, f"returned {status}"))
            if response.rest is None:
                return response
            return response.followed_by(self._rest(request, response.rest))
        # Raised outside of the handler, so that the original error is not its context.
        reason = failures.of_exception(failure, self._timeouts, self.remedies, began=began)
        raise reason.to_error(self.sentence(request, reason.predicate))

    def _rest(self, request: Request, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Read the rest of a body; errors become sentences."""
        try:
            yield from chunks
        except CutOffError as error:
            predicate = failures.describe_exception(error.reason, self._timeouts, began=True)
        else:
            return
        raise IncompleteResponseError(self.sentence(request, predicate))

    def _check_status(
        self,
        request: Request,
        response: Response,
        stated: LimitHeaders,
        missing: Collection[int],
    ) -> None:
        """Raise the error of a status other than 200."""
        status = response.status
        if self.rules.is_ignored(response):
            raise IgnoredError(failures.describe_status(status))
        if status in self.rules.successes:
            return
        if status in missing:
            if status == HTTPStatus.NOT_FOUND and not self.rules.is_api_error(response.body):
                sentence = self.sentence(request, "returned 404 Not Found, but not as the API does")
                raise TransientError(sentence, self.remedies.check_address_at_last)
            # A web page is not the API's, and says nothing about what exists there.
            if not responses.is_html(response.body):
                raise MissingError(status, f"returned {failures.describe_status(status)}")
        reason = failures.of_status(
            response, self.remedies, stated.wait, is_refusal=limits.is_refusal(status, stated)
        )
        raise reason.to_error(self.sentence(request, reason.predicate))

    def read(self, request: Request, response: Response, read: Callable[[Response], T]) -> T:
        """Read a response of status 200; errors become sentences."""
        if responses.is_html(response.body):
            raise self.request_error(
                request,
                f"returned a web page instead of {self.rules.content}",
                self.remedies.check_address,
            )
        try:
            return read(response)
        except (responses.UnreadableError, RecursionError):
            is_readable = False
        except ValueError:
            is_readable = True
        # Raised outside of the handlers, because the errors there hold the body.
        if not is_readable:
            raise self.unreadable(request)
        incomplete = f"returned a body that is not complete {self.rules.content} in UTF-8"
        sentence = self.sentence(request, incomplete)
        raise IncompleteResponseError(sentence, self.remedies.check_address_at_last)

    def sentence(self, request: Request, predicate: str) -> str:
        """Return a sentence about a request, without credentials or parts of a response.

        Args:
            request: The request.
            predicate: The predicate of the sentence, such as "returned 404 Not Found".
        """
        url = self.rules.masked(request.shown_url)
        return f"{self.subject}{request.method} {url} {predicate}."

    def request_error(self, request: Request, predicate: str, remedy: str = "") -> RequestError:
        """Return the error of a request that failed for good; see `sentence` for the arguments."""
        return RequestError(self.sentence(request, predicate), remedy)

    def unreadable(self, request: Request) -> RequestError:
        """Return the error of a response that is JSON, but cannot be decoded."""
        return self.request_error(
            request,
            "returned JSON that is nested too deeply, or has a number that is too long",
            "It can't be read; ask the API's vendor.",
        )
