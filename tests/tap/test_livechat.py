"""LiveChat, version 2: capped queries, shifting pages, chats with several agents or none."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace as replace_fault
from running import assert_complete, by_stream, catalog_of, full_config, in_order, missing
from serving import Server

from tap_chat.sandbox import API_KEY, ENTITY_ID, Drift, Fault, Options, Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from running import Runner
    from starlette.requests import Request

LATER = datetime(2026, 3, 15, tzinfo=UTC)
CHATS = "livechat_chats"
STREAMS = [CHATS, "livechat_messages", "livechat_events"]
#: A world with more than 50 chats on a day. It keeps its rows, so it is made once.
CROWDED = World(livechat_version="2", chats=10_000)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(World(livechat_version="2", messages=450)) as running:
        yield running


def ending_chats() -> Drift:
    """Return a drift: another chat ends at every second page."""
    return Drift(kind="insert", of="chats", after=2, every=2, times=None)


@pytest.mark.parametrize("seed", [1, 7, 2025])
def test_every_row_of_every_stream_arrives_once(tap: Runner, seed: int) -> None:
    with Sandbox(World(livechat_version="2", seed=seed, chats=400)) as sandbox:
        run = tap(full_config(sandbox, "livechat"))
        assert_complete(run, sandbox, *STREAMS)


def test_local_clock_ahead_of_the_server_does_not_move_the_bookmark_past_it(
    tap: Runner, sandbox: Sandbox
) -> None:
    now = sandbox.world.now
    sandbox.options.clock = (now - datetime.now(UTC)).total_seconds()
    run = tap(
        full_config(sandbox, "livechat") | {"end_date": (now + timedelta(days=9)).isoformat()}
    )
    assert run.code == 0, run.err
    assert now.timestamp() - 60 < run.bookmark(CHATS) < now.timestamp() + 60


def test_chat_has_a_row_for_each_agent_and_one_without_agents(
    tap: Runner, sandbox: Sandbox
) -> None:
    run = tap(full_config(sandbox, "livechat"))
    chats = by_stream(run)["livechat_chats"]
    assert len({(row["id"], row["agent_email"]) for row in chats}) == len(chats)
    assert any(len(row["agents"]) > 1 for row in chats if row.get("agents"))
    nobody = [row for row in chats if not row.get("agents")]
    assert {row["agent_email"] for row in nobody} == {"unassigned"}
    assert {row["type"] for row in nobody} == {"chat", "missed_chat"}
    assert any("ended_timestamp" not in row for row in nobody)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
@pytest.mark.parametrize("dates", ["ended", "started"])
@pytest.mark.parametrize("days", [1, 31])
def test_no_chat_is_lost_in_any_time_zone(tap: Runner, zone: str, dates: Any, days: int) -> None:
    options = Options(livechat_date=dates)
    with Sandbox(World(livechat_version="2", livechat_timezone=zone), options) as sandbox:
        config = full_config(sandbox, "livechat", livechat={"batch_size": days})
        config["start_date"] = "2025-09-01"
        first = tap(config)
        assert_complete(first, sandbox, *STREAMS)
        sandbox.world = replace(sandbox.world, now=LATER)
        config["end_date"] = LATER.isoformat()
        second = tap(config, state=first.state)
        for stream in STREAMS:
            both = [*first.rows(stream), *second.rows(stream)]
            assert missing(sandbox.world.truth[stream], both) == []
        assert first.bookmark(CHATS) < second.bookmark(CHATS)
        assert len(second.rows("livechat_chats")) < 0.6 * len(sandbox.world.truth["livechat_chats"])


def test_windows_are_split_before_the_cap(tap: Runner) -> None:
    options = Options(livechat_cap=50)
    with Sandbox(World(livechat_version="2", chats=600), options) as sandbox:
        run = tap(full_config(sandbox, "livechat", livechat={"max_rows": 50}))
        assert_complete(run, sandbox, *STREAMS)


def test_day_over_the_cap_fails_with_its_count(tap: Runner) -> None:
    with Sandbox(CROWDED, Options(livechat_cap=50)) as sandbox:
        run = tap(full_config(sandbox, "livechat", livechat={"max_rows": 50}))
    assert run.code == 1
    [error] = run.errors
    assert "livechat_chats" in error
    assert "lists 50 chats on one day" in error


def test_pages_that_shift_while_they_are_read_lose_nothing(tap: Runner) -> None:
    with Sandbox(
        World(livechat_version="2", chats=400), Options(drifts=[ending_chats()])
    ) as sandbox:
        before = in_order(sandbox.world.truth["livechat_chats"])
        config = full_config(sandbox, "livechat", livechat={"batch_size": 500})
        run = tap(config)
        assert run.code == 0
        found = run.rows("livechat_chats")
        assert missing(before, found) == []
        assert len({(row["id"], row["agent_email"]) for row in found}) == len(found)
        assert len(sandbox.world.truth["livechat_chats"]) > len(before)


@pytest.mark.parametrize(
    "ghosts", [{"livechat_twice": 7}, {"livechat_excess": 1}, {"livechat_excess": 9}]
)
def test_total_above_the_listed_chats_is_a_warning(tap: Runner, ghosts: Any) -> None:
    """A chat is listed twice, or is on no page, in each run. So it must not fail the run."""
    with Sandbox(World(livechat_version="2", chats=200), Options(**ghosts)) as sandbox:
        first = tap(full_config(sandbox, "livechat"))
        assert_complete(first, sandbox, *STREAMS)
        assert "chats in all pages, but returned" in first.err
        assert f"GET {sandbox.url}/chats?date_from=" in first.err
        sandbox.world = replace(sandbox.world, now=LATER)
        second = tap(full_config(sandbox, "livechat"), state=first.state)
        assert second.code == 0, second.err
        assert first.bookmark(CHATS) < second.bookmark(CHATS)
        for stream in STREAMS:
            both = [*first.rows(stream), *second.rows(stream)]
            assert missing(sandbox.world.truth[stream], both) == []


@pytest.mark.parametrize("beyond", ["refused", "empty"])
def test_window_is_split_where_fewer_chats_can_be_reached_than_counted(
    tap: Runner, beyond: Any
) -> None:
    """The windows are halved even below the setting `max_rows`."""
    options = Options(livechat_cap=50, livechat_count="all", livechat_beyond=beyond)
    with Sandbox(World(livechat_version="2", chats=600), options) as sandbox:
        run = tap(full_config(sandbox, "livechat"))
        assert_complete(run, sandbox, *STREAMS)
        assert "Its days are halved." in run.err


@pytest.mark.parametrize("beyond", ["refused", "empty"])
def test_day_with_unreachable_chats_fails_with_its_count(tap: Runner, beyond: Any) -> None:
    options = Options(livechat_cap=50, livechat_count="all", livechat_beyond=beyond)
    with Sandbox(CROWDED, options) as sandbox:
        run = tap(full_config(sandbox, "livechat"))
    assert run.code == 1
    [error] = run.errors
    assert "chats on one day, of which not all can be read" in error


def test_total_far_above_the_listed_chats_fails_the_run(tap: Runner) -> None:
    with Sandbox(World(livechat_version="2", chats=200), Options(livechat_excess=60)) as sandbox:
        run = tap(full_config(sandbox, "livechat"))
    assert run.code == 1
    [error] = run.errors
    assert "counts 61 chats in all pages, but returned 1" in error


def repeating(request: Request) -> Any:
    """Return the last reachable page for all pages beyond it."""
    first, last = (
        date.fromisoformat(request.query_params[f"date_{end}"]) for end in ("from", "to")
    )
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    found = [{"id": f"{day}-{number}"} for day in days for number in range(10)]
    page = min(int(request.query_params["page"]), 3)
    chats = found[(page - 1) * 25 : page * 25]
    return {"chats": chats, "total": len(found), "pages": -(-len(found) // 25)}


def test_repeated_last_page_is_the_end_of_the_reachable_chats(tap: Runner) -> None:
    with Server(repeating) as api:
        config = small_config(api)
        run = tap(config)
    assert run.code == 0, run.err
    assert len(run.records) == len({row["id"] for row in run.records}) == 10 * 32


def small_config(api: Server) -> dict[str, Any]:
    account = {"api_url": api.url, "entity_id": "e", "access_token": "t"}
    section = account | {"api_version": "2", "lookback_days": 0}
    return {"start_date": "2025-01-02", "end_date": "2025-02-01", "livechat": section}


@pytest.mark.parametrize("given", [0, 1])
def test_extreme_number_of_pages_ends(tap: Runner, given: int) -> None:
    """The pages are empty, or identical."""
    chats = [{"id": "K1"}] * given
    with Server(lambda _: {"chats": chats, "total": given, "pages": 10**12}) as api:
        run = tap(small_config(api))
        assert run.code == 0, run.err
        assert len(api.requests) <= 8


def test_page_that_is_empty_once_is_requested_again(tap: Runner) -> None:
    """The tap requests an empty day twice before it continues with a warning."""
    day = {"chats": [{"id": "K1"}, {"id": "K2"}], "total": 2, "pages": 1}
    with Server(lambda _: day if len(api.requests) > 1 else day | {"chats": []}) as api:
        run = tap(small_config(api))
    assert run.code == 0, run.err
    assert {row["id"] for row in run.records} == {"K1", "K2"}
    assert "but returned" not in run.err


def test_growing_list_is_read_to_its_end(tap: Runner) -> None:
    options = Options(drifts=[ending_chats()], livechat_excess=1)
    with Sandbox(World(livechat_version="2", chats=300), options) as sandbox:
        before = in_order(sandbox.world.truth["livechat_chats"])
        run = tap(full_config(sandbox, "livechat", livechat={"batch_size": 500}))
        assert run.code == 0, run.err
        assert missing(before, run.rows("livechat_chats")) == []


def test_pending_chats_come_if_included_and_again_when_ended(tap: Runner, sandbox: Sandbox) -> None:
    hours = (sandbox.world.now + timedelta(hours=number) for number in range(100))
    worlds = (replace(sandbox.world, now=hour) for hour in hours)
    sandbox.world = next(world for world in worlds if world.livechat.chats.open)
    without = tap(full_config(sandbox, "livechat"))
    assert not [row for row in without.rows("livechat_chats") if row.get("pending")]

    pending = {"include_pending": 1}
    first = tap(full_config(sandbox, "livechat", livechat=pending))
    ids = {row["id"] for row in first.rows("livechat_chats") if row.get("pending")}
    assert ids
    assert first.bookmark(CHATS) == without.bookmark(CHATS)
    sandbox.world = replace(sandbox.world, now=LATER)
    second = tap(full_config(sandbox, "livechat", livechat=pending), state=first.state)
    ended = {row["id"] for row in second.rows("livechat_chats") if row.get("ended_timestamp")}
    assert ids <= ended


def test_parts_can_be_selected_without_chats(tap: Runner, sandbox: Sandbox) -> None:
    catalog = catalog_of("livechat_messages", "livechat_events")
    run = tap(full_config(sandbox, "livechat"), catalog=catalog)
    assert run.code == 0, run.err
    assert set(by_stream(run)) == {"livechat_messages", "livechat_events"}
    assert_complete(run, sandbox, "livechat_messages", "livechat_events")


def test_message_texts_are_in_no_log(tap: Runner, sandbox: Sandbox) -> None:
    run = tap(full_config(sandbox, "livechat"), level="DEBUG")
    texts = {row["text"] for row in by_stream(run)["livechat_messages"] if len(row["text"]) > 15}
    assert texts
    assert not [text for text in texts if text in run.err]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(kind="status", status=401), ["401 Unauthorized", "livechat.access_token"]),
        (Fault(kind="status", status=403), ["403 Forbidden", "livechat.access_token"]),
        (Fault(kind="status", status=404), ["404 Not Found", "livechat.api_url"]),
        (Fault(kind="html"), ["a web page instead of JSON", "livechat.api_url"]),
        (Fault(kind="null"), ["without the list `chats`", "null"]),
        (Fault(kind="truncate"), ["not complete JSON"]),
        (Fault(kind="drop"), ["has no `id`, which is its key"]),
        (
            Fault(kind="replace", field="messages", literal='[{"text": 7}]'),
            ["livechat_messages", "has integer as `text`"],
        ),
        (
            Fault(kind="replace", field="messages", literal='["x"]'),
            ["livechat_messages", "is not an object"],
        ),
    ],
    ids=lambda value: f"{value.kind}-{value.status}" if isinstance(value, Fault) else "",
)
def test_bad_input_is_one_error(
    tap: Runner, sandbox: Sandbox, fault: Fault, words: list[str]
) -> None:
    sandbox.options.faults = [replace_fault(fault, times=None)]
    run = tap(full_config(sandbox, "livechat"), level="DEBUG")
    assert run.code == 1
    [error] = run.errors
    assert error.startswith("Stream livechat_")
    assert f": GET {sandbox.url}/chats?" in error
    for word in words:
        assert word in error
    assert API_KEY not in run.err


def test_error_of_a_wrong_token_names_the_setting_without_its_value(
    tap: Runner, sandbox: Sandbox
) -> None:
    changes = {"access_token": "wrong-but-secret", "entity_id": ENTITY_ID}
    run = tap(full_config(sandbox, "livechat", livechat=changes), level="DEBUG")
    assert run.code == 1
    assert "livechat.access_token" in run.errors[0]
    assert "wrong-but-secret" not in run.err


def test_warnings_of_a_run_are_logged_when_it_ends(tap: Runner) -> None:
    """They count chats without the replication key, and requests."""
    chats = [{"id": "K1", "ended_timestamp": 1735862400}, {"id": "K2"}]
    with Server(lambda _: {"chats": chats, "total": 2, "pages": 1}) as api:
        run = tap(small_config(api))
        assert run.code == 0, run.err
        requests = len(api.requests)
    assert "of livechat_chats without a usable `ended_timestamp`: " in run.err
    metrics = [
        json.loads(line.partition("METRIC: ")[2])
        for line in run.err.splitlines()
        if "METRIC: " in line
    ]
    counts = [metric for metric in metrics if metric["metric"] == "http_request_count"]
    assert sum(count["value"] for count in counts) == requests
