"""Going on with a pass over parents that was interrupted, without an entry for each in the STATE.

Parents are walked in an order of their own, by a digest of their ids. So one digest says how far a
pass has come, and stays true whoever is deleted, added or moved in the list meanwhile. Who comes
into the list behind that place is a matter of the next pass, which asks for what is later than the
beginning of this one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Self

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

# The name of the mark in the STATE of its stream.
INTERRUPTED = "interrupted_pass"

# Hexadecimal digits of a place in the order of a pass.
DIGITS = 32

# The parts that a sketch tells apart; a power of two.
PARTS = 1024


@dataclass(frozen=True, slots=True)
class Sketch:
    """A set of parents whose size in a STATE is bounded.

    It has all parents that were put into it, and by chance others: each brings one of 1024 others
    with it. A parent too many costs requests, and nothing else.

    Attributes:
        bits: One for each part of the parents, set if one of the part is in it.
    """

    bits: int = 0

    @classmethod
    def of(cls, parents: Iterable[str]) -> Self:
        """Return the sketch of some parents."""
        bits = 0
        for parent in parents:
            bits |= 1 << part_of(parent)
        return cls(bits)

    @classmethod
    def read(cls, stored: object) -> Self:
        """Return the sketch of a STATE: an empty one for none, a full one for what is none."""
        try:
            bits = int(stored, 16) if isinstance(stored, str) and stored else 0
        except ValueError:
            bits = -1
        known = stored is None or isinstance(stored, str)
        return cls(bits if known and 0 <= bits < 1 << PARTS else (1 << PARTS) - 1)

    @property
    def text(self) -> str:
        """How it stands in a STATE; empty if it is empty."""
        return f"{self.bits:x}" if self.bits else ""

    def __contains__(self, parent: str) -> bool:
        """Say whether a parent may be in it."""
        return bool(self.bits >> part_of(parent) & 1)

    def __or__(self, other: Sketch) -> Sketch:
        """Return the sketch of the parents of both."""
        return Sketch(self.bits | other.bits)


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a pass has come.

    Attributes:
        kind: A digest of what is read, and from when on; a pass of another kind is not this one.
        started: When its first run began, as a bookmark.
        place: That of the last parent that is done.
        missed: A sketch of those before it that could not be read.
        settled: Whether nobody is known to have been left out of the list of parents.
    """

    kind: str
    started: str
    place: str = ""
    missed: str = ""
    settled: bool = True

    def after(self, parent: str) -> Mark:
        """Return the mark when this parent is done; one that was missed before moves nothing."""
        return replace(self, place=max(self.place, place_of(parent)))

    def without(self, parents: Iterable[str]) -> Mark:
        """Return the mark when these parents could not be read."""
        return replace(self, missed=(self.missing | Sketch.of(parents)).text)

    @property
    def missing(self) -> Sketch:
        """The parents that could not be read."""
        return Sketch.read(self.missed)


def find_mark(state: dict[str, Any], kind: str) -> Mark | None:
    """Return the mark in the STATE of a stream, if it is of this kind and one that can be used."""
    try:
        mark = msgspec.convert(state.get(INTERRUPTED), Mark)
    except msgspec.ValidationError:
        return None
    return mark if mark.kind == kind else None


def digest_of(*values: object) -> str:
    """Return a digest of values that decide what a pass reads."""
    return hexadecimal(repr(values))


def place_of(parent: str) -> str:
    """Return where a parent stands in the order of a pass."""
    return hexadecimal(parent)


def part_of(parent: str) -> int:
    """Return the part of a sketch that a parent belongs to."""
    return int(place_of(parent)[-8:], 16) % PARTS


def hexadecimal(text: str) -> str:
    """Return a digest of a text."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]


def remaining(parents: Iterable[str], mark: Mark | None) -> list[str]:
    """Return the parents that are left to read, in the order of a pass.

    Args:
        parents: All parents, each once.
        mark: How far the pass has come; None if it begins.
    """
    if mark is not None:
        missed = mark.missing
        parents = (one for one in parents if place_of(one) > mark.place or one in missed)
    return sorted(parents, key=place_of)
