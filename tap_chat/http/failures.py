"""Describes why a request failed, and what to do about it; used by runs and by `--test`."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from http import HTTPStatus
from math import ceil
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
    TimeoutError,  # noqa: A004 - that of urllib3
)

from tap_chat.http.bounds import LARGEST_BODY, LARGEST_DECODED, TooLargeError
from tap_chat.http.errors import (
    ForbiddenError,
    IncompleteResponseError,
    RefusedError,
    RequestError,
    TransientError,
)
from tap_chat.http.responses import TRANSIENT_STATUSES

if TYPE_CHECKING:
    from tap_chat.http.bounds import Timeouts
    from tap_chat.http.responses import Response


NO_CONNECTION = "could not be sent, or the connection broke"
CUT_OFF = "was cut off in the middle of the response"
STALLED = "stalled in the middle of the response for {read:g} s"

NO_TLS = "failed: the server does not speak TLS, as https:// wants it"

# Special errors come before general ones: a ConnectTimeoutError is a TimeoutError, too.
FAILURES: tuple[tuple[type[Exception], str], ...] = (
    (NameResolutionError, "could not be sent: no host of that name was found"),
    (NewConnectionError, "could not be sent: no connection to that host and port"),
    (ConnectTimeoutError, "could not connect within {connect:g} s"),
    (TimeoutError, "got no response within {read:g} s"),
    (SSLError, "failed: the server's certificate could not be verified"),
    (ProxyError, "failed at the proxy"),
    (DecodeError, "returned a body that can't be decompressed"),
)

#: The statuses of what a credential may not read, or a plan does not include.
FORBIDDEN_STATUSES = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.PAYMENT_REQUIRED, HTTPStatus.FORBIDDEN}
)

LATER = "The server or the network has a problem: try again later."


@dataclass(frozen=True, slots=True)
class Remedies:
    """What to do about requests to a platform.

    Attributes:
        section: The platform's section in the config.
        address: The settings with the API's address, and what they must be, to follow "Check".
        unknown: What to do if the credential is not accepted (401).
        forbidden: What to do if the credential may not read this (403).
        setting: What has the URL of the API; by default the setting `api_url` of the section.
        rate_setting: The setting of the section that has the rate limit.
    """

    section: str
    address: str
    unknown: str
    forbidden: str
    setting: str = ""
    rate_setting: str = "requests_per_minute"

    @property
    def url_setting(self) -> str:
        """What has the URL of the API."""
        return self.setting or f"the setting {self.section}.api_url"

    @property
    def check_address(self) -> str:
        """What to do if another server than the API responds."""
        return f"Check {self.address}."

    @property
    def check_address_at_last(self) -> str:
        """What to do if the API has a problem, or another server responds."""
        return f"Try again later; if it fails each time, check {self.address}."

    def of_status(self, status: int, retry_after: float | None) -> str:
        """Return what to do about the status of a failure.

        Args:
            status: The HTTP status.
            retry_after: Seconds that the server asked to wait, or None.
        """
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            when = "later" if retry_after is None else f"in {ceil(retry_after)} s"
            return (
                f"The rate limit is used up: try again {when}, or set"
                f" {self.section}.{self.rate_setting} to stay below the limit."
            )
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
            return LATER
        remedies: dict[int, str] = {
            HTTPStatus.UNAUTHORIZED: self.unknown,
            HTTPStatus.PAYMENT_REQUIRED: (
                f"The account of {self.section} has no subscription that includes the API, or the"
                " subscription has ended: see its plan."
            ),
            HTTPStatus.FORBIDDEN: self.forbidden,
            HTTPStatus.NOT_FOUND: self.check_address,
        }
        return remedies.get(status, f"Check {self.url_setting} and the stream's settings.")

    def of_exception(self, error: HTTPError, *, began: bool) -> str:
        """Return what to do if there is no response.

        Args:
            error: The error of urllib3.
            began: Whether a response began.
        """
        match error:
            case _ if began:
                remedy = LATER
            case NewConnectionError() | ConnectTimeoutError():
                remedy = f"{self.check_address} If that is right, check the network."
            case SSLError() if is_about_certificate(error):
                remedy = (
                    f"{self.check_address} If that is right, the environment's REQUESTS_CA_BUNDLE"
                    " can name a file with the certificates to trust."
                )
            case SSLError():
                remedy = self.check_address
            case ReadTimeoutError():
                remedy = f"If the server is slow, raise the setting {self.section}.request_timeout."
            case ProxyError():
                remedy = "Check the proxy that the environment names, as in HTTPS_PROXY."
            case _:
                remedy = self.check_address_at_last
        return remedy


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a request failed.

    Attributes:
        error: The error to raise.
        predicate: What the request met, as the predicate of a sentence.
        remedy: What to do about it, as a sentence.
        retry_after: Seconds that the server asked to wait, or None.
    """

    error: type[RequestError | RefusedError | TransientError]
    predicate: str
    remedy: str = ""
    retry_after: float | None = None

    def to_error(self, sentence: str) -> RequestError | RefusedError | TransientError:
        """Return the error.

        Args:
            sentence: The predicate, as a sentence that names the request.
        """
        if issubclass(self.error, TransientError):
            return self.error(sentence, self.remedy, self.retry_after)
        return self.error(sentence, self.remedy)


