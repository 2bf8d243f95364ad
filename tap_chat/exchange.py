"""One request and its checked answer: what is retried, what is fatal, and how it is told.

The SDK's parts are used as they are: `get_http_request` builds a request, `authenticator` signs
it, the `backoff_*` hooks pace the retries.
"""

from __future__ import annotations

import random
import sys
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeVar

import backoff
import requests
from singer_sdk.exceptions import FatalAPIError, RetriableAPIError, SkippableAPIError

from tap_chat import answers
from tap_chat._sdk import BlockStream
from tap_chat.answers import Beginning

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from backoff.types import Details
    from singer_sdk.helpers.types import Context
    from singer_sdk.metrics import Counter
    from singer_sdk.streams.rest import HTTPRequest

    from tap_chat.settings import PlatformSettings
    from tap_chat.tap import TapChat
    from tap_chat.throttle import Throttle

P = ParamSpec("P")
T = TypeVar("T")

Body = bytes | bytearray

PASSING_STATUSES = frozenset({408, 429, 500, 502, 503, 504})


class BrokenOffError(RetriableAPIError):
    """The answer did not arrive whole: it may pass, or it may be too large."""


class ExchangeStream(BlockStream):
    """A stream that sends requests and checks their answers.

    Args:
        tap: The tap.
        settings: The platform's section of the config.
        throttle: The platform's allowance, shared by its streams.
    """

    name: str
    #: The platform's section in the config.
    section: ClassVar[str]
    #: The setting that carries the credential, for errors.
    credential: ClassVar[str] = "api_key"
    #: By how much each wait is longer than the one before.
    backoff_growth: ClassVar[float] = 2

    # A redirect could carry the credential to another host.
    allow_redirects = False

    def __init__(self, tap: TapChat, settings: PlatformSettings, throttle: Throttle) -> None:
        self.settings = settings
        self.throttle = throttle
        self._user_agent = tap.user_agent
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

    @property
    @override
    def timeout(self) -> float:  # type: ignore[override]
        return self.settings.request_timeout

    def exchange(
        self,
        request: HTTPRequest,
        read: Callable[[Any], T],
        *,
        largest: int | None = None,
        skippable: bool = False,
    ) -> T:
        """Send a request until it is answered.

        Args:
            request: The request, without credentials.
            read: From a body to what is wanted of it; a ValueError says that it is not whole.
            largest: Bytes of the largest answer that is held, if less can be asked for. Of a larger
                one `read` gets the `Beginning`; one that breaks off is given up at once.
            skippable: True if a 404 only says that this one is gone.

        Returns:
            What `read` made of the body.

        Raises:
            BrokenOffError: The answer broke off, and less can be asked for. Reading the rest of a
                larger one raises it, too.
            SkippableAPIError: A 404 of what may be gone.
            FatalAPIError: The request failed for good, or too often. The message names the
                stream, the request and the remedy.
        """

        def give_up(error: Exception) -> bool:
            return largest is not None and isinstance(error, BrokenOffError)

        try:
            return self.retrying(self._attempt, give_up)(request, read, largest, skippable)
        except RetriableAPIError as error:
            if give_up(error):
                raise
            tries = self.backoff_max_tries()
            raise FatalAPIError(
                f"{error} Gave up after {tries} tries (setting {self.section}.max_retries)."
            ) from None

    def _attempt(
        self,
        request: HTTPRequest,
        read: Callable[[Any], T],
        largest: int | None,
        skippable: bool,  # noqa: FBT001 - handed through
    ) -> T:
        self.throttle.wait()
        self.request_counter.increment()
        response, body = self._send(request, largest)
        if response.status_code == HTTPStatus.NOT_FOUND and skippable:
            raise SkippableAPIError(self.sentence(request, "answered 404 Not Found"))
        if response.status_code != HTTPStatus.OK:
            self._refuse(request, response)
        if answers.is_html(body):
            raise self.fatal(
                request,
                "answered with a web page instead of JSON",
                f"Check the setting {self.section}.api_url: it must be the host of the API.",
            )
        try:
            return read(body)
        except (answers.UnreadableError, RecursionError):
            readable = False
        except ValueError:
            readable = True
        # Raised outside of the handlers, and without the body: errors live on for a while.
        del body
        if readable:
            said = "answered with a body that is not whole JSON"
            raise BrokenOffError(self.sentence(request, said), response)
        raise self.unreadable(request)

    def _send(
        self, request: HTTPRequest, largest: int | None
    ) -> tuple[requests.Response, Body | Beginning]:
        try:
            prepared = self.build_prepared_request(
                request.method, request.url, params=request.encode_params(), headers=request.headers
            )
            # As `requests.get` does: certificates and proxies that the environment names.
            environment = self.requests_session.merge_environment_settings(
                prepared.url, proxies={}, stream=largest is not None, verify=None, cert=None
            )
            response = self.requests_session.send(
                prepared, timeout=self.timeout, allow_redirects=self.allow_redirects, **environment
            )
            body = response.content if largest is None else answers.bounded(response, largest)
        except Exception as error:  # noqa: BLE001 - its text may hold the URL with the credential
            failed = error
        else:
            if isinstance(body, Beginning):
                body = Beginning(body.first, self._rest(request, body.rest))
            return response, body
        # Raised outside of the handler, so that nobody finds the original.
        if not isinstance(failed, requests.RequestException) or isinstance(failed, ValueError):
            raise self.fatal(
                request,
                f"can't be sent ({type(failed).__name__})",
                f"Check the settings of {self.section}, and those of proxies and certificates in"
                " the environment.",
            )
        said = answers.describe_failure(failed, self.timeout)
        kind = BrokenOffError if answers.broke_off(failed) else RetriableAPIError
        raise kind(self.sentence(request, said))

    def _rest(self, request: HTTPRequest, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Read what follows a beginning, with errors as sentences."""
        try:
            yield from chunks
        except requests.RequestException as error:
            said = answers.describe_failure(error, self.timeout)
        else:
            return
        raise BrokenOffError(self.sentence(request, said))

    def _refuse(self, request: HTTPRequest, response: requests.Response) -> None:
        status = response.status_code
        said = f"answered {answers.describe_status(status)}"
        if status in PASSING_STATUSES:
            raise RetriableAPIError(self.sentence(request, said), response)
        if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            raise BrokenOffError(self.sentence(request, said), response)
        if status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}:
            remedy = f"Check the setting {self.section}.{self.credential}."
        elif location := response.headers.get("Location"):
            said += f" towards {answers.origin(location)}, which is not followed"
            remedy = f"If that is the API, put it into the setting {self.section}.api_url."
        else:
            remedy = f"Check the setting {self.section}.api_url and the stream's settings."
        raise self.fatal(request, said, remedy)

    def retrying(
        self, func: Callable[P, T], give_up: Callable[[Exception], bool]
    ) -> Callable[P, T]:
        """Return a function that calls this one again after a `RetriableAPIError`.

        Unlike the SDK's `request_decorator` it logs a wait once, not twice.

        Args:
            func: What to call.
            give_up: From an error to True if it is not worth another try.
        """
        decorate: Callable[[Callable[P, T]], Callable[P, T]] = backoff.on_exception(
            self.backoff_wait_generator,
            RetriableAPIError,
            max_tries=self.backoff_max_tries,
            jitter=self.backoff_jitter,
            on_backoff=self.backoff_handler,
            giveup=give_up,
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
            if asked is not None:
                self.throttle.pause(asked)
            error = yield wait if asked is None else asked
            wait *= self.backoff_growth

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

    def sentence(self, request: HTTPRequest, said: str) -> str:
        """Say what a request met, without credentials and without a byte of the answer.

        Args:
            request: The request.
            said: What the server did, as the predicate of the sentence.
        """
        url = f"{request.url}?{request.encode_params()}".removesuffix("?")
        return f"Stream {self.name}: {request.method} {url} {said}."

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
