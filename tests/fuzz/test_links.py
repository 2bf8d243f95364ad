"""With any next link, the next request goes to the same host, and to a later page."""

from __future__ import annotations

from typing import Any

import pytest
from fuzz.effort import examples
from hypothesis import example, given
from hypothesis import strategies as st

from tap_chat.http.request import Request
from tap_chat.singer.records import RecordChunk
from tap_chat.streams.paginators import Page, PageNumberPaginator, PaginationError

REQUEST = Request("https://user@api.example.com:8443/v2/users")
NAMED = (
    "api.example.com:8443 API.Example.com:8443 api.example.com evil.example [::1 [::1] [v1.x]",
    "a@api.example.com:8443 api.example.com:8443@evil.example xn--bcher-kva.example 10.0.0.1",
    "api.example.com:8443\\@evil.example evil.example\t ℀.com :99999 ",
)
HOSTS = st.sampled_from(" ".join(NAMED).split(" "))
HARD = "2 3 03 1 0 -2 +2 ² ٣ ½ 2.0 1e3 1_0 %32 %00 %ff 2&page=3 2;page=9 2#page=9 NaN "
NUMBERS = (
    st.sampled_from(HARD.split(" "))
    | st.sampled_from([18, 19, 5000]).map(lambda digits: "9" * digits)
    | st.integers().map(str)
)
LINKS = (
    st.builds(
        "{}{}{}?{}page={}{}".format,
        st.sampled_from(
            ["https://", "http://", "//", "///", "ftp:", "javascript:", "", "\x00", "HTTPS://"]
        ),
        HOSTS,
        st.sampled_from(["", "/v2/users", "/../", "/\n", "/?", "/%"]),
        st.sampled_from(["", "a=1&", "&", "=&", "%&"]),
        NUMBERS,
        st.sampled_from(["", "&b=2", "#x", "\r\nHost: evil.example", "\x00"]),
    )
    | st.text()
)
ODD = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.none(), max_size=1)
BODIES = st.one_of(
    st.fixed_dictionaries({"links": st.fixed_dictionaries({"next_page": ODD | LINKS})}),
    st.fixed_dictionaries(
        {
            "links": st.fixed_dictionaries(
                {"next_page": st.fixed_dictionaries({"href": ODD | LINKS})}
            )
        }
    ),
    st.fixed_dictionaries(
        {"links": ODD, "pagination": ODD | st.fixed_dictionaries({"total_pages": ODD})}
    ),
    ODD,
)


def following(body: Any, current: int, rows: int = 2) -> int | None:
    paginator = PageNumberPaginator(
        page=current, total_path="pagination.total_pages", next_url_path="links.next_page"
    )
    paginator.page_request(REQUEST)
    paginator.advance(Page(body, RecordChunk([{}] * rows), [(row,) for row in range(rows)]))
    params: Any = paginator.page_request(REQUEST).params
    return None if paginator.finished else params["page"]


def linked(href: Any) -> dict[str, Any]:
    return {"links": {"next_page": {"href": href}}}


@examples(300)
@given(BODIES, st.integers(1, 10**6), st.integers(0, 3))
@example(linked("http://[::1"), 1, 2)
@example(linked("https://℀.com/?page=2"), 1, 2)
@example(linked("?page=2&page=3"), 1, 2)
@example(linked("?page=" + "9" * 5000), 1, 2)
@example(linked(7), 1, 2)
@example({"links": {"next_page": "?page=2"}}, 1, 2)
@example({"links": {"next_page": ["?page=2"]}}, 1, 2)
@example({"pagination": {"total_pages": True}}, 1, 2)
def test_next_page_is_a_further_one_or_an_error(body: Any, current: int, rows: int) -> None:
    try:
        found = following(body, current, rows)
    except PaginationError:
        return
    assert found is None or (type(found) is int and found > current)
    links = body.get("links") if isinstance(body, dict) else None
    link = links.get("next_page") if isinstance(links, dict) else None
    href = link.get("href") if isinstance(link, dict) else link
    # No link is skipped, and only its number is used.
    assert href is None or str(found) in str(href).replace("%32", "2")


@examples(100)
@given(LINKS)
@example("https://api.example.com:8443@evil.example/?page=2")
@example("https://api.example.com:8443\\@evil.example/?page=2")
@example("//evil.example/?page=2")
def test_link_to_another_host_is_never_taken(href: str) -> None:
    try:
        following(linked(href), 1)
    except PaginationError:
        return
    # By RFC 3986, the link names no other host before its parameters.
    before = "".join(c for c in href.partition("?")[0] if c not in "\t\r\n").lstrip("\x00").lstrip()
    authority = before.partition("//")[2].partition("/")[0].lower() if "//" in before else ""
    assert authority in {"", "api.example.com:8443"}


@pytest.mark.parametrize(
    "href", ["?page=2", "/v2/a?x=1&page=2", "HTTPS://API.EXAMPLE.COM:8443/?page=2"]
)
def test_link_to_the_same_host_is_followed(href: str) -> None:
    assert following(linked(href), 1) == 2


def test_list_ends_without_a_link() -> None:
    without: list[dict[str, Any]] = [{"next_page": None}, {"next_page": {}}, linked(None)["links"]]
    for links in ({}, *without):
        assert following({"links": links}, 1) is None
