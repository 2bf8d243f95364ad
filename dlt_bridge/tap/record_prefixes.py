"""What the RECORDs of each stream begin with: lines are told apart without being decoded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Generic, TypeVar

from dlt_bridge.tap.messages import RECORD_NAME, record_prefix

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")


class RecordPrefixes(Generic[T]):
    """Knows what takes the lines that begin as others did.

    Most lines are RECORDs that differ in nothing but the record itself, and come many together.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, T] = {}
        self._last = b""
        # A line that begins in another way than the last RECORD.
        self._other = re.compile(rb"\n")

    def add(self, line: bytes, stream: str, taker: T) -> None:
        """Learn what a RECORD of a stream begins with, and what takes others like it."""
        if head := record_prefix(line, stream):
            self._known[head] = taker

    def known(self, line: bytes) -> T | None:
        """Return what takes a line, if it is a RECORD that begins as others did."""
        head = line[: line.find(RECORD_NAME)]
        known = self._known.get(head)
        if known is not None and head != self._last:
            self._last = head
            self._other = re.compile(rb"\n(?!" + re.escape(head) + rb")")
        return known

    def split(self, blocks: Iterable[bytes]) -> Iterator[tuple[int, int, bytes]]:
        """Yield lines with their numbers: one at a time, or a block of RECORDs of one stream.

        Args:
            blocks: Whole lines, as many together as there are at the moment.

        Yields:
            The number of the first line, how many lines there are, and the lines.
        """
        number = 1
        for block in blocks:
            text = block.removesuffix(b"\n")
            head = self._last
            if head and text.startswith(head) and not self._other.search(text):
                count = text.count(b"\n" + head) + 1
                yield number, count, text
            else:
                lines = text.split(b"\n")
                count = len(lines)
                yield from _runs(lines, head, number)
            number += count


def _runs(lines: list[bytes], head: bytes, number: int) -> Iterator[tuple[int, int, bytes]]:
    """Yield lines that begin alike together, and the others one at a time; as `split` does."""
    run: list[bytes] = []
    for index, line in enumerate(lines, start=number):
        if head and line.startswith(head):
            run.append(line)
            continue
        if run:
            yield index - len(run), len(run), b"\n".join(run)
            run = []
        yield index, 1, line
    if run:
        yield number + len(lines) - len(run), len(run), b"\n".join(run)
