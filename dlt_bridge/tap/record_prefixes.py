"""Tells lines with RECORDs apart by the bytes that they begin with, without decoding them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar

from dlt_bridge.tap.messages import RECORD_NAME, record_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")


class RecordPrefixes(Generic[T]):
    """The prefixes of RECORDs, and what takes the lines that begin with each.

    Most lines are RECORDs that differ only in the record itself, and many come one after another.
    """

    def __init__(self) -> None:
        self._takers: dict[bytes, T] = {}
        self._last = b""

    def add(self, line: bytes, stream: str, taker: T) -> None:
        """Add the prefix of a RECORD of a stream, and what takes the lines that begin with it."""
        if prefix := record_prefix(line, stream):
            self._takers[prefix] = taker

    def taker(self, line: bytes) -> T | None:
        """Return what takes a line; None if it begins with no known prefix."""
        prefix = line[: line.find(RECORD_NAME)]
        taker = self._takers.get(prefix)
        if taker is not None:
            self._last = prefix
        return taker

    def split(self, blocks: Iterable[bytes]) -> Iterator[tuple[int, int, bytes]]:
        """Yield lines with their numbers: single ones, or blocks of RECORDs of one stream.

        Args:
            blocks: Blocks of whole lines.

        Yields:
            The number of the first line, how many lines there are, and the lines.
        """
        number = 1
        for block in blocks:
            text, prefix = block.removesuffix(b"\n"), self._last
            count = text.count(b"\n") + 1
            # To count is several times as fast as to look for a line that begins otherwise.
            if prefix and text.count(b"\n" + prefix) + text.startswith(prefix) == count:
                yield number, count, text
            else:
                yield from _runs(text.split(b"\n"), prefix, number)
            number += count


def _runs(lines: list[bytes], prefix: bytes, number: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield lines as `split` does: those with a prefix together, the others one by one."""
    starts = [index for index, line in enumerate(lines) if not (prefix and line.startswith(prefix))]
    begin = 0
    for index in (*starts, len(lines)):
        if begin < index:
            yield number + begin, index - begin, b"\n".join(lines[begin:index])
        if index < len(lines):
            yield number + index, 1, lines[index]
        begin = index + 1
