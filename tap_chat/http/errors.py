"""What to do about a request that failed: a sentence each, the same in a run and in `--test`."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from math import ceil

from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from tap_chat.http.responses import is_about_certificate

LATER = "The trouble is the server's, or the network's: try again later."


@dataclass(frozen=True, slots=True)
class Remedies:
    """What to do about requests to a platform.

    Attributes:
        section: The platform's section in the config.
        address: The settings that lead to the API and what they must be, as in "Check ...".
        unknown: What to do if the credential is not accepted (401).
        forbidden: What to do if it is, but may not read (403).
    """

    section: str
    address: str
    unknown: str
    forbidden: str

    @property
    def check_address(self) -> str:
        """What to do if what answers is not the API."""
        return f"Check {self.address}."

    @property
    def check_address_at_last(self) -> str:
        """What to do if what answers may be the API in trouble."""
        return f"Try again later; if it is so each time, check {self.address}."

    def of_status(self, status: int, asked: float | None) -> str:
        """Return what to do about a status of failure.

        Args:
            status: The HTTP status.
            asked: Seconds that the server asked to wait, or None.
        """
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            when = "later" if asked is None else f"in {ceil(asked)} s"
            return (
                f"The rate limit is used up: try again {when}. The setting"
                f" {self.section}.requests_per_minute keeps to it."
            )
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
            return LATER
        known: dict[int, str] = {
            HTTPStatus.UNAUTHORIZED: self.unknown,
            HTTPStatus.PAYMENT_REQUIRED: (
                f"The account of {self.section} has no subscription with the API, or it has ended:"
                " see its plan."
            ),
            HTTPStatus.FORBIDDEN: self.forbidden,
            HTTPStatus.NOT_FOUND: self.check_address,
        }
        return known.get(
            status, f"Check the setting {self.section}.api_url and the stream's settings."
        )

    def of_failure(self, error: HTTPError, *, began: bool) -> str:
        """Return what to do if there is no answer.

        Args:
            error: What urllib3 raised.
            began: Whether there was the beginning of one.
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
