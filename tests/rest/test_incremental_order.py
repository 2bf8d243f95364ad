"""Lists in the order of their cursor: newest first until the bookmark, or oldest first."""

from __future__ import annotations

import random
import signal
from typing import TYPE_CHECKING, Any

import pytest
from rest.feed import Feed, rooms_and_rows, rows_of, same
from running import Run, ended_after

if TYPE_CHECKING:
    from rest.feed import Reader

NEWEST_FIRST = {"cursor_path": "at", "row_order": "desc"}
OLDEST_FIRST = {"cursor_path": "at", "start_param": "since", "row_order": "asc"}


def sorted_feed(reader: Reader, order: Any, count: int) -> Feed:
    feed = reader.feed
    feed.order, feed.rows = order, rows_of(list(range(1000, 1000 + count)))
    return feed


def test_newest_first_ends_at_the_first_page_before_the_bookmark(reader: Reader) -> None:
    feed = sorted_feed(reader, "desc", 200)
    assert same(reader.rows(NEWEST_FIRST), feed.rows)
    feed.rows += rows_of([1200, 1201, 1202], 200)
    assert same(reader.rows(NEWEST_FIRST), feed.rows[199:])
    # The first page reaches the bookmark, the second is before it.
    assert len(feed.asked) <= 3
    assert same(reader.rows(NEWEST_FIRST), feed.rows[202:])
    assert reader.bookmark == 1202


def test_newest_first_reads_changed_records_that_moved_to_the_front(reader: Reader) -> None:
    feed = sorted_feed(reader, "desc", 100)
    reader.rows(NEWEST_FIRST)
    changed = [row | {"at": 2000 + number, "text": "new"} for number, row in enumerate(feed.rows)]
    feed.rows[20:60] = changed[20:60]
    assert same(reader.rows(NEWEST_FIRST), [*feed.rows[20:60], feed.rows[99]])


def test_newest_first_reads_all_if_the_list_is_in_another_order(reader: Reader) -> None:
    feed = sorted_feed(reader, "desc", 60)
    reader.rows(NEWEST_FIRST)
    new = rows_of([1060, 1061], 60)
    # A list in no order: the new rows come last.
    feed.order, feed.rows = None, [*feed.rows, *new]
    run = reader.run(NEWEST_FIRST)
    assert run.code == 0
    assert same(run.rows("feed_rows"), feed.rows[59:])
    assert "are not in the order of `at` that `row_order: desc` promises" in run.err


def test_newest_first_children_end_at_the_bookmark_each(reader: Reader) -> None:
    feed = reader.feed
    feed.order = "desc"
    feed.rooms = {
        f"room{room}": rows_of([room + 10 * number for number in range(40)], 100 * room)
        for room in range(6)
    }
    config = reader.config_of(rooms_and_rows(NEWEST_FIRST))
    every = [row for rows in feed.rooms.values() for row in rows]
    first = reader.run_config(config)
    assert same(first.rows("feed_rows"), every)
    assert len(feed.asked) > 6 * 4
    feed.rooms["room2"].insert(0, {"id": "new", "at": 500})
    second = reader.run_config(config)
    assert {row["id"] for row in second.rows("feed_rows")} >= {"new"}
    assert len(feed.asked) <= 2 + 6 * 2 + 2


def test_oldest_first_moves_the_bookmark_during_the_list(reader: Reader) -> None:
    """A run that is killed after a STATE continues there."""
    feed = sorted_feed(reader, None, 25_000)
    feed.filters = "nothing"
    paginator = {"type": "offset", "limit": 1000, "total_path": None}
    config = reader.config(OLDEST_FIRST | {"initial_value": 0}, paginator=paginator)
    killed = ended_after(reader.tap.command(config), 15_000, signal.SIGKILL)
    killed = Run(killed.code, killed.out[: killed.out.rfind(b"\n") + 1], killed.err)
    at = killed.bookmark("feed_rows")
    written = {row["id"]: row for row in killed.rows("feed_rows")}
    assert {row["id"] for row in feed.rows if row["at"] <= at} <= written.keys()
    assert at >= 10_000
    feed.asked.clear()
    resumed = reader.tap(config, state=killed.state)
    assert min(int(since) for since in feed.since) >= 10_000
    written |= {row["id"]: row for row in resumed.rows("feed_rows")}
    assert same(list(written.values()), feed.rows)


@pytest.mark.parametrize("seed", range(3))
def test_oldest_first_takes_the_bookmark_back_if_the_list_is_in_another_order(
    reader: Reader, seed: int
) -> None:
    dice = random.Random(seed)
    feed = sorted_feed(reader, None, 25_000)
    feed.rows.insert(dice.randrange(1_000, 9_000), {"id": "late", "at": 1005})
    paginator = {"type": "offset", "limit": 1000, "total_path": None}
    run = reader.run(OLDEST_FIRST, paginator=paginator)
    assert "are not in the order of `at` that `row_order: asc` promises" in run.err
    assert same(run.rows("feed_rows"), feed.rows)
    *before, last = [
        state["value"]["bookmarks"]["feed_rows"].get("replication_key_value")
        for state in run.of_type("STATE")
    ]
    assert set(before) == {None}
    assert last == 25_999
