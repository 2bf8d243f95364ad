"""Going on with a pass over parents that was interrupted, without an entry for each in the STATE.

A mark says how many parents were written with all that belongs to them, and has a digest of their
ids in their order. It holds only if the list that is read next begins with the same ones in the
same order: whoever was deleted, added or moved before the mark makes it void, and the pass begins
anew. What changed later than the first run of the pass began is a matter of the next pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from tap_chat.fan_out import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_chat.records import Record

# The name of the mark in the STATE of its stream.
INTERRUPTED = "interrupted_pass"


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a pass has come.

    Attributes:
        kind: A digest of what is read, and from when on; a pass of another kind is not this one.
        started: When its first run began, as a bookmark.
        parents: The number of parents that are written.
        digest: Of their ids, in their order.
    """

    kind: str
    started: str
    parents: int = 0
    digest: str = ""

    def after(self, parent: str) -> Mark:
        """Return the mark one parent later."""
        return Mark(self.kind, self.started, self.parents + 1, chained(self.digest, parent))


@dataclass(frozen=True, slots=True)
class Parents:
    """Parents that are to be read.

    Attributes:
        before: The number of parents before them in the list.
        rows: The parents.
    """

    before: int
    rows: list[Record]


def find_mark(state: dict[str, Any], kind: str) -> Mark | None:
    """Return the mark in the STATE of a stream, if it is of this kind and one that can be used."""
    try:
        mark = msgspec.convert(state.get(INTERRUPTED), Mark)
    except msgspec.ValidationError:
        return None
    return mark if mark.kind == kind and mark.parents > 0 else None


def digest_of(*values: object) -> str:
    """Return a digest of values that decide what a pass reads."""
    digest = ""
    for value in values:
        digest = chained(digest, repr(value))
    return digest


def chained(digest: str, text: str) -> str:
    """Return the digest of a digest and a further text."""
    return sha256(f"{digest} {text}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def remaining(
    mark: Mark | None, start: Callable[[], Iterator[Step[list[Record]]]]
) -> Iterator[Step[Parents]]:
    """Read a list of parents from a mark on, or whole if the mark does not hold.

    Args:
        mark: The mark, if there is one.
        start: Begins to read the list; a second time, if the mark does not hold.

    Yields:
        The parents that are left.
    """
    if mark is not None:
        pages = start()
        passed, digest = 0, ""
        for page in pages:
            known = page.value[: mark.parents - passed]
            for parent in known:
                digest = chained(digest, str(parent["id"]))
            passed += len(known)
            if passed == mark.parents:
                break
        if (passed, digest) == (mark.parents, mark.digest):
            left = Parents(passed, page.value[len(known) :])
            yield Step(left, page.size, page.last)
            yield from numbered(passed + len(left.rows), pages)
            return
    yield from numbered(0, start())


def numbered(before: int, pages: Iterator[Step[list[Record]]]) -> Iterator[Step[Parents]]:
    """Say of pages of parents how many came before each.

    Args:
        before: The number before the first page.
        pages: The pages.
    """
    for page in pages:
        yield Step(Parents(before, page.value), page.size, page.last)
        before += len(page.value)
