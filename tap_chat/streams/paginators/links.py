"""Lists whose pages link to the next one: in the body, or in the header `Link` (RFC 8288)."""

from __future__ import annotations

import re
from abc import abstractmethod
from dataclasses import replace
from http.client import HTTPMessage
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

from typing_extensions import override

from tap_chat.http.json_path import find_first
from tap_chat.streams.paginators.base import Paginator
from tap_chat.streams.paginators.pages import PaginationError
from tap_chat.streams.paginators.repeats import RepeatDetector

if TYPE_CHECKING:
    from collections.abc import Collection

    from tap_chat.http.request import Request
    from tap_chat.streams.paginators.pages import Headers, Page

# Characters that a URL may contain unescaped (RFC 3986), and the percent sign, which escapes.
URL_CHARACTERS = "%:/?#[]@!$&'()*+,;=~"

# RFC 8288, section 3: <target>; parameter=value; parameter="value", <target> ...
NAME = r"[\w!#$%&*+.^`|~-]+"
QUOTED = r'"(?:[^"\\]|\\.)*"'
LINK = re.compile(rf'<([^>]*)>((?:\s*;\s*{NAME}\s*(?:=\s*(?:{QUOTED}|[^",;\s]*))?)*)')
# The subdomain that the `*` of a named host stands for.
SUBDOMAIN = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*")
SELF_LINK = (
    "The paginator must be the way in which the API pages. If the API's last page has a link, too,"
    " write the addition `page_size`, the number of records of a full page: the list then ends at a"
    " page with fewer."
)
REL = re.compile(r';\s*rel\s*=\s*(?:"([^"]*)"|([^",;\s]*))', re.IGNORECASE)


class LinkPaginator(Paginator):
    """Pages that link to the next one; the link replaces path and query.

    A list ends at a page without a link. A link that was followed before is an error.

    Args:
        hosts: The hosts that a link may lead to, besides that of the page: `api.example.com`, or
            `api.example.com:8443`; `*.example.com` stands for every subdomain. They get the
            credential. None if no setting names them.
        page_size: The number of records of every page but the last; 0 if that is not known.
    """

    def __init__(self, hosts: Collection[str] | None = None, page_size: int = 0) -> None:
        super().__init__()
        self._page_size = page_size
        self._hosts = None if hosts is None else frozenset(host.lower() for host in hosts)
        self._url = ""  # of the last request
        self._next = ""
        self._links = RepeatDetector()

    @override
    def page_request(self, request: Request) -> Request:
        if not self._next:
            self._url = request.url
            return request
        self._url = self._next
        parts = urlsplit(self._next)
        return replace(request, url=parts._replace(query="").geturl(), params=parts.query)

    @override
    def move_on(self, page: Page) -> bool:
        if len(page.records) < self._page_size:
            return False  # even if it has a link, to itself or to what comes later
        link = self.find_link(page)
        if link is None:
            return False
        self._next = resolve_link(link, self._url, self._hosts)
        if self._next == self._url or self._links.add(self._next):
            raise PaginationError("repeated a next link", SELF_LINK)
        return True

    @abstractmethod
    def find_link(self, page: Page) -> object:
        """Return the link to the next page, or None if there is none."""


class JSONLinkPaginator(LinkPaginator):
    """Pages with the link in their body.

    Args:
        next_url_path: The JSONPath of the link in the body. If there is an object, the link is its
            `href`.
        hosts: See `LinkPaginator`.
        page_size: See `LinkPaginator`.
    """

    def __init__(
        self,
        next_url_path: str = "next",
        hosts: Collection[str] | None = None,
        page_size: int = 0,
    ) -> None:
        super().__init__(hosts, page_size)
        self._path = next_url_path

    @override
    def find_link(self, page: Page) -> object:
        return link_in(page.body, self._path) or None


class HeaderLinkPaginator(LinkPaginator):
    """Pages with the link in their header `Link`, as `<...>; rel="next"`.

    Args:
        rel: The relation of the link to the next page.
        hosts: See `LinkPaginator`.
        page_size: See `LinkPaginator`.
    """

    reads_headers = True

    def __init__(
        self, rel: str = "next", hosts: Collection[str] | None = None, page_size: int = 0
    ) -> None:
        super().__init__(hosts, page_size)
        self._rel = rel.lower()

    @override
    def find_link(self, page: Page) -> object:
        return linked(page.headers, self._rel)


def linked(headers: Headers, rel: str) -> str | None:
    """Return the target of a relation in the header `Link`, or None.

    Args:
        headers: The headers of a response.
        rel: The relation, in lower case.
    """
    for target, params in LINK.findall(joined_header(headers, "Link")):
        # Only the first `rel` counts, and it may have several relations.
        match = REL.search(params)
        if match and rel in (match[1] or match[2] or "").lower().split():
            return str(target)
    return None


def joined_header(headers: Headers, name: str) -> str:
    """Return the value of a header, with commas between those of several headers of the name."""
    if isinstance(headers, HTTPMessage):
        return ", ".join(headers.get_all(name, ()))
    return headers.get(name, "")


def link_in(body: Any, path: str) -> object:  # noqa: ANN401
    """Return a link in a body, or None.

    Args:
        body: The decoded body.
        path: The JSONPath of the link. If there is an object, the link is its `href`.
    """
    link = find_first(body, path)
    return link.get("href") if isinstance(link, dict) else link


def resolve_link(link: object, url: str, hosts: Collection[str] | None = None) -> str:
    """Return the URL that a link leads to: on the host of the page, or on one of the given hosts.

    Args:
        link: The link, which may be relative.
        url: The URL of the page.
        hosts: Other hosts that it may lead to, in lower case, with the port if there is one, or
            with `*.` before them for their subdomains; None if no setting names them.

    Raises:
        PaginationError: It is not a URL, leads to another host, or leads from https to http.
    """
    try:
        parts = urlsplit(link) if isinstance(link, str) else None
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in {"", "http", "https"}:
        raise PaginationError("returned a next link that is not a URL")
    page = urlsplit(url)
    scheme = parts.scheme or page.scheme
    if _is_named(parts.netloc.lower(), hosts or ()) and scheme in {"https", page.scheme}:
        target = parts._replace(scheme=scheme, fragment="")
        return quote(target.geturl(), safe=URL_CHARACTERS, errors="surrogatepass")
    if parts.netloc and parts.netloc.lower() != page.netloc.rpartition("@")[2].lower():
        raise PaginationError(
            "returned a next link to another host, which is not followed",
            "The credentials go to the host of the setting api_url only."
            if hosts is None
            else "If the host belongs to the API, name it in `next_link_hosts`: it gets the"
            " credential, too.",
        )
    # Scheme and host stay those of the page: behind a proxy, some servers link to http.
    target = urlsplit(urljoin(url, parts._replace(scheme="", netloc="").geturl()))
    resolved = target._replace(scheme=page.scheme, netloc=page.netloc, fragment="")
    return quote(resolved.geturl(), safe=URL_CHARACTERS, errors="surrogatepass")


def _is_named(host: str, hosts: Collection[str]) -> bool:
    """Return whether a host is one of some others, or a subdomain of one with `*.` before it."""
    return (
        host in hosts
        or any(
            name.startswith("*.")
            and host.endswith(name[1:])
            # Some clients find another host in a name with other characters.
            and SUBDOMAIN.fullmatch(host.removesuffix(name[1:]))
            for name in hosts
        )
    )
