"""The part of a request that takes a paginator's value: a parameter, or a path in the body."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tap_chat.http.request import Request


@dataclass(frozen=True, slots=True)
class RequestField:
    """A query parameter, or a path in the JSON body.

    Attributes:
        param: The name of the query parameter.
        body_path: The path in the body that takes the value instead: names with dots between them.
            Empty for the parameter.
    """

    param: str
    body_path: str = ""

    def set(self, request: Request, value: object) -> Request:
        """Return a request with a value in this field.

        Args:
            request: The request.
            value: The value.
        """
        if self.body_path:
            body = _with_member(request.body, self.body_path.split("."), value)
            return replace(request, body=body)
        return request.with_params({self.param: value})


def _with_member(body: Any, names: list[str], value: object) -> dict[str, Any]:  # noqa: ANN401
    members = body if isinstance(body, dict) else {}
    name, *further = names
    return {**members, name: _with_member(members.get(name), further, value) if further else value}
