"""A list that ends with its first page, although that page tells of another, gets a warning."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from serving import Server
from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from running import Run, Runner

ROWS = [{"id": number} for number in range(3)]
WARNING = "ended with its first page, but that page seems to have one after it. Perhaps the"


def read(tap: Runner, paginator: Any, body: dict[str, Any], headers: dict[str, str]) -> Run:
    resource = {
        "name": "rooms",
        "primary_key": "id",
        "endpoint": {"path": "rooms", "data_selector": "rows", "paginator": paginator},
    }
    with Server(lambda _: JSONResponse({"rows": ROWS, **body}, headers=headers)) as api:
        return tap({"rest": {"x": {"client": {"base_url": api.url}, "resources": [resource]}}})


@pytest.mark.parametrize(
    ("paginator", "body", "headers", "proposed"),
    [
        ("single_page", {}, {"Link": '</rooms?page=2>; rel="next"'}, '{"type":"header_link"}'),
        ("json_link", {}, {"Link": '</rooms?page=2>; rel="next"'}, '{"type":"header_link"}'),
        (
            {"type": "json_link", "next_url_path": "nextPage"},
            {"next_page": "/rooms?page=2"},
            {},
            '{"type":"json_link","next_url_path":"next_page"}',
        ),
        (
            "cursor",
            {"meta": {"next_cursor": "c2"}},
            {},
            '{"type":"cursor","cursor_path":"meta.next_cursor"}',
        ),
        ("header_cursor", {"total_pages": 2}, {}, '{"type":"page_number","total_path"'),
    ],
)
def test_list_that_may_have_another_page_gets_a_warning(
    tap: Runner, paginator: Any, body: dict[str, Any], headers: dict[str, str], proposed: str
) -> None:
    run = read(tap, paginator, body, headers)
    assert run.code == 0
    assert len(run.rows("x_rooms")) == len(ROWS)
    assert run.err.count(WARNING) == 1
    assert proposed in run.err


@pytest.mark.parametrize(
    ("paginator", "body"),
    [
        ("single_page", {"next": None, "total_pages": 1}),
        ("json_link", {"next": "", "count": 3}),
        ("cursor", {"meta": {"next_cursor": ""}}),
    ],
)
def test_list_of_one_page_gets_no_warning(tap: Runner, paginator: Any, body: Any) -> None:
    run = read(tap, paginator, body, {})
    assert run.code == 0
    assert WARNING not in run.err


def test_more_pages_without_a_cursor_are_an_error(tap: Runner) -> None:
    paginator = {"type": "cursor", "cursor_path": "next", "has_more_path": "has_more"}
    run = read(tap, paginator, {"has_more": True}, {})
    assert run.code == 1
    assert "says that more pages follow, but has no cursor at `next`." in run.err
