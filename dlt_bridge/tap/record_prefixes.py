"""Tells lines with RECORDs apart by the bytes that they begin with, without decoding them."""

from __future__ import annotations

import re
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
        # The beginning of a line without the last prefix.
        self._other = re.compile(rb"\n")

    def add(self, line: bytes, stream: str, taker: T) -> None:
        """Add the prefix of a RECORD of a stream, and what takes the lines that begin with it."""
        if prefix := record_prefix(line, stream):
            self._takers[prefix] = taker

    def taker(self, line: bytes) -> T | None:
        """Return what takes a line; None if it begins with no known prefix."""
        prefix = line[: line.find(RECORD_NAME)]
        taker = self._takers.get(prefix)
        if taker is not None and prefix != self._last:
            self._last = prefix
            self._other = re.compile(rb"\n(?!" + re.escape(prefix) + rb")")
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
            text = block.removesuffix(b"\n")
            prefix = self._last
            if prefix and text.startswith(prefix) and not self._other.search(text):
                count = text.count(b"\n" + prefix) + 1
                yield number, count, text
            else:
                lines = text.split(b"\n")
                count = len(lines)
                yield from _runs(lines, prefix, number)
            number += count


def _runs(lines: list[bytes], prefix: bytes, number: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield lines as `split` does: those with a prefix together, the others one by one."""
    run: list[bytes] = []
    for index, line in enumerate(lines, start=number):
        if prefix and line.startswith(prefix):
            run.append(line)
            continue
        if run:
            yield index - len(run), len(run), b"\n".join(run)
            run = []
        yield index, 1, line
    if run:
        yield number + len(lines) - len(run), len(run), b"\n".join(run)
