"""The bounds of a response: how long it may take, and how large it may be."""

from __future__ import annotations

from dataclasses import dataclass

#: Bytes of the largest body that is held in memory as a whole. No API that pages comes near.
LARGEST_BODY = 256 * 1024 * 1024

#: Bytes of memory that its values may take, about. The values of a common body take five times as
#: much as its bytes, and those of one of nothing but `{}` thirty times.
LARGEST_DECODED = 6 * LARGEST_BODY


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long a server may take.

    Attributes:
        connect: Seconds for a connection, TLS included.
        read: Seconds for the first byte of a response, and for every further 64 KiB.
    """

    connect: float
    read: float


class TooLargeError(Exception):
    """A body is larger than any that is held in memory, or would be once it is decoded."""
