"""Dixa's exports API: windows of 31 days, in any order, with bounds that nobody knows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tap_chat.sandbox import API_KEY, Fault, Options, Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

STREAM = "dixa_conversation_export"
DAY = 86_400_000
OCTOBER = 1_759_276_800_000  # 2025-10-01T00:00:00.000Z
NOVEMBER = OCTOBER + 31 * DAY
LATER = datetime(2026, 3, 10, tzinfo=UTC)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(World(dixa_conversations=600)) as running:
        yield running


def export(sandbox: Sandbox, **params: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {API_KEY}"}
    return requests.get(
        f"{sandbox.url}/v1/conversation_export", params, headers=headers, timeout=10
    )


def window(sandbox: Sandbox, after: int, before: int, field: str = "updated") -> list[Any]:
    answer = export(sandbox, **{f"{field}_after": after, f"{field}_before": before})
    assert answer.status_code == 200
    rows = answer.json()
    assert isinstance(rows, list)
    return rows


def ids(rows: list[dict[str, Any]]) -> list[int]:
    return sorted(row["id"] for row in rows)


def test_same_seed_is_the_same_world() -> None:
    assert World(seed=3).truth[STREAM] == World(seed=3).truth[STREAM]
    assert World(seed=3).truth[STREAM] != World(seed=4).truth[STREAM]


@pytest.mark.parametrize("field", ["created", "updated"])
def test_windows_together_bring_the_truth(sandbox: Sandbox, field: str) -> None:
    rows = []
    for start in range(OCTOBER, OCTOBER + 124 * DAY, 31 * DAY):
        rows += window(sandbox, start, start + 31 * DAY, field)
    truth = sandbox.world.truth[STREAM]
    assert len(rows) == len(truth) == sandbox.world.rows[STREAM] == 600
    assert {row["id"]: row for row in rows} == {row["id"]: row for row in truth}
    assert all(isinstance(row["updated_at"], int) for row in rows)


def test_both_filters_narrow_each_other(sandbox: Sandbox) -> None:
    params = {"created_after": OCTOBER, "created_before": NOVEMBER}
    params |= {"updated_after": NOVEMBER, "updated_before": NOVEMBER + DAY}
    rows = export(sandbox, **params).json()
    assert rows
    assert {row["created_at"] < NOVEMBER <= row["updated_at"] for row in rows} == {True}


def test_days_may_be_named(sandbox: Sandbox) -> None:
    named = export(sandbox, updated_after="2025-10-01", updated_before="2025-11-01").json()
    assert ids(named) == ids(window(sandbox, OCTOBER, NOVEMBER))


def test_response_has_no_order(sandbox: Sandbox) -> None:
    rows = window(sandbox, OCTOBER, NOVEMBER)
    assert rows == window(sandbox, OCTOBER, NOVEMBER)
    for field in ("id", "created_at", "updated_at"):
        values = [row[field] for row in rows]
        assert values != sorted(values)
        assert values != sorted(values, reverse=True)


@pytest.mark.parametrize(
    ("bounds", "lower", "upper"),
    [("[)", True, False), ("[]", True, True), ("(]", False, True), ("()", False, False)],
)
def test_bounds_are_as_chosen(sandbox: Sandbox, bounds: Any, *, lower: bool, upper: bool) -> None:
    sandbox.options.dixa_bounds = bounds
    moments = {row["updated_at"] for row in sandbox.world.truth[STREAM]}
    assert {NOVEMBER - 1, NOVEMBER, NOVEMBER + 1} <= moments
    before = {row["updated_at"] for row in window(sandbox, OCTOBER, NOVEMBER)}
    after = {row["updated_at"] for row in window(sandbox, NOVEMBER, NOVEMBER + DAY)}
    assert (NOVEMBER in after, NOVEMBER in before) == (lower, upper)
    assert NOVEMBER - 1 in before
    assert NOVEMBER + 1 in after


def test_conversations_are_created_and_changed_around_midnight(sandbox: Sandbox) -> None:
    for field in ("created_at", "updated_at"):
        rests = {(row[field] + 1) % DAY for row in sandbox.world.truth[STREAM]}
        assert {0, 1, 2} <= rests


def test_empty_fields_are_null_or_absent(sandbox: Sandbox) -> None:
    rows = sandbox.world.truth[STREAM]
    for field in ("queue_name", "transfer_time", "closed_at", "requester_name"):
        assert any(row.get(field) is not None for row in rows)
    assert {row.get("queue_name", "absent") for row in rows} >= {None, "absent"}
    assert any(isinstance(item["value"], list) for row in rows for item in row["custom_fields"])


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({}, 400),
        ({"updated_after": OCTOBER}, 400),
        ({"updated_before": OCTOBER}, 400),
        ({"updated_after": OCTOBER, "created_before": NOVEMBER}, 400),
        ({"updated_after": "2025-10-01T00:00:00Z", "updated_before": NOVEMBER}, 400),
        ({"updated_after": OCTOBER, "updated_before": NOVEMBER + 1}, 422),
        ({"created_after": "2025-10-01", "created_before": "2025-11-02"}, 422),
    ],
)
def test_wrong_windows_are_refused(sandbox: Sandbox, params: dict[str, Any], status: int) -> None:
    assert export(sandbox, **params).status_code == status


def test_token_may_be_half_of_a_basic_pair_and_must_be_right(sandbox: Sandbox) -> None:
    url = f"{sandbox.url}/v1/conversation_export"
    params = {"updated_after": OCTOBER, "updated_before": NOVEMBER}
    for pair, status in ((("bearer", API_KEY), 200), (("bearer", "x"), 401), (None, 401)):
        assert requests.get(url, params, auth=pair, timeout=10).status_code == status


def test_dixa_has_a_rate_limit_of_its_own() -> None:
    with Sandbox(options=Options(dixa_rate_limit=2)) as sandbox:
        statuses = [export(sandbox).status_code for _ in range(4)]
        assert statuses == [400, 400, 429, 429]
        assert sandbox.app.refused == 2
        other = requests.get(f"{sandbox.url}/v1/messages", {"api_key": API_KEY}, timeout=10)
        assert other.status_code == 200


def test_response_with_too_many_rows_breaks_off(sandbox: Sandbox) -> None:
    sandbox.options.dixa_max_rows = 40
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        window(sandbox, OCTOBER, NOVEMBER)
    assert 0 < len(window(sandbox, OCTOBER, OCTOBER + 5 * DAY)) <= 40


def test_faults_spoil_the_export(sandbox: Sandbox) -> None:
    sandbox.options.faults = [
        Fault(kind="drop", path="/conversation_export", field="updated_at"),
        Fault(kind="replace", path="/conversation_export", field="id", literal='"x"'),
        Fault(kind="repeat", path="/conversation_export"),
    ]
    rows = [window(sandbox, NOVEMBER, NOVEMBER + DAY) for _ in range(3)]
    assert "updated_at" not in rows[0][-1]
    assert rows[1][-1]["id"] == "x"
    assert ids(rows[2]) == ids(window(sandbox, OCTOBER, OCTOBER + DAY))


def keyed(world: World) -> dict[int, dict[str, Any]]:
    return {row["id"]: row for row in world.truth[STREAM]}


def changed(old: dict[int, Any], new: dict[int, Any], test: Callable[[Any, Any], bool]) -> int:
    return sum(test(old[key], new[key]) for key in old)


def test_time_brings_new_conversations_and_moves_those_that_change() -> None:
    world = World(dixa_conversations=300)
    old, new = keyed(world), keyed(replace(world, now=LATER))
    assert len(new) > len(old)
    assert old.keys() < new.keys()
    assert changed(old, new, lambda a, b: a["created_at"] != b["created_at"]) == 0
    assert changed(old, new, lambda a, b: a != b and a["updated_at"] >= b["updated_at"]) == 0
    assert changed(old, new, lambda a, b: a["updated_at"] < b["updated_at"]) > 10
    assert changed(old, new, lambda a, b: a == b) > 100
    assert changed(old, new, lambda a, b: a["status"] != "closed" == b["status"]) > 0
    seen = int(world.now.timestamp() * 1000)
    arrived = [row for key, row in new.items() if old.get(key) != row]
    assert min(row["updated_at"] for row in arrived) > seen


def test_time_may_move_while_it_serves(sandbox: Sandbox) -> None:
    before = window(sandbox, OCTOBER + 124 * DAY, OCTOBER + 155 * DAY)
    sandbox.world = replace(sandbox.world, now=sandbox.world.now + timedelta(days=20))
    after = window(sandbox, OCTOBER + 124 * DAY, OCTOBER + 155 * DAY)
    assert before == []
    assert ids(after) == ids(
        [r for r in sandbox.world.truth[STREAM] if r["updated_at"] >= OCTOBER + 124 * DAY]
    )
