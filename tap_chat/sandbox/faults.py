"""Faults that the sandbox produces on request, a set number of times."""

from __future__ import annotations

import gzip
import time
from email.utils import formatdate
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zlib import crc32

from msgspec import Meta, Raw, Struct
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal[
    "status",  # a response with an error status
    "hang",  # the response comes `seconds` later
    "stall",  # half of the body, and the rest `seconds` later
    "drip",  # one byte of the body every `seconds`
    "reset",  # the connection breaks instead of a response
    "cut",  # the connection breaks in the middle of the body
    "truncate",  # half of the JSON, with the Content-Length of the half
    "empty",  # 200 without a body
    "html",  # 200 with a web page, as on a wrong host
    "null",  # the JSON null
    "body",  # 200 with `literal` as the whole body
    "charset",  # the body in the charset `charset`; characters that it lacks become question marks
    "gzip_junk",  # a body that is labelled as compressed, and is not
    "gzip_cut",  # the first half of a compressed body, with the Content-Length of the half
    "repeat",  # the records of the first page (for Dixa, the first window), whatever the request
    "drop",  # records without the field that `field` names
    "replace",  # records with `literal` in the field that `field` names
    "self_link",  # a page of Freshchat whose next link leads to the same page
    "foreign_link",  # a page of Freshchat whose next link leads to another host
    "link",  # a page of Freshchat whose next link is `literal`
    "empty_page",  # a page without records, and with a next link if it is one of Freshchat
    "report",  # a report of Freshchat that ends with the status `literal`
    "many_pages",  # a page of Freshchat or LiveChat that counts `number` pages
]


#: The literal of a fault that names none.
NULL = "null"


class Fault(Struct, kw_only=True, forbid_unknown_fields=True):
    """A fault, and the requests that it affects.

    Attributes:
        kind: What happens.
        path: Only requests whose path contains this.
        query: Only requests with these parameters.
        content: Only requests whose body contains this.
        after: The number of such requests that get a good response first.
        times: The number of requests to spoil then; None for all.
        lasts: How many seconds the fault lasts, from the first request on; None forever.
        share: The share of the paths that it strikes, from 0 to 1; always the same paths.
        status: The status of `status`.
        page: Whether `status` has a web page as its body, as a gateway sends, instead of JSON.
        headers: Further headers of `status`, such as Retry-After.
        until: `status` has a Retry-After with the date this many seconds from now, by the server's
            clock; None for no such header.
        seconds: How long `hang`, `stall` and `drip` wait.
        charset: The one of `charset`, by its name in Python.
        field: The field of `drop` and `replace`, in the last record of a page; a path with dots
            leads to a field of an object in it.
        literal: The value of `replace`, the body of `body` and `status`, the address of `link`, or
            the status of `report`, sent as it is. Without it, `status` has a body of its own.
        number: The pages of `many_pages`.
        ends: When `lasts` is over, by this machine's monotonic clock; the first request sets it.
    """

    kind: Kind
    path: str = ""
    query: dict[str, str] = {}
    content: str = ""
    after: Annotated[int, Meta(ge=0)] = 0
    times: Annotated[int, Meta(ge=0)] | None = 1
    lasts: Annotated[float, Meta(ge=0)] | None = None
    share: Annotated[float, Meta(ge=0, le=1)] = 1.0
    status: int = 500
    page: bool = False
    headers: dict[str, str] = {}
    until: float | None = None
    seconds: Annotated[float, Meta(ge=0)] = 1.0
    charset: str = "latin-1"
    field: str = "id"
    literal: str = NULL
    number: int = 10**12
    ends: float | None = None

    def is_due(self, path: str, query: Mapping[str, str], body: bytes = b"") -> bool:
        """Count a request, and return whether it fails."""
        if self.path not in path or self.times == 0:
            return False
        if not self.query.items() <= dict(query).items() or self.content.encode() not in body:
            return False
        if crc32(path.encode()) >= self.share * 2**32:
            return False
        if self.after:
            self.after -= 1
            return False
        if self.lasts is not None:
            self.ends = self.ends or time.monotonic() + self.lasts
            if time.monotonic() >= self.ends:
                return False
        if self.times is not None:
            self.times -= 1
        return True

    def spoil_records(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the records of a page: with a fault in the last one, or none."""
        if self.kind == "empty_page":
            return []
        if self.kind not in {"drop", "replace"} or not records:
            return records
        return [*records[:-1], self._spoil(records[-1], self.field)]

    def _spoil(self, record: dict[str, Any], path: str) -> dict[str, Any]:
        """Return a record with the fault in the field that a path leads to."""
        name, _, rest = path.partition(".")
        if rest:
            return record | {name: self._spoil(record[name], rest)}
        spoilt = {key: value for key, value in record.items() if key != name}
        if self.kind == "replace":
            spoilt[name] = Raw(self.literal.encode())
        return spoilt

    def spoil_response(self, response: Response, clock: float) -> Response:
        """Return the faulty response that is sent instead of a good one.

        Args:
            response: The good response.
            clock: Seconds by which the server's clock is ahead.
        """
        if self.kind == "status":
            until = {} if self.until is None else {"Retry-After": http_date(clock + self.until)}
            text = b'{"error":"made up"}' if self.literal == NULL else self.literal.encode()
            body, kind = (PAGE, "text/html") if self.page else (text, JSON)
            return Response(body, self.status, {**self.headers, **until}, kind)
        body = bytes(response.body)
        whole = gzip.compress(body) if self.kind == "gzip_cut" else body
        wrong: dict[str, tuple[bytes, str]] = {
            "truncate": (body[: len(body) // 2], JSON),
            "empty": (b"", JSON),
            "html": (PAGE, "text/html"),
            "null": (b"null", JSON),
            "body": (self.literal.encode(), JSON),
            "gzip_junk": (b"no gzip", JSON),
            "gzip_cut": (whole[: len(whole) // 2], JSON),
        }
        if self.kind == "charset":
            text = body.decode().encode(self.charset, "replace")
            return Response(text, media_type=f"{JSON}; charset={self.charset}")
        if self.kind not in wrong:
            return response
        text, kind = wrong[self.kind]
        compressed = {"Content-Encoding": "gzip"} if self.kind.startswith("gzip") else {}
        return Response(text, headers=compressed, media_type=kind)


def http_date(seconds: float) -> str:
    """Return the date this many seconds from now, as in a header (RFC 9110)."""
    return formatdate(time.time() + seconds, usegmt=True)


JSON = "application/json"
PAGE = b"<!doctype html><title>Sign in</title>"