def of_status(
    response: Response, remedies: Remedies, retry_after: float | None, *, is_refusal: bool
) -> Failure:
    """Return why a status is a failure.

    Args:
        response: The response.
        remedies: What to do about it.
        retry_after: Seconds that the server asked to wait, or None.
        is_refusal: Whether the request was over the rate limit.
    """
    status = response.status
    problem = response.problem
    predicate = problem.predicate if problem else f"returned {describe_status(status)}"
    remedy = (problem and problem.remedy) or remedies.of_status(status, retry_after)
    if is_refusal:
        return Failure(RefusedError, predicate, remedy)
    if status in TRANSIENT_STATUSES:
        return Failure(TransientError, predicate, remedy, retry_after)
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return Failure(IncompleteResponseError, predicate)
    redirected = HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST
    if redirected and (location := response.headers.get("Location")):
        predicate += f" towards {origin(location)}, which is not followed"
        remedy = f"If that is the API, put it into {remedies.url_setting}."
    error = ForbiddenError if status in FORBIDDEN_STATUSES else RequestError
    return Failure(error, predicate, remedy)


TOO_LARGE = Failure(
    RequestError,
    f"returned more than {LARGEST_BODY >> 20} MiB, or with values that take more"
    f" than {LARGEST_DECODED >> 20} MiB",
    "That is more than the tap holds in memory. Request less at once, or ask the API's vendor.",
)


def of_exception(
    error: Exception, timeouts: Timeouts, remedies: Remedies, *, began: bool
) -> Failure:
    """Return why there is no response.

    Args:
        error: The error. Its own text may hold the URL with the credential.
        timeouts: The time limits of the request.
        remedies: What to do about it.
        began: Whether a response began.
    """
    if isinstance(error, TooLargeError):
        return TOO_LARGE
    if not isinstance(error, HTTPError) or isinstance(error, ValueError):
        return Failure(
            RequestError,
            f"can't be sent ({type(error).__name__})",
            f"Check the settings of {remedies.section}, and those of proxies and certificates in"
            " the environment.",
        )
    is_incomplete = began or isinstance(error, ReadTimeoutError)
    return Failure(
        IncompleteResponseError if is_incomplete else TransientError,
        describe_exception(error, timeouts, began=began),
        remedies.of_exception(error, began=began),
    )


def describe_status(status: int) -> str:
    """Return a status with its name, such as `401 Unauthorized`."""
    is_standard = status in set(HTTPStatus)
    return f"{status} {HTTPStatus(status).phrase}" if is_standard else str(status)


def describe_exception(error: HTTPError, timeouts: Timeouts, *, began: bool) -> str:
    """Return why there is no response, as the predicate of a sentence.

    Args:
        error: The error of urllib3. Its own text may hold the URL with the credential.
        timeouts: The time limits of the request.
        began: Whether a response began.
    """
    if isinstance(error, SSLError) and not is_about_certificate(error):
        return NO_TLS
    default = CUT_OFF if began else NO_CONNECTION
    text = next((text for kind, text in FAILURES if isinstance(error, kind)), default)
    if began and isinstance(error, TimeoutError):
        text = STALLED
    return text.format(connect=timeouts.connect, read=timeouts.read)


def is_about_certificate(error: SSLError) -> bool:
    """Return whether the server's certificate is wrong; otherwise the server does not speak TLS."""
    return any(isinstance(cause, ssl.SSLCertVerificationError) for cause in error.args)


def origin(location: str) -> str:
    """Return the scheme and host of a redirect. The rest may hold a secret."""
    try:
        parts = urlsplit(location)
    except ValueError:
        return "no URL"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, "", "", "")) if host else "another path of the host"
