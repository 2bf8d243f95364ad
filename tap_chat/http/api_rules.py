"""What an API does otherwise than most."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import requests

    from tap_chat.http.responses import Body, Problem, Response

#: Stands for a secret in messages.
MASK = "***"
#: A shorter secret is only masked where it is a whole value: it may be a part of many words.
SHORT_SECRET = 6


@dataclass(frozen=True, slots=True)
class ApiRules:
    """What an API does otherwise than most.

    Attributes:
        successes: The statuses of responses with records.
        is_api_error: Returns whether the API itself sent the body of a 404. Servers in front of the
            API, such as a gateway without a backend, return 404, too.
        is_ignored: Returns whether a response means that there are no records.
        is_renewed_after: Returns whether a request shall be sent again with a new credential, given
            the signed request and the status of its response.
        problem_of: Returns the error that the body of a response states, whatever its status is;
            None if it states none.
        secrets: The texts that no message may show.
        issued: Returns further ones, which the API issued.
        content: What a response contains, for messages.
    """

    successes: Collection[int] = (HTTPStatus.OK,)
    is_api_error: Callable[[Body], bool] = lambda _: True
    is_ignored: Callable[[Response], bool] = lambda _: False
    is_renewed_after: Callable[[requests.PreparedRequest, int], bool] = lambda *_: False
    problem_of: Callable[[Response], Problem | None] = lambda _: None
    secrets: Collection[str] = ()
    issued: Callable[[], Collection[str]] = tuple
    content: str = "JSON"

    def masked(self, url: str) -> str:
        """Return a URL for messages, without secrets.

        Args:
            url: The URL.
        """
        # The longest first: another one may be a part of it.
        for secret in sorted({*self.secrets, *self.issued()}, key=len, reverse=True):
            for form in {secret, quote(secret, safe=""), quote(secret), quote_plus(secret)}:
                if len(secret) >= SHORT_SECRET:
                    url = url.replace(form, MASK)
                elif form:
                    url = _replace_value(url, form)
        return url


def _replace_value(url: str, value: str) -> str:
    """Return a URL with a mask for each segment of the path, or parameter, that has the value."""
    path, mark, query = url.partition("?")
    segments = [MASK if segment == value else segment for segment in path.split("/")]
    pairs = [pair.partition("=") for pair in query.split("&")]
    values = (f"{name}{sign}{MASK if given == value else given}" for name, sign, given in pairs)
    return "/".join(segments) + mark + "&".join(values)
