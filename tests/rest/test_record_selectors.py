"""The records of a declared stream are found where dlt finds them, and never left out silently."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from serving import Server

from tap_chat.platforms.rest.detection import describe_paging, find_list, guess_records_path
from tap_chat.platforms.rest.records import RecordSelector
from tap_chat.streams.paginators import Page
from tap_chat.streams.paginators.pages import EMPTY_PAGE
from tap_chat.tap import TapChat

if TYPE_CHECKING:
    from running import Run, Runner
    from starlette.requests import Request

ROWS = [{"id": 1}, {"id": 2}]


@pytest.mark.parametrize(
    ("path", "body", "expected"),
    [
        ("data", {"data": ROWS}, ROWS),
        ("data[*]", {"data": ROWS}, ROWS),
        ("$", ROWS, ROWS),
        ("$[*]", ROWS, ROWS),
        ("$", {"id": 1}, [{"id": 1}]),
        ("data", {"data": {"id": 1}}, [{"id": 1}]),
        ("a['b c'].list", {"a": {"b c": {"list": ROWS}}}, ROWS),
        ("data[?(@.id>1)]", {"data": ROWS}, [{"id": 2}]),
        ("data[?(@.id>9)]", {"data": ROWS}, []),
        ("data[*].of", {"data": [{"of": {"id": 1}}, {"of": {"id": 2}}]}, ROWS),
        ("data[*].of[*]", {"data": [{"of": ROWS}, {"of": [{"id": 3}]}]}, [*ROWS, {"id": 3}]),
        # dlt makes an array of each list here.
        ("data[*].of", {"data": [{"of": ROWS}, {"of": [{"id": 3}]}]}, [*ROWS, {"id": 3}]),
        ("data", {"data": ["a", 1, None, [2]]}, [{"value": v} for v in ("a", 1, None, [2])]),
        ("data", {"data": []}, []),
        ("data[*]", {"data": []}, []),
        ("data", {"data": None, "total": 0}, []),
        ("data", {}, []),
        ("data", {"total": 0, "next": None}, []),
        # What follows may be an error of the API, or another list.
        ("data", {"data": None, "error": "no permission"}, None),
        ("data", {"data": "no permission"}, None),
        ("data", {"error": "no permission"}, None),
        ("data", {"success": False}, None),
        ("data", {"id": 1, "name": "a"}, None),
        ("data", {"items": ROWS}, None),
        ("data[*]", {"items": ROWS}, None),
        ("$..of", {"error": "no permission"}, None),
        ("data", ROWS, None),
        ("data", None, []),
    ],
)
def test_a_selector_finds_the_records(path: str, body: Any, expected: Any) -> None:
    assert RecordSelector("rows", path).find(body) == expected


def test_a_page_may_omit_the_list_once_others_have_had_it() -> None:
    selector = RecordSelector("rows", "data")
    assert selector.find({"data": ROWS, "kind": "list"}) == ROWS
    assert selector.find({"kind": "list", "links": [{"rel": "self"}]}) == []
    assert selector.find({"kind": "list", "error": "too many requests"}) is None


def test_a_list_without_selector_is_found_once() -> None:
    selector = RecordSelector("rows", None)
    assert selector.find({"tags": [{"a": 1}], "results": ROWS}) == ROWS
    assert selector.text == "results"
    assert selector.names == ("results",)
    assert selector.find({"tags": [{"a": 1}], "results": []}) == []
    assert selector.find({"tags": [{"a": 1}]}) is None


def test_a_response_without_a_list_is_one_record() -> None:
    assert RecordSelector("rows", None).find({"id": 1}) == [{"id": 1}]
    assert RecordSelector("rows", None).find({"error": "no"}) is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (ROWS, ()),
        ({"a": {"b": {"c": ROWS}}}, ("a", "b", "c")),
        ({"a": {"b": {"c": {"d": ROWS}}}}, None),
        ({"rooms": ROWS, "meta": {"data": []}}, ("meta", "data")),
        ({"rooms": ROWS, "tags": []}, ("rooms",)),
        ({"id": 1}, None),
        (None, None),
    ],
)
def test_the_list_of_a_page_is_the_one_that_dlt_finds(body: Any, expected: Any) -> None:
    from dlt.sources.helpers.rest_client.detector import find_response_page_data  # noqa: PLC0415

    assert find_list(body) == expected
    path, _ = find_response_page_data(body)
    assert path == (expected or ("$",))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"ids": [1], "users": ROWS}, "users"),
        ({"a b": {"x": ROWS}}, "$['a b']['x']"),
        ({"ids": [1], "users": []}, None),
        (ROWS, "$"),
    ],
)
def test_a_list_of_objects_is_proposed(body: Any, expected: Any) -> None:
    assert guess_records_path(body) == expected


def page(body: Any, **headers: str) -> Page:
    return Page(body, EMPTY_PAGE.chunk, [], headers)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"next": "https://a/?b"}, {"type": "json_link", "next_url_path": "next"}),
        ({"x": {"Next": {"href": "/b"}}}, {"type": "json_link", "next_url_path": "x.Next.href"}),
        ({"next": "abc", "pages": 3}, {"type": "page_number", "total_path": "pages"}),
        ({"next": "abc", "pages": "x"}, {"type": "cursor", "cursor_path": "next"}),
        ({"a": {"nextPageToken": 7}}, {"type": "cursor", "cursor_path": "a.nextPageToken"}),
        ({"next": None, "data": []}, {"type": "single_page"}),
        ([], {"type": "single_page"}),
    ],
)
def test_paging_is_the_one_that_dlt_detects(body: Any, expected: dict[str, Any]) -> None:
    from dlt.sources.helpers.rest_client.detector import PaginatorFactory  # noqa: PLC0415
    from requests import Response  # noqa: PLC0415

    response = Response()
    response._content = json.dumps(body).encode()
    by_dlt: Any = PaginatorFactory().create_paginator(response)[0]
    assert describe_paging(page(body)) == expected
    shown = {
        "json_link": "next_url_path",
        "page_number": "total_path",
        "cursor": "cursor_path",
    }.get(expected["type"])
    assert (
        type(by_dlt).__name__
        == {
            "json_link": "JSONLinkPaginator",
            "page_number": "PageNumberPaginator",
            "cursor": "JSONResponseCursorPaginator",
            "single_page": "SinglePagePaginator",
        }[expected["type"]]
    )
    if shown:
        assert str(getattr(by_dlt, shown)) == expected[shown]


# --- Through the tap -----------------------------------------------------------------------------


def read(tap: Runner, server: Server, **endpoint: Any) -> Run:
    resource = {"name": "rows", "primary_key": "id", "endpoint": {"path": "rows", **endpoint}}
    declaration = {"client": {"base_url": server.url}, "resources": [resource]}
    return tap({"rest": {"api": {"declaration": declaration, "max_retries": 0}}})


def test_a_list_elsewhere_is_named_by_the_error(tap: Runner) -> None:
    with Server(lambda _: {"items": ROWS}) as server:
        run = read(tap, server, data_selector="data")
    assert run.code == 1
    assert "returned no records at `data`, but an object with `items`" in run.err
    assert "write `data_selector: items`" in run.err


def test_an_error_in_a_response_with_status_200_is_an_error(tap: Runner) -> None:
    with Server(lambda _: {"ok": False, "error": "no_permission"}) as server:
        for selector in ({"data_selector": "data"}, {}):
            run = read(tap, server, **selector)
            assert run.code == 1
            assert "returned no records at" in run.err
            assert "response_actions" in run.err
            assert "no_permission" not in run.err


@pytest.mark.parametrize(
    "failure",
    [
        {"ok": False, "data": []},
        {"success": False, "data": []},
        {"error": "ratelimited", "data": []},
        {"errors": [{"id": 9, "title": "no"}]},
    ],
)
def test_an_empty_list_in_an_error_is_not_the_end(tap: Runner, failure: Any) -> None:
    def respond(request: Request) -> Any:
        return failure if "c" in request.query_params else {"data": [{"id": 1}], "next": "2"}

    paginator = {"type": "cursor", "cursor_path": "next", "cursor_param": "c"}
    with Server(respond) as server, Server(lambda _: failure) as failing:
        for selector in ({"data_selector": "data"}, {}):
            for api in (server, failing):
                run = read(tap, api, **selector, paginator=paginator)
                assert run.code == 1
                assert "returned no records at" in run.err
                assert "seem to be" not in run.err
                assert len(run.rows("api_rows")) == (api is server)


def test_an_empty_list_with_a_message_is_empty(tap: Runner) -> None:
    with Server(lambda _: {"data": [], "message": "nothing found", "errors": []}) as server:
        run = read(tap, server, data_selector="data")
    assert run.code == 0, run.err


def test_the_id_of_the_last_record_may_be_the_cursor(tap: Runner) -> None:
    rows = [{"id": number} for number in range(25)]

    def respond(request: Request) -> Any:
        after = int(request.query_params.get("after", -1))
        return {"data": rows[after + 1 : after + 11]}

    paginator = {"type": "cursor", "cursor_path": "data[-1].id", "cursor_param": "after"}
    with Server(respond) as server:
        run = read(tap, server, data_selector="data", paginator=paginator)
    assert run.code == 0, run.err
    assert run.rows("api_rows") == rows


def test_what_the_first_response_tells_is_logged_once(tap: Runner) -> None:
    def respond(request: Request) -> Any:
        start = int(request.query_params.get("cursor", 0))
        return {"rooms": [{"id": start}], "next_cursor": start + 1 if start < 3 else None}

    with Server(respond) as server:
        run = read(tap, server)
    assert run.rows("api_rows") == [{"id": number} for number in range(4)]
    assert run.err.count("Records of api_rows are read from `rooms`") == 1
    assert run.err.count('"cursor_path":"next_cursor"') == 1


def test_pages_without_a_list_are_empty_with_one_warning(tap: Runner) -> None:
    def respond(request: Request) -> Any:
        start = int(request.query_params.get("cursor", 0))
        data = {"data": [{"id": start}]} if start % 2 == 0 else {}
        return {**data, "kind": "list", "cursors": {"next": start + 1 if start < 6 else None}}

    with Server(respond) as server:
        run = read(tap, server, data_selector="data", paginator={"type": "cursor"})
    assert run.code == 0, run.err
    assert run.rows("api_rows") == [{"id": number} for number in range(0, 7, 2)]
    assert run.err.count("have nothing at `data`. They count as pages without records.") == 1


@pytest.mark.parametrize(
    ("selector", "path"),
    [("data", "data"), ("$.data.items", "data.items"), ("data[*]", "data"), ("$", "")],
)
def test_records_at_names_stay_raw(selector: str, path: str) -> None:
    stream = stream_of(data_selector=selector)
    assert stream.page_reader is not None
    assert stream.records_path == path


@pytest.mark.parametrize("selector", ["data[?(@.id>1)]", "$..items", "$['a.b']"])
def test_other_records_are_decoded(selector: str) -> None:
    assert stream_of(data_selector=selector).page_reader is None


def stream_of(**endpoint: Any) -> Any:
    resource = {"name": "rows", "primary_key": "id", "endpoint": {"path": "rows", **endpoint}}
    declaration = {"client": {"base_url": "https://api.example.com"}, "resources": [resource]}
    tap = TapChat(config={"rest": {"api": declaration}})
    return tap.streams["api_rows"]
