"""Requests as streams describe them: without credentials, with placeholders in the path."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote, urlencode, urlsplit

import msgspec
import requests
from requests.structures import CaseInsensitiveDict

if TYPE_CHECKING:
    from collections.abc import Mapping

PLACEHOLDER = re.compile(r"\{([^{}]+)\}")

#: The path segments that would lead to another address (RFC 3986, 5.2.4).
DOTS = frozenset({"", ".", ".."})

_encode_json = msgspec.json.Encoder(decimal_format="number").encode


class PathError(Exception):
    """A placeholder of a path cannot be filled.

    Args:
        predicate: What is wrong, as the predicate of a sentence about the request.
    """

    def __init__(self, predicate: str) -> None:
        super().__init__(predicate)
        self.predicate = predicate


@dataclass(frozen=True, slots=True)
class Request:
    """A request.

    Attributes:
        url: The URL. Its path may have placeholders: `https://api.example.com/users/{user_id}`.
        method: The HTTP method.
        path_params: The values of the placeholders, by name. Other values are ignored.
        params: The query parameters. A list repeats its parameter, None omits it. A text is an
            encoded query.
        headers: The headers, in addition to those of every request.
        body: The body: bytes, a text for UTF-8, None for no body, any other value for JSON.
        is_secret: Whether messages show only the host of the URL, because the rest is a credential.
    """

    url: str
    method: str = "GET"
    path_params: Mapping[str, object] = field(default_factory=dict)
    params: Mapping[str, Any] | str = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    is_secret: bool = False

    @property
    def query(self) -> str:
        """The query as it is sent; empty if there is none."""
        return self.params if isinstance(self.params, str) else _encode_params(self.params)

    @property
    def full_url(self) -> str:
        """The URL as it is sent, with its query.

        Raises:
            PathError: A placeholder has no value, or one that would lead to another address.
        """
        url = self.url
        if "{" in url:
            url = PLACEHOLDER.sub(lambda match: self._segment(match[1]), url)
        query = self.query
        if not query:
            return url
        return f"{url}{'&' if '?' in url else '?'}{query}"

    @property
    def shown_url(self) -> str:
        """The URL for messages: as it is sent, or with its placeholders if they have no values."""
        if self.is_secret:
            parts = urlsplit(self.url)
            return f"{parts.scheme}://{parts.netloc}/***"
        try:
            return self.full_url
        except PathError:
            return self.url

    @property
    def content(self) -> bytes | None:
        """The body as it is sent."""
        match self.body:
            case None | bytes():
                return self.body
            case str():
                return self.body.encode()
            case _:
                return _encode_json(self.body)

    @property
    def content_type(self) -> str | None:
        """The media type of a JSON body; None for others, whose headers must name it."""
        is_json = self.body is not None and not isinstance(self.body, (bytes, str))
        return "application/json" if is_json else None

    def prepare(self, url: str, headers: Mapping[str, str]) -> requests.PreparedRequest:
        """Return the request in the type that authenticators of `requests` sign.

        Args:
            url: The URL as it is sent.
            headers: The headers of every request.
        """
        prepared = requests.PreparedRequest()
        prepared.method = self.method
        prepared.url = url
        prepared.headers = CaseInsensitiveDict(headers)
        if content_type := self.content_type:
            prepared.headers["Content-Type"] = content_type
        prepared.headers.update(self.headers)
        prepared.body = self.content
        return prepared

    def with_params(self, params: Mapping[str, Any]) -> Self:
        """Return the request with further query parameters, or other values for some."""
        if isinstance(self.params, str):
            query = "&".join(filter(None, (self.params, _encode_params(params))))
            return replace(self, params=query)
        return replace(self, params={**self.params, **params})

    def _segment(self, name: str) -> str:
        value = self.path_params.get(name)
        if value is None:
            raise PathError(f"has no value for {{{name}}} in its path")
        text = str(value)
        if text in DOTS:
            raise PathError(f"has an empty value or dots for {{{name}}} in its path")
        return quote(text, safe="", errors="surrogatepass")


def _encode_params(params: Mapping[str, Any]) -> str:
    pairs = []
    for name, value in params.items():
        values = value if isinstance(value, (list, tuple)) else [value]
        pairs += [(name, item) for item in values if item is not None]
    return urlencode(pairs, errors="surrogatepass")
