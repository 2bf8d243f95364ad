"""The responses of Dixa's exports API."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from tap_chat.http import responses
from tap_chat.http.clock import time_of
from tap_chat.platforms.dixa import arrays

if TYPE_CHECKING:
    from datetime import datetime

    from tap_chat.http.responses import Response


@dataclass(frozen=True, slots=True)
class Export:
    """The response to the request of a window.

    Attributes:
        items: Its items, as `read_items` returns them.
        size: The size of what was read of its body, in bytes.
        sent_at: When it was sent, by the server's clock; `FAR` if it is unknown.
        received_at: When it was received, in seconds of the monotonic clock.
    """

    items: Any
    size: int
    sent_at: datetime
    received_at: float = field(default_factory=time.monotonic)


def read_export(response: Response) -> Export:
    """Read a response; see `read_items`."""
    return Export(read_items(response), len(response.body), time_of(response))


def read_items(response: Response) -> Any:  # noqa: ANN401
    """Split an array into the texts of its items.

    Args:
        response: The response, with a whole body or the beginning of a larger one.

    Returns:
        The items of an array; the response, if its body is the beginning of a larger one; or the
        decoded value, if it is not an array.

    Raises:
        ValueError: The body is not complete.
    """
    if response.rest is not None:
        return response
    try:
        return arrays.whole(response.body)
    except msgspec.DecodeError:
        return responses.decode(response.body)
