"""Reads on in responses that were returned in part.

A response that is fetched ahead is held only in part; the rest waits at the server.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from tap_chat.http.bounds import LARGEST_BODY, TooLargeError
from tap_chat.http.failures import TOO_LARGE
from tap_chat.http.transport import check_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_chat.http.client import Client
    from tap_chat.http.request import Request
    from tap_chat.http.responses import Response

T = TypeVar("T")


def read_on(
    client: Client,
    request: Request,
    response: Response,
    read: Callable[[Response], T],
    *,
    largest: int | None,
) -> T:
    """Read more of a response that `Client.send` returned in part.

    Args:
        client: The client that sent the request.
        request: The request.
        response: The response.
        read: As for `Client.send`.
        largest: The size in bytes up to which the body is held now; None to hold it as a whole.

    Returns:
        The value that `read` returns.

    Raises:
        IncompleteResponseError: The response broke off.
        RequestError: It can't be read.
    """
    try:
        longer = _longer(response, largest)
    except TooLargeError:
        raise client.request_error(request, TOO_LARGE.predicate, TOO_LARGE.remedy) from None
    return client.read(request, longer, read)


def _longer(response: Response, largest: int | None) -> Response:
    body = bytearray(response.body)
    for chunk in response.rest or ():
        body += chunk
        if largest is not None and len(body) > largest:
            return replace(response, body=body)
        if len(body) > LARGEST_BODY:
            raise TooLargeError
    whole = replace(response, body=body, rest=None)
    check_memory(whole)
    return whole
