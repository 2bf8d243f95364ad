"""The contexts of children: what their requests and records take from a parent's record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_chat.http.json_path import compile_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_chat.declarations.format import JSONPath
    from tap_chat.declarations.model import Parent
    from tap_chat.singer.records import Record


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
        fields |= child.included
    return fields


def child_context(fields: Mapping[str, JSONPath], record: Record) -> dict[str, Any]:
    """Return the context of the children of a record.

    Args:
        fields: What the children take: see `child_fields`.
        record: The record of the parent.
    """
    return {key: compile_path(path).find_first(record) for key, path in fields.items()}
