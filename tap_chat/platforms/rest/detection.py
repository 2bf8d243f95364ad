"""Finds in the first page of a list where its records are, and how it is paged.

It looks where dlt looks, in the same order, so that a declaration without a paginator or a
`data_selector` means the same.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tap_chat.http.json_path import path_of
from tap_chat.streams.paginators.links import linked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_chat.streams.paginators import Page

#: The names that lists of records have.
RECORD_NAMES = frozenset(
    {
        "content",
        "data",
        "entities",
        "entries",
        "items",
        "objects",
        "payload",
        "records",
        "results",
        "rows",
        "values",
    }
)
#: The members that bodies of errors have.
ERROR_MEMBERS = frozenset(
    {"detail", "errcode", "error", "error_code", "errors", "exception", "fault", "message"}
)
#: The number of names in the longest path that is looked at for a list.
DEPTH = 3
#: How the names of a link or a cursor begin, and those in it if it is an object.
NEXT, IN_NEXT = "next", ("href", "url")
#: The names of the number of pages.
PAGE_COUNTS = frozenset({"total_pages", "pages", "totalpages"})

Names = tuple[str, ...]


def find_list(body: Any) -> Names | None:  # noqa: ANN401
    """Return the names that lead to the list of records in a body; None if there is no list.

    Args:
        body: The decoded body.

    Returns:
        The names: those of the first list with a usual name, otherwise those of the first list.
    """
    if isinstance(body, list):
        return ()
    found = list(_lists(body, ()))
    return next((names for names in found if names[-1] in RECORD_NAMES), next(iter(found), None))


def describe_paging(page: Page) -> dict[str, Any]:
    """Return how a list is paged, as a paginator in the format of declarations.

    Args:
        page: The first page of the list.
    """
    if linked(page.headers, "next"):
        return {"type": "header_link"}
    following = find_next(page.body)
    if following and str(_value(page.body, following)).startswith(("http", "/")):
        return {"type": "json_link", "next_url_path": path_of(following)}
    count = find_page_count(page.body)
    if count and _is_number(_value(page.body, count)):
        return {"type": "page_number", "total_path": path_of(count)}
    if following:
        return {"type": "cursor", "cursor_path": path_of(following)}
    return {"type": "single_page"}


def is_followed(page: Page) -> bool:
    """Return whether a page seems to have one after it.

    Args:
        page: The first page of a list.
    """
    described = describe_paging(page)
    match described["type"]:
        case "page_number":
            count = find_page_count(page.body)
            return count is not None and int(_value(page.body, count)) > 1
        case "json_link" | "cursor":
            following = find_next(page.body)
            return following is not None and bool(_value(page.body, following))
        case kind:
            return bool(kind == "header_link")


def find_next(body: Any) -> Names | None:  # noqa: ANN401
    """Return the names that lead to a link or a cursor for the next page, or None.

    Args:
        body: The decoded body.
    """

    def found(name: str, value: Any) -> Names | None:  # noqa: ANN401
        if not name.lower().startswith(NEXT):
            return None
        if not isinstance(value, dict):
            return (name,) if _is_scalar(value) else None
        inner = (key for key in value if key.lower().startswith(IN_NEXT) and _is_scalar(value[key]))
        key = next(inner, None)
        return None if key is None else (name, key)

    return _search(body, found)


def find_page_count(body: Any) -> Names | None:  # noqa: ANN401
    """Return the names that lead to the number of pages, or None.

    Args:
        body: The decoded body.
    """
    return _search(
        body,
        lambda name, value: (name,) if name.lower() in PAGE_COUNTS and _is_scalar(value) else None,
    )


def guess_records_path(body: Any) -> str | None:  # noqa: ANN401
    """Return the path of a list of objects in a body, as a proposal for `data_selector`, or None.

    Args:
        body: The decoded body.
    """
    if isinstance(body, list):
        return "$"
    found = [
        names
        for names in _lists(body, ())
        if _has_objects(_value(body, names)) and ERROR_MEMBERS.isdisjoint(names)
    ]
    names = next((names for names in found if names[-1] in RECORD_NAMES), next(iter(found), None))
    return path_of(names) if names else None


def _lists(body: Any, names: Names) -> Iterator[Names]:  # noqa: ANN401
    if not isinstance(body, dict) or len(names) >= DEPTH:
        return
    for name, value in body.items():
        if isinstance(value, list):
            yield (*names, name)
        else:
            yield from _lists(value, (*names, name))


def _value(body: Any, names: Names) -> Any:  # noqa: ANN401
    for name in names:
        body = body[name]
    return body


def _has_objects(value: Any) -> bool:  # noqa: ANN401
    return bool(value) and all(isinstance(item, dict) for item in value)


def _search(body: Any, found: Callable[[str, Any], Names | None]) -> Names | None:  # noqa: ANN401
    """Return the names that lead to the first member that is found, depth first."""
    if not isinstance(body, dict):
        return None
    for name, value in body.items():
        if names := found(name, value):
            return names
        if names := _search(value, found):
            return (name, *names)
    return None


def _is_scalar(value: Any) -> bool:  # noqa: ANN401
    return isinstance(value, (str, int, Decimal))


def _is_number(value: Any) -> bool:  # noqa: ANN401
    try:
        int(value)
    except (ValueError, ArithmeticError):
        return False
    return True
