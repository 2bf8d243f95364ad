"""Reads lists again until they bring nothing new.

If a record leaves a list, or moves to its end, the records behind it move forward. One of them may
move from a page that is not read yet to a page that was read, and is then missed. So a list of more
than one page is read again, until a reading brings nothing new and has as many records as the list
states. One reading is enough if each page states the same number, that many records came, and none
of them entered the list during the reading.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from tap_chat.streams.paginators.base import stated_number
from tap_chat.streams.read_plans import Fetched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tap_chat.singer.records import Record
    from tap_chat.streams.paginators import Page

# A limit, because each reading brings something new if records enter the list all the time.
MAX_READINGS = 3

# Bytes of the digest of a key. With a billion records, two digests are equal once in 10^20 lists.
DIGEST_BYTES = 16


class SeenRecords:
    """The records that were read, each in its last version.

    Args:
        version: Returns a value of a record that differs after a change.
    """

    def __init__(self, version: Callable[[Record], Any]) -> None:
        self._version = version
        self._versions: dict[bytes, int] = {}

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._versions)

    def new_in(self, keys: Sequence[tuple[Any, ...]], records: Sequence[Record]) -> list[Record]:
        """Return the records that were not read before in this version, and remember them.

        Args:
            keys: The key of each record.
            records: The records.
        """
        new = []
        for key, record in zip(keys, records, strict=True):
            text = repr(key).encode("utf-8", "surrogatepass")
            digest = blake2b(text, digest_size=DIGEST_BYTES).digest()
            version = hash(self._version(record))
            if self._versions.get(digest) != version:
                self._versions[digest] = version
                new.append(record)
        return new


def read_whole(
    read_pages: Callable[[], Iterator[Fetched[Page]]],
    seen: SeenRecords,
    total_path: str,
    is_recent: Callable[[Record], bool],
    report_missing: Callable[[int, int], None],
) -> Iterator[Fetched[list[Record]]]:
    """Read a list, and read it again if it has more than one page.

    Args:
        read_pages: Reads the pages of the list from the first one.
        seen: The records of the list that were read; none at first.
        total_path: The path at which a page states the number of records in the list.
        is_recent: Returns whether a record may have entered the list, or moved in it, while it was
            read.
        report_missing: Called with the stated number of records and the number that came, if fewer
            came by the end of the last reading.

    Yields:
        The new records of each page.
    """
    totals: set[int] = set()
    is_quiet = True
    for reading in range(1, MAX_READINGS + 1):
        count_before, has_ended = len(seen), False
        for number, step in enumerate(read_pages(), 1):
            totals.add(stated_number(step.value.body, total_path) or 0)
            total = max(totals)
            new = seen.new_in(step.value.keys, step.value.records)
            is_quiet = is_quiet and not any(map(is_recent, new))
            if reading == 1:
                is_settled = number == 1 or (is_quiet and totals == {len(seen)})
            else:
                is_settled = len(seen) == count_before
            is_settled = is_settled and len(seen) >= total
            has_ended = is_settled or reading == MAX_READINGS
            is_last = step.last and has_ended
            if is_last and len(seen) < total:
                report_missing(total, len(seen))
            yield Fetched(new, step.size, is_last)
        if has_ended:
            return
