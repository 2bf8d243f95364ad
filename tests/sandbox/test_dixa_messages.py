"""Dixa's message export: windows of creation, or the messages of some conversations."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tap_chat.sandbox import API_KEY, Options, Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Iterator

STREAM, CONVERSATIONS = "dixa_messages", "dixa_conversation_export"
DAY = 86_400_000
OCTOBER = 1_759_276_800_000  # 2025-10-01T00:00:00.000Z
LATER = datetime(2026, 3, 10, tzinfo=UTC)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(World(dixa_conversations=300)) as running:
        yield running


def export(sandbox: Sandbox, path: str = "message_export", **params: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {API_KEY}"}
    return requests.get(f"{sandbox.url}/v1/{path}", params, headers=headers, timeout=10)


def by_id(rows: list[dict[str, Any]]) -> dict[Any, dict[str, Any]]:
    return {row["id"]: row for row in rows}


@pytest.mark.parametrize("kind", ["message", "conversation"])
def test_windows_together_bring_the_truth(sandbox: Sandbox, kind: Any) -> None:
    sandbox.options.dixa_created_of = kind
    rows, outside = [], 0
    for start in range(OCTOBER - DAY, OCTOBER + 123 * DAY, 31 * DAY):
        end = start + 31 * DAY
        found = export(sandbox, created_after=start, created_before=end).json()
        outside += sum(not start <= row["created_at"] < end for row in found)
        rows += found
    truth = sandbox.world.truth[STREAM]
    assert len(rows) == len(truth) == sandbox.world.rows[STREAM]
    assert by_id(rows) == by_id(truth)
    assert (outside > 0) == (kind == "conversation")


def test_named_conversations_have_all_their_messages(sandbox: Sandbox) -> None:
    csids = [row["id"] for row in sandbox.world.truth[CONVERSATIONS][50:60]]
    # An id that does not exist has no messages.
    named = ",".join(map(str, [*csids[1:], 1]))
    rows = export(sandbox, csids=named).json()
    truth = [row for row in sandbox.world.truth[STREAM] if row["csid"] in csids[1:]]
    assert by_id(rows) == by_id(truth)
    conversations = export(sandbox, "conversation_export", csids=named).json()
    assert sorted(row["id"] for row in conversations) == csids[1:]


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({}, 400),
        # The export of messages has no such filter.
        ({"updated_after": OCTOBER, "updated_before": OCTOBER + DAY}, 400),
        ({"created_after": OCTOBER}, 400),
        ({"created_after": OCTOBER, "created_before": OCTOBER + 31 * DAY + 1}, 422),
        ({"csids": "a"}, 400),
        ({"csids": ",".join(map(str, range(11)))}, 422),
    ],
)
def test_wrong_requests_are_refused(sandbox: Sandbox, params: dict[str, Any], status: int) -> None:
    assert export(sandbox, **params).status_code == status


def test_both_exports_share_the_rate_limit() -> None:
    with Sandbox(options=Options(dixa_rate_limit=2)) as sandbox:
        paths = ("message_export", "conversation_export") * 2
        assert [export(sandbox, path).status_code for path in paths] == [400, 400, 429, 429]


def test_a_later_edit_and_a_late_message_change_the_conversation() -> None:
    world = World(dixa_conversations=300)
    later = replace(world, now=LATER)
    known = by_id(world.truth[STREAM])
    seen = int(world.now.timestamp() * 1000)
    updated = {row["id"]: row["updated_at"] for row in later.truth[CONVERSATIONS]}
    news = [row for row in later.truth[STREAM] if known.get(row["id"]) != row]
    assert all(updated[row["csid"]] > seen for row in news)
    edited = [row for row in news if row["id"] in known]
    late = [row for row in news if row["id"] not in known and row["created_at"] <= seen]
    assert edited
    assert late
    assert all(row["created_at"] <= seen for row in edited)


def test_quiet_edits_leave_the_conversation() -> None:
    world, quiet = World(), World(dixa_quiet=5)
    assert quiet.truth[CONVERSATIONS] == world.truth[CONVERSATIONS]
    edited = [
        row
        for row, usual in zip(quiet.truth[STREAM], world.truth[STREAM], strict=True)
        if row != usual
    ]
    assert 0 < len(edited) < len(world.truth[STREAM]) / 2


def test_some_messages_are_older_than_their_conversation() -> None:
    world = World()
    created = {row["id"]: row["created_at"] for row in world.truth[CONVERSATIONS]}
    gaps = {created[row["csid"]] - row["created_at"] for row in world.truth[STREAM]}
    assert max(gaps) == 2
