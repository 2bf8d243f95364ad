"""Access tokens of OAuth 2.0 client credentials (RFC 6749, section 4.4), renewed in time."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from tap_chat.http import responses
from tap_chat.http.failures import Remedies

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import PreparedRequest

    from tap_chat.http.client import Client
    from tap_chat.http.request import Request
    from tap_chat.http.responses import Response

#: A token is renewed so many seconds before it expires, or at half of its life if that is shorter:
#: a request takes a while, and waits for the rate limit after it was signed.
EARLY_SECONDS = 30.0
#: The number of tokens that no message shows: older ones have expired.
REMEMBERED = 8


@dataclass(frozen=True, slots=True)
class TokenRemedies(Remedies):
    """What to do about requests for an access token."""

    @override
    def of_status(self, status: int, retry_after: float | None) -> str:
        # RFC 6749, section 5.2: a wrong client or scope is a 400, or a 401.
        if status == HTTPStatus.BAD_REQUEST:
            return self.unknown
        return Remedies.of_status(self, status, retry_after)


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token, and when to renew it.

    Attributes:
        text: The token.
        renewed_at: The time, in seconds of the clock, at which it is renewed.
    """

    text: str
    renewed_at: float


class AccessTokens:
    """Signs requests with an access token. It is safe to use from several threads.

    A token is renewed before it expires. It is also renewed if a server refuses it after it has
    accepted it, as a token may be revoked.

    Args:
        client: Sends the requests for a token.
        request: The request for a token.
        token: A token to begin with; None to request one.
        default_seconds: The seconds after which a token expires if the response does not say so.
        clock: Returns seconds that never go back.

    Attributes:
        client: Sends the requests for a token.
        request: The request for a token.
        issued: The last tokens, which a server may repeat in its links.
    """

    def __init__(
        self,
        client: Client,
        request: Request,
        *,
        token: str | None = None,
        default_seconds: float = 3600,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.client = client
        self.request = request
        self._default_seconds = default_seconds
        self._clock = clock
        self._lock = threading.Lock()
        # dlt counts a given token as expired, and requests another. Here it is used until a server
        # refuses it.
        self._token = AccessToken(token, float("inf")) if token else None
        self._accepted = token or ""
        self.issued: tuple[str, ...] = ()

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the token to a request.

        Args:
            request: The request.

        Raises:
            RequestError: No token can be obtained.
        """
        with self._lock:
            if self._token is None or self._clock() >= self._token.renewed_at:
                self._token = self.client.send(self.request, self._read)
            request.headers["Authorization"] = f"Bearer {self._token.text}"
        return request

    def is_renewed_after(self, request: PreparedRequest, status: int) -> bool:
        """Take note of a response, and return whether its request shall be sent with another token.

        Args:
            request: The request.
            status: The status of the response.
        """
        text = str(request.headers.get("Authorization", "")).removeprefix("Bearer ")
        with self._lock:
            is_current = self._token is not None and self._token.text == text
            if status != HTTPStatus.UNAUTHORIZED:
                # A late response to an older token says nothing about the current one.
                self._accepted = text if is_current else self._accepted
                return False
            if not is_current:
                return True  # it was renewed since
            if self._accepted != text:
                return False  # another one would be refused, too
            self._token = None
            return True

    def _read(self, response: Response) -> AccessToken:
        body = responses.decode(response.body)
        text = body.get("access_token") if isinstance(body, dict) else None
        if not isinstance(text, str) or not text:
            raise self.client.request_error(
                self.request,
                "returned no `access_token`",
                f"Check {self.client.remedies.address}.",
            )
        self.issued = (*self.issued, text)[-REMEMBERED:]
        seconds = _seconds(body.get("expires_in")) or self._default_seconds
        return AccessToken(text, self._clock() + max(seconds - EARLY_SECONDS, seconds / 2))


def _seconds(value: Any) -> float | None:  # noqa: ANN401
    """Return `expires_in` as a number, which some servers send as a text; None if it is none."""
    try:
        seconds = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return seconds if 0 < seconds < float("inf") else None
