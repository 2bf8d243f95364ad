"""Where a paginator finds what it needs in a body: outside of the records, or in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_chat.declarations.format import PAGINATOR_PATHS
from tap_chat.http.json_path import compile_path

if TYPE_CHECKING:
    from tap_chat.declarations.format import JSONPath, Paginator


def reads_records(paginator: Paginator | None, data_selector: JSONPath) -> bool:
    """Return whether a paginator may need the records of a page, as for `data[-1].id`.

    Args:
        paginator: What the declaration says; None if it says nothing.
        data_selector: The JSONPath of the records.
    """
    paths = (getattr(paginator, key, None) for key in PAGINATOR_PATHS)
    names = compile_path(data_selector).stem
    return any(compile_path(path).may_lead_into(names) for path in paths if path)
