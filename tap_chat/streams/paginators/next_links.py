"""Finds out whether a page of a list with page numbers says that another one follows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

#: The members of a body that may have links.
HOLDERS = ("link", "links", "_links", "pagination", "paging", "meta")

#: What a link to the next page is called, in lower case.
NEXT_NAMES = frozenset({"next", "next_page", "next_link", "next_url", "nextpage", "nextlink"})

# The maximum digits of the number of a page.
MAX_DIGITS = 18


def offers_next(body: Any, number: int, param: str = "page") -> bool:  # noqa: ANN401
    """Return whether a body links to a later page, in one of the ways that APIs have.

    A link counts if it is called the next one, or if the number in it is that of a later page.

    Args:
        body: The decoded body.
        number: The number of its page.
        param: The query parameter that takes the number.
    """
    return any(
        _leads_on(value, number, param, is_next=name in NEXT_NAMES)
        for name, value in _named_links(body)
    )


def _named_links(body: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """Yield what a body has in place of links: a text, a number or null, with a name for each."""
    if not isinstance(body, dict):
        return
    for name, value in body.items():
        if name in HOLDERS:
            yield from _links_in(name, value)
        elif name.lower() in NEXT_NAMES:
            yield name.lower(), _target(value)


def _links_in(name: str, value: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    if isinstance(value, list):
        for item in value:
            yield from _links_in(name, item)
    elif isinstance(value, dict) and "href" in value:
        yield str(value.get("rel")).lower(), value["href"]
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield key.lower(), _target(inner)
    else:
        yield name, value


def _target(value: Any) -> Any:  # noqa: ANN401
    return value.get("href") if isinstance(value, dict) else value


def _leads_on(value: Any, number: int, param: str, *, is_next: bool) -> bool:  # noqa: ANN401
    """Return whether a link leads to a later page.

    Args:
        value: The link, or the number of the next page.
        number: The number of this page.
        param: The query parameter that takes the number.
        is_next: Whether the link is called the next one.
    """
    if not isinstance(value, str):
        return is_next and type(value) is int and value > number
    try:
        targets = parse_qs(urlsplit(value).query).get(param, [])
    except ValueError:
        targets = []
    numbers = [int(text) for text in targets if text.isdecimal() and len(text) <= MAX_DIGITS]
    return any(target > number for target in numbers) if numbers else is_next and bool(value)
