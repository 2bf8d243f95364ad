"""The bounds of a response: how long it may take, and how large it may be."""

from __future__ import annotations

from dataclasses import dataclass

#: Bytes of the largest body that is held in memory as a whole; pages are far smaller.
LARGEST_BODY = 256 * 1024 * 1024

#: Bytes of memory, about, that the decoded values of a body may take. Those of a typical body take
#: five times as much memory as the body, and those of a list of `{}` thirty times.
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
    """A body, or its decoded values, would take more memory than allowed."""
