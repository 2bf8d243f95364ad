"""Reads a file of lines in blocks of whole lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The most bytes that are read at once.
READ_BUFFER = 1024 * 1024


class Readable(Protocol):
    """A file, a pipe, or the output of a tap."""

    def read(self, size: int, /) -> bytes | None:
        """Return up to so many bytes; none at the end."""


def line_blocks(file: Readable) -> Iterator[bytes]:
    """Yield the whole lines of a file, as many together as it has at the time.

    Args:
        file: The file. Its `read1` is preferred, as `read` may wait until it has all bytes.

    Yields:
        Lines, each with its newline; the last line of the file may have none.
    """
    read = getattr(file, "read1", file.read)
    parts: list[bytes] = []
    while part := read(READ_BUFFER):
        first, last = part.find(b"\n"), part.rfind(b"\n")
        if last >= 0:
            # Yield a completed line alone, so that the lines after it need not be copied.
            yield b"".join((*parts, part[: first + 1]))
            if first < last:
                yield part[first + 1 : last + 1]
            parts = []
        parts.append(part[last + 1 :])
    if rest := b"".join(parts):
        yield rest
