"""Lists of every length end as with dlt's own `rest_api`, after about as many requests."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from parity.api import LIMIT
from parity.loading import Both, differences

if TYPE_CHECKING:
    from collections.abc import Callable

#: The rows of a list: none, one, around the end of a page, and of several.
COUNTS = (0, 1, LIMIT - 1, LIMIT, LIMIT + 1, 2 * LIMIT, 47)

OFFSET = {"type": "offset", "limit": LIMIT}
PAGE = {"type": "page_number", "base_page": 1}
HAS_MORE = {"total_path": None, "has_more_path": "has_more"}
WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "offset_total": ("offset", OFFSET),
    "offset_has_more": ("offset", OFFSET | HAS_MORE),
    "offset_nothing": ("offset", OFFSET | {"total_path": None}),
    "page_total": ("page", PAGE),
    "page_has_more": ("page", PAGE | HAS_MORE),
    "page_nothing": ("page", PAGE | {"total_path": None}),
    "cursor": ("cursor", {"type": "cursor"}),
    "header_cursor": ("header_cursor", {"type": "header_cursor"}),
    "json_link": ("json_link", {"type": "json_link"}),
}


#: The requests that may be sent beyond those of dlt, given the number of pages. Pages by offset
#: begin with the last row of the page before. Pages by number are requested again, after the next
#: one, unless the API states the number of rows: rows may have left the list. A full last page is
#: followed by one more request, whatever total is stated.
MORE: dict[str, Callable[[int], int]] = {
    "offset_total": lambda pages: pages // LIMIT + 2,
    "offset_has_more": lambda pages: pages // LIMIT + 1,
    "offset_nothing": lambda pages: pages // LIMIT + 1,
    "page_total": lambda pages: pages,
    "page_has_more": lambda pages: pages,
    "page_nothing": lambda pages: pages,
}


def resources(counts: tuple[int, ...]) -> list[dict[str, Any]]:
    return [
        {
            "name": f"{name}_{count}",
            "primary_key": "id",
            "write_disposition": "merge",
            "endpoint": {
                "path": f"{way}/{name}_{count}",
                "data_selector": "data",
                "paginator": paginator,
            },
        }
        for name, (way, paginator) in WAYS.items()
        for count in counts
    ]


def counted(paths: list[str]) -> Counter[str]:
    """Return the number of requests of each list."""
    return Counter(str(re.split(r"[/?]", path)[2]) for path in paths)


@pytest.mark.timeout(300)
def test_every_length_is_read_as_by_dlt(both: Both) -> None:
    declaration = {"client": {"base_url": both.api.url}, "resources": resources(COUNTS)}
    for added in (0, 1, LIMIT):
        for name in WAYS:
            for count in COUNTS:
                rows = [{"id": number, "text": f"{number}"} for number in range(count + added)]
                both.api.lists[f"{name}_{count}"] = rows
        both.api.paths.clear()
        both.load_by_dlt(declaration)
        by_dlt = counted(both.api.paths)
        both.api.paths.clear()
        both.load_by_tap(declaration)
        tables = both.tables
        assert differences(*tables) == []
        # Several workers may request pages beyond the end, which test_read_ahead.py counts.
        both.api.paths.clear()
        both.load_by_tap(declaration, max_workers=1)
        by_tap = counted(both.api.paths)
        assert differences(*both.tables) == []
        for name, rows in both.api.lists.items():
            assert len(tables[1][name].rows if name in tables[1] else []) == len(rows)
            more, pages = MORE.get(name.rpartition("_")[0]), -(-len(rows) // LIMIT)
            sent = by_tap[name] - 1  # one is that of the discovery
            most = by_dlt[name] + (more(pages) if more else 0)
            assert sent <= most, (name, sent, most)
