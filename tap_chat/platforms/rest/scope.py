"""Which records a declaration reads, as a text: a bookmark counts only for the same ones."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tap_chat.declarations.model import Reading


def scope_of(reading: Reading, secrets: Iterable[str]) -> str:
    """Return which records a resource has. It is the same text in each run.

    Args:
        reading: How the resource is read.
        secrets: The texts that are left out: a renewed secret changes no record.
    """
    endpoint, incremental = reading.endpoint, reading.endpoint.incremental
    parts = {
        "resource": reading.resource.name,
        "path": endpoint.path,
        "method": endpoint.method,
        "params": endpoint.params,
        "json": endpoint.json,
        "data": endpoint.data,
        "data_selector": endpoint.data_selector,
        "cursor": incremental and [incremental.cursor_path, incremental.last_value_func],
    }
    text = json.dumps(parts, sort_keys=True, default=str)
    for secret in secrets:
        text = text.replace(json.dumps(secret)[1:-1], "")
    return text
