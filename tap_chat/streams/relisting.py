"""Lists that change while they are paged by number, read until nothing of them is missing.

Whoever leaves such a list pulls all behind them to an earlier place, and one over the seam of two
pages: it is on neither. So a list of more than one page is read again, until a reading brings
nothing new, and as many were seen as the list says that it has. One reading is enough if the list
says the same number on each page, as many came, and none of them came into it meanwhile: then
nobody has left it, and nobody has moved.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from tap_chat.streams.fan_out import Fetched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tap_chat.singer.records import Record
    from tap_chat.streams.paginators import Page

# A list into which something comes all the time has something new in each reading.
MOST_READINGS = 3

# Of the keys that are known. With a billion of them, two are the same once in 10^20 lists.
DIGEST_BYTES = 16


class SeenRecords:
    """The records that were seen, each as it was seen last.

    Args:
        version: From a record to what differs when it has changed.
    """

    def __init__(self, version: Callable[[Record], Any]) -> None:
        self._version = version
        self._seen: dict[bytes, int] = {}

    def __len__(self) -> int:
        """Return the number of records."""
        return len(self._seen)

    def fresh(self, keys: Sequence[tuple[Any, ...]], records: Sequence[Record]) -> list[Record]:
        """Return those records that were not seen as they are now.

        Args:
            keys: The key of each record.
            records: The records.
        """
        found = []
        for key, record in zip(keys, records, strict=True):
            text = repr(key).encode("utf-8", "surrogatepass")
            digest = blake2b(text, digest_size=DIGEST_BYTES).digest()
            version = hash(self._version(record))
            if self._seen.get(digest) != version:
                self._seen[digest] = version
                found.append(record)
        return found


def read_whole(
    walk: Callable[[], Iterator[Fetched[Page]]],
    known: SeenRecords,
    came_lately: Callable[[Record], bool],
    unsettled: Callable[[int, int], None],
) -> Iterator[Fetched[list[Record]]]:
    """Read a list, again if it has more than one page.

    Args:
        walk: Begins to read the list.
        known: What was seen of it; nothing at first.
        came_lately: Says whether a record may have come into the list, or moved in it, while it was
            read.
        unsettled: Called with the number that the list says it has and the number that was seen, if
            that is less after the last reading.

    Yields:
        Of each page what was not seen before.
    """
    totals: set[int] = set()
    quiet = True
    for reading in range(1, MOST_READINGS + 1):
        before, ended = len(known), False
        for number, step in enumerate(walk(), 1):
            totals.add(total_items(step.value.body))
            total = max(totals)
            fresh = known.fresh(step.value.keys, step.value.records)
            quiet = quiet and not any(map(came_lately, fresh))
            if reading == 1:
                settled = number == 1 or (quiet and totals == {len(known)})
            else:
                settled = len(known) == before
            settled = settled and len(known) >= total
            ended = settled or reading == MOST_READINGS
            last = step.last and ended
            if last and len(known) < total:
                unsettled(total, len(known))
            yield Fetched(fresh, step.size, last)
        if ended:
            return


def total_items(body: Any) -> int:  # noqa: ANN401
    """Return the number of records that a list says it has, or 0 if it does not say."""
    numbers = body.get("pagination") if isinstance(body, dict) else None
    total = numbers.get("total_items") if isinstance(numbers, dict) else None
    return total if type(total) is int else 0
