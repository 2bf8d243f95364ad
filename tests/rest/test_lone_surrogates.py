"""Half of an emoji, as a text that was cut has it, is a value as any other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from serving import Server

if TYPE_CHECKING:
    from running import Runner
    from starlette.requests import Request

HALF = "\ud83d"


@pytest.mark.parametrize("incremental", [{}, {"cursor_path": "at"}])
def test_records_without_a_key_may_have_half_an_emoji(
    tap: Runner, incremental: dict[str, Any]
) -> None:
    """The records, the contexts of their children, and the digests in the STATE have it."""
    parents = [{"id": f"a{HALF}", "at": 1}, {"id": "b", "at": 2, "text": HALF}]

    def respond(request: Request) -> Any:
        return [{"n": 1}, {"n": 2}] if request.url.path.endswith("/lines") else parents

    endpoint: dict[str, Any] = {"path": "chats", "paginator": "single_page"}
    if incremental:
        endpoint["incremental"] = incremental
    lines = {"path": "chats/{resources.chats.id}/lines", "paginator": "single_page"}
    resources = [
        {"name": "chats", "endpoint": endpoint},
        {"name": "lines", "endpoint": lines, "include_from_parent": ["id"]},
    ]
    with Server(respond) as api:
        declaration = {"client": {"base_url": api.url}, "resources": resources}
        additions = {"lines": {"distinct_parents": True}}
        run = tap({"rest": {"x": {"declaration": declaration, "streams": additions}}})
    assert run.code == 0, run.err
    assert run.rows("x_chats") == parents
    owners = [row["_chats_id"] for row in run.rows("x_lines")]
    assert sorted(owners) == [f"a{HALF}"] * 2 + ["b"] * 2
