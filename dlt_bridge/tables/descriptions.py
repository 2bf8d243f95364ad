"""The descriptions of a SCHEMA: those of its table and columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dlt

from dlt_bridge.destinations.comments import Comment, Comments
from dlt_bridge.tables import layout

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dlt_bridge.arrow.columns import Column

#: The hint of dlt, which is the keyword of JSON Schema, too.
DESCRIPTION = "description"


def description_of(schema: Any) -> str:  # noqa: ANN401
    """Return the description of a JSON Schema; empty if it has none."""
    text = schema.get(DESCRIPTION) if isinstance(schema, dict) else None
    if not isinstance(text, str):
        return ""
    # PostgreSQL has no NUL.
    return text.replace("\0", "").strip()


def column_descriptions(
    columns: Iterable[Column], hints: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """Return the descriptions of columns, by their names.

    Args:
        columns: The columns of the SCHEMA.
        hints: The hints that the user gave; a description of theirs takes precedence.
    """
    normalize = dlt.current.source_schema().naming.normalize_path
    by_user = {normalize(name): hint.get(DESCRIPTION) for name, hint in hints.items()}
    found = {
        column.name: by_user.get(normalize(column.name)) or _of_column(column)
        for column in columns
        if column.type
    }
    return {name: text for name, text in found.items() if text}


def _of_column(column: Column) -> str:
    """Return the description of a property, whose schema may be one of several."""
    own = description_of(column.schema)
    if own or not isinstance(column.schema, dict):
        return own
    options = column.schema.get("anyOf")
    several = map(description_of, options if isinstance(options, list) else ())
    return next(filter(None, several), "")


def add_comments(
    comments: Comments, table: str, description: str, columns: Mapping[str, str]
) -> None:
    """Add what the comments of a table and its columns are to be.

    Args:
        comments: Gets them.
        table: The name of the table.
        description: Its description; empty for none.
        columns: The descriptions of its columns, by their names before normalization.
    """
    normalize = dlt.current.source_schema().naming.normalize_path
    stored = layout.stored_table(table)
    texts: dict[str | None, str] = {normalize(name): text for name, text in columns.items()}
    if description:
        texts[None] = description
    for column, text in texts.items():
        known = stored if column is None else stored.get("columns", {}).get(column, {})
        former = {known[DESCRIPTION]} if known.get(DESCRIPTION) else set()
        if earlier := comments.get((table, column)):
            former |= {earlier.text, *earlier.former}
        comments[table, column] = Comment(text, frozenset(former - {text}))
