"""The contexts of children: what their requests and records take from a parent's record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_chat.declarations.templates import template
from tap_chat.http.json_path import compile_path, path_of
from tap_chat.http.request import DOTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_chat.declarations.format import JSONPath
    from tap_chat.declarations.model import Parent
    from tap_chat.singer.records import Record


class MissingFieldError(Exception):
    """A record of a parent has no value that its children take.

    Args:
        path: The JSONPath of the value.
    """

    def __init__(self, path: JSONPath) -> None:
        super().__init__(path)
        self.path = path


def child_fields(children: Iterable[Parent]) -> dict[str, JSONPath]:
    """Return what children take from a record of their parent.

    Args:
        children: The parent, as each of its children has it.

    Returns:
        The JSONPath of each value, by its key in the context: a property of the children's records,
        or, for what only the requests take, the JSONPath itself.
    """
    fields: dict[str, JSONPath] = {}
    for child in children:
        fields |= {path: path for path in child.fields.values()}
        fields |= {key: path_of((name,)) for key, name in child.included.items()}
    return fields


def child_context(fields: Mapping[str, JSONPath], record: Record) -> dict[str, Any]:
    """Return the context of the children of a record.

    Args:
        fields: What the children take: see `child_fields`.
        record: The record of the parent.

    Raises:
        MissingFieldError: The record has no value that the children take.
    """
    context = {}
    for key, path in fields.items():
        found = compile_path(path).find_all(record)
        if not found:
            raise MissingFieldError(path)
        context[key] = found[0]
    return context


def is_addressable(parent: Parent, path: str, context: Mapping[str, Any]) -> bool:
    """Return whether a context has all values that the requests of a child take.

    A null names nothing. In a path, an empty text or dots would lead to another address (RFC 3986).

    Args:
        parent: The parent, as the child has it.
        path: The path of the child's endpoint.
        context: The context.
    """
    in_path = template(path).names
    return all(
        context[field] is not None and not (name in in_path and str(context[field]) in DOTS)
        for name, field in parent.fields.items()
    )
