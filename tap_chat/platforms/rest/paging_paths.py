"""Where a paginator finds what it needs in a body: beside the records, or in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_chat.http.json_path import compile_path

if TYPE_CHECKING:
    from tap_chat.declarations.format import JSONPath, Paginator

#: The keys of paginators that are JSONPaths into a body.
PATHS = ("cursor_path", "next_url_path", "total_path", "has_more_path")


def reads_records(paginator: Paginator | None, data_selector: JSONPath) -> bool:
    """Return whether a paginator may need the records of a page, as for `data[-1].id`.

    Args:
        paginator: What the declaration says; None if it says nothing.
        data_selector: The JSONPath of the records.
    """
    paths = (getattr(paginator, key, None) for key in PATHS)
    names = compile_path(data_selector).stem
    return any(compile_path(path).may_lead_into(names) for path in paths if path)
