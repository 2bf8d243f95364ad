"""How a run resumes an interrupted pass over all users, without an entry for each in the STATE.

A pass reads the users in the order of a digest of their ids. So one digest records how far a pass
has come, even if users are deleted, added or moved in the list since. A user who is added behind
that position is read by the next pass, which asks for everything since this one began. A pass over
the conversations that reports name does the same with their ids.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Self

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

# The keys in the STATE of a stream that is read through users: the start of the last run that read
# at least the changed users; the start of the last run that read all users; the time until which
# reports have shown what to read; and the users with data that one of the runs over users missed.
USERS_UNTIL = "users_until"
ALL_UNTIL = "all_until"
REPORTS_UNTIL = "reports_until"
MISSED = "missed"
BOOKMARK_KEYS = (USERS_UNTIL, ALL_UNTIL, REPORTS_UNTIL, MISSED)

# The key in the STATE of the progress of an interrupted pass.
INTERRUPTED = "interrupted_pass"

# The hexadecimal digits of a position in the order of a pass.
DIGITS = 32

# The groups that an `ApproximateSet` tells apart; a power of two.
GROUPS = 1024


# The ids of a `PassBatch`.
IDS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class PassBatch:
    """Some of the users or conversations that are left to read in a pass.

    Attributes:
        listed_at: When the list of all of them was requested, as a bookmark.
        ids: Their ids.
    """

    listed_at: str
    ids: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ApproximateSet:
    """A set of users that takes a bounded number of bytes in a STATE.

    It contains every user that was added, and all others of the same groups, of which there are
    1024. An extra user only costs requests.

    Attributes:
        bits: A bit for each group; it is set if a user of the group was added.
    """

    bits: int = 0

    @classmethod
    def of(cls, users: Iterable[str]) -> Self:
        """Return the set of some users."""
        bits = 0
        for user in users:
            bits |= 1 << group_of(user)
        return cls(bits)

    @classmethod
    def read(cls, stored: object) -> Self:
        """Return the set in a STATE; the empty set for None, the full set for an invalid text."""
        try:
            bits = int(stored, 16) if isinstance(stored, str) and stored else 0
        except ValueError:
            bits = -1
        is_valid = stored is None or isinstance(stored, str)
        return cls(bits if is_valid and 0 <= bits < 1 << GROUPS else (1 << GROUPS) - 1)

    @property
    def text(self) -> str:
        """The set as a STATE holds it: hexadecimal digits, none if it is empty."""
        return f"{self.bits:x}" if self.bits else ""

    def __contains__(self, user: str) -> bool:
        """Return whether a user may have been added."""
        return bool(self.bits >> group_of(user) & 1)

    def __or__(self, other: ApproximateSet) -> ApproximateSet:
        """Return the set of the users of both."""
        return ApproximateSet(self.bits | other.bits)


@dataclass(frozen=True, slots=True)
class PassProgress:
    """The progress of a pass over all users.

    Attributes:
        kind: A digest of what the pass reads. A pass can't use the progress of another kind.
        started: When the first run of the pass began, as a bookmark.
        place: The position of the last user that was read.
        missed: The users before that position that could not be read: the text of an
            `ApproximateSet`.
        settled: Whether the list of users was complete, as far as the API shows.
    """

    kind: str
    started: str
    place: str = ""
    missed: str = ""
    settled: bool = True

    def after(self, user: str) -> PassProgress:
        """Return the progress after a user is read; a user that is read again changes nothing."""
        return replace(self, place=max(self.place, position_of(user)))

    def without(self, users: Iterable[str]) -> PassProgress:
        """Return the progress after these users could not be read."""
        return replace(self, missed=(self.missing | ApproximateSet.of(users)).text)

    @property
    def missing(self) -> ApproximateSet:
        """The users that could not be read."""
        return ApproximateSet.read(self.missed)


def find_progress(state: dict[str, Any], kind: str) -> PassProgress | None:
    """Return the progress in the STATE of a stream, if it is valid and of this kind of pass."""
    try:
        progress = msgspec.convert(state.get(INTERRUPTED), PassProgress)
    except msgspec.ValidationError:
        return None
    return progress if progress.kind == kind else None


def digest_of(*values: object) -> str:
    """Return a digest of the values that decide what a pass reads."""
    return hex_digest(repr(values))


def position_of(user: str) -> str:
    """Return the position of a user in the order of a pass."""
    return hex_digest(user)


def group_of(user: str) -> int:
    """Return the number of the group of a user in an `ApproximateSet`."""
    return int(position_of(user)[-8:], 16) % GROUPS


def hex_digest(text: str) -> str:
    """Return the digest of a text."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]


def batches(
    ids: Iterable[str], listed_at: str, progress: PassProgress | None
) -> Iterator[PassBatch]:
    """Yield the users or conversations that are left to read, in the order of a pass.

    Args:
        ids: The ids of all of them, each once.
        listed_at: When their list was requested, as a bookmark.
        progress: The progress of the pass; None at its start.
    """
    left = remaining(ids, progress)
    for start in range(0, len(left), IDS_AT_ONCE):
        yield PassBatch(listed_at, left[start : start + IDS_AT_ONCE])


def remaining(users: Iterable[str], progress: PassProgress | None) -> list[str]:
    """Return the users that are left to read, in the order of a pass.

    Args:
        users: The ids of all users, each once.
        progress: The progress of the pass; None at its start.
    """
    if progress is not None:
        missed = progress.missing
        users = (user for user in users if position_of(user) > progress.place or user in missed)
    return sorted(users, key=position_of)
