"""Gorgias' REST API: lists without a filter for times, newest first, by cursors."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tap_chat.sandbox import API_KEY, Drift, Fault, Options, Sandbox, World
from tap_chat.sandbox.dialects.gorgias.api import EMAIL

if TYPE_CHECKING:
    from collections.abc import Iterator

LATER = datetime(2026, 3, 10, tzinfo=UTC)
LISTS = ["tickets", "messages", "customers", "satisfaction-surveys"]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(World(gorgias_tickets=250)) as running:
        yield running


def get(sandbox: Sandbox, name: str, key: str = API_KEY, **params: Any) -> requests.Response:
    return requests.get(f"{sandbox.url}/gorgias/api/{name}", params, auth=(EMAIL, key), timeout=10)


def every(sandbox: Sandbox, name: str, **params: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        body = get(sandbox, name, cursor=cursor, **params).json()
        rows += body["data"]
        cursor = body["meta"]["next_cursor"]
    return rows


def test_same_seed_is_the_same_world() -> None:
    assert World(seed=3).gorgias.truth == World(seed=3).gorgias.truth
    assert World(seed=3).gorgias.truth != World(seed=4).gorgias.truth


@pytest.mark.parametrize("name", LISTS)
def test_pages_bring_the_truth(sandbox: Sandbox, name: str) -> None:
    truth = sandbox.world.truth[f"gorgias_{name.replace('-', '_')}"]
    by_id = {row["id"]: row for row in truth}
    assert len(by_id) == len(truth)
    for limit in (7, 100):
        rows = every(sandbox, name, limit=limit)
        assert len(rows) == len(truth)
        assert {row["id"]: row for row in rows} == by_id


def test_newest_come_first_unless_a_request_asks_for_another_order(sandbox: Sandbox) -> None:
    for by in ("created_datetime", "updated_datetime"):
        times = [row[by] for row in every(sandbox, "tickets", order_by=f"{by}:desc")]
        assert times == sorted(times, reverse=True)
        assert times[::-1] == [row[by] for row in every(sandbox, "tickets", order_by=f"{by}:asc")]
    created = [row["created_datetime"] for row in every(sandbox, "tickets")]
    assert created == sorted(created, reverse=True)


def test_a_full_page_has_a_cursor_even_if_nothing_follows() -> None:
    with Sandbox(World(gorgias_tickets=100)) as sandbox:
        body = get(sandbox, "tickets", limit=100).json()
        body = get(sandbox, "tickets", limit=100, cursor=body["meta"]["next_cursor"]).json()
        assert (body["data"], body["meta"]["next_cursor"]) == ([], None)


@pytest.mark.parametrize(
    ("name", "params", "status"),
    [
        ("tickets", {"limit": 101}, 400),
        ("tickets", {"cursor": "x"}, 400),
        ("tickets", {"order_by": "id:asc"}, 400),
        ("messages", {"order_by": "updated_datetime:desc"}, 400),
        ("macros", {}, 404),
        ("tickets", {"key": "wrong"}, 401),
    ],
)
def test_wrong_requests_are_refused(
    sandbox: Sandbox, name: str, params: dict[str, Any], status: int
) -> None:
    assert get(sandbox, name, **params).status_code == status


def test_tickets_that_are_updated_move_to_the_front(sandbox: Sandbox) -> None:
    order: dict[str, Any] = {"order_by": "updated_datetime:desc", "limit": 50}
    last = get(sandbox, "tickets", **order).json()["data"][-1]["id"]
    sandbox.options.drifts = [Drift(kind="update", of="tickets", place=100)]
    first = get(sandbox, "tickets", **order).json()
    moved = get(sandbox, "tickets", **order).json()["data"][0]["id"]
    following = get(sandbox, "tickets", cursor=first["meta"]["next_cursor"], **order).json()
    # The cursor is a place in the order, not a number of rows: no row comes twice, none is missing.
    assert last not in {row["id"] for row in following["data"]}
    rows = every(sandbox, "tickets", **order)
    assert rows[0]["id"] == moved
    assert len({row["id"] for row in rows}) == 250


def test_later_there_are_more_rows_and_some_have_changed(sandbox: Sandbox) -> None:
    before = sandbox.world.gorgias.truth
    after = replace(sandbox.world, now=LATER).gorgias.truth
    for stream, old in before.items():
        new = {row["id"]: row for row in after[stream]}
        assert {row["id"] for row in old} < new.keys()
    scored = {row["id"] for row in after["gorgias_satisfaction_surveys"] if row["score"]}
    unscored = {row["id"] for row in before["gorgias_satisfaction_surveys"] if not row["score"]}
    assert scored & unscored


def test_the_bucket_is_in_every_response() -> None:
    with Sandbox(World(), Options(gorgias_rate_limit=2)) as sandbox:
        answers = [get(sandbox, "tickets") for _ in range(3)]
    header = "X-Gorgias-Account-Api-Call-Limit"
    assert [answer.headers[header] for answer in answers] == ["1/2", "2/2", "2/2"]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["Retry-After"] == "10"


def test_faults_spoil_a_page(sandbox: Sandbox) -> None:
    sandbox.options.faults = [Fault(kind="drop", field="updated_datetime")]
    assert "updated_datetime" not in get(sandbox, "tickets").json()["data"][-1]
    first = get(sandbox, "tickets", limit=5).json()
    sandbox.options.faults = [Fault(kind="repeat")]
    again = get(sandbox, "tickets", limit=5, cursor=first["meta"]["next_cursor"]).json()
    assert again["data"] == first["data"]
