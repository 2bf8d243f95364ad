"""Faults that the sandbox commits on request, each so often and no more."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Raw, Struct
from starlette.responses import Response

Kind = Literal[
    "status",  # answer with a status of failure
    "reset",  # break the connection instead of an answer
    "cut",  # break it in the middle of the body
    "truncate",  # half of the JSON, with a Content-Length that is right for the half
    "empty",  # 200 without a body
    "html",  # 200 with a web page, as on a wrong host
    "null",  # the JSON null
    "repeat",  # the records of the first page (of Dixa: window), whatever is asked for
    "drop",  # records without the field that `field` names
    "replace",  # records with `literal` in the field that `field` names
    "self_link",  # a page of Freshchat whose next link leads to itself
    "foreign_link",  # a page of Freshchat whose next link leads to another host
]


class Fault(Struct, kw_only=True, forbid_unknown_fields=True):
    """One way to go wrong.

    Attributes:
        kind: What happens.
        path: Only requests whose path contains this.
        after: The number of such requests to answer well first.
        times: The number of requests to spoil then; None for all.
        status: The status of `status`.
        headers: Further headers of `status`, such as Retry-After.
        field: The field of `drop` and `replace`, in the last record of a page.
        literal: The value of `replace`, as JSON text that stands in the body as it is.
    """

    kind: Kind
    path: str = ""
    after: Annotated[int, Meta(ge=0)] = 0
    times: Annotated[int, Meta(ge=0)] | None = 1
    status: int = 500
    headers: dict[str, str] = {}
    field: str = "id"
    literal: str = "null"

    def strikes(self, path: str) -> bool:
        """Say whether this request is to be spoilt, and count it."""
        if self.path not in path or self.times == 0:
            return False
        if self.after:
            self.after -= 1
            return False
        if self.times is not None:
            self.times -= 1
        return True

    def spoil_records(self, records: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the records of a page with the last one spoilt."""
        if self.kind not in {"drop", "replace"} or not records:
            return records
        last = {name: value for name, value in records[-1].items() if name != self.field}
        if self.kind == "replace":
            last[self.field] = Raw(self.literal.encode())
        return [*records[:-1], last]

    def spoil_answer(self, answer: Response) -> Response:
        """Return what is sent instead of an answer that was right."""
        match self.kind:
            case "status":
                return Response(b'{"error":"made up"}', self.status, self.headers, JSON)
            case "truncate":
                return Response(answer.body[: len(answer.body) // 2], media_type=JSON)
            case "empty":
                return Response(b"", media_type=JSON)
            case "html":
                return Response(b"<!doctype html><title>Sign in</title>", media_type="text/html")
            case "null":
                return Response(b"null", media_type=JSON)
            case _:
                return answer


JSON = "application/json"
