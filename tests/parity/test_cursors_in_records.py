"""The cursor of the next page may be in the last record of a page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tap_chat.declarations import format as declared
from tap_chat.platforms.rest.paging_paths import reads_records

if TYPE_CHECKING:
    from parity.loading import Both


def test_list_is_read_to_its_end(both: Both) -> None:
    rows = [{"id": number, "cursor": f"after:{number + 1}"} for number in range(34)]
    both.api.lists["rooms"] = rows
    paginator = {"type": "cursor", "cursor_path": "data[-1].cursor", "cursor_param": "cursor"}
    endpoint = {"path": "cursor/rooms", "data_selector": "data", "paginator": paginator}
    rooms = {"name": "rooms", "primary_key": "id", "write_disposition": "merge"}
    declaration: dict[str, Any] = {
        "client": {"base_url": both.api.url},
        "resources": [rooms | {"endpoint": endpoint}],
    }
    assert both.load(declaration) == {"rooms": 34}
    rows.append({"id": 34, "cursor": "after:35"})
    assert both.load(declaration) == {"rooms": 35}


@pytest.mark.parametrize(
    ("paginator", "selector", "expected"),
    [
        (declared.CursorPaginator(cursor_path="data[-1].id"), "data", True),
        (declared.CursorPaginator(cursor_path="data.next"), "data", True),
        (declared.CursorPaginator(cursor_path="data.next"), "data.items", False),
        (declared.CursorPaginator(cursor_path="next"), "$", False),
        (declared.CursorPaginator(cursor_path="next", has_more_path="$..more"), "data", True),
        (declared.OffsetPaginator(limit=1), "data", False),
        (declared.SinglePagePaginator(), "data", False),
        (None, "data", False),
    ],
)
def test_records_are_decoded_if_a_paginator_may_need_them(
    paginator: declared.Paginator | None,
    selector: str,
    expected: bool,  # noqa: FBT001
) -> None:
    assert reads_records(paginator, selector) is expected
