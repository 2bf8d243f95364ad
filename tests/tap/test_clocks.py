"""Wrong clocks: of this machine, of a server, and in the records."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from running import SelectingRunner, by_stream, chat_config, full_config, merged, missing
from serving import Server, paged

from tap_chat.http.clock import FAR, ServerClock
from tap_chat.sandbox import Sandbox, World
from tap_chat.singer.timestamps import unit_of

if TYPE_CHECKING:
    from running import Runner

YEARS = -5 * 365 * 24 * 3600
LATER = datetime(2026, 3, 15, tzinfo=UTC)
SMALL = World(livechat_version="2", dixa_conversations=60, chats=60, messages=60)
STREAMS = {"dixa": ["dixa_conversation_export"], "livechat": ["livechat_chats"]}


@pytest.mark.parametrize(("section", "unit"), [("dixa", 1000), ("livechat", 1)])
def test_wrong_server_clock_does_not_hold_the_bookmark_back(
    tap: Runner, section: str, unit: int
) -> None:
    """The `Date` is five years behind the records."""
    [stream] = STREAMS[section]
    tap = SelectingRunner(tap.folder, (stream,))
    with Sandbox(SMALL) as sandbox:
        sandbox.options.clock = YEARS
        first = tap(full_config(sandbox, section))
        assert first.code == 0, first.err
        assert first.err.count("say that they were sent days before what they hold") == 1
        newest = max(
            row.get("updated_at") or row.get("ended_timestamp") or 0
            for row in sandbox.world.truth[stream]
        )
        assert newest - unit <= first.bookmark(stream) <= newest
        requests = sandbox.requests
        sandbox.world = replace(sandbox.world, now=LATER)
        second = tap(full_config(sandbox, section), state=first.state)
        assert sandbox.requests - requests < requests / 2
        third = tap(full_config(sandbox, section), state=second.state)
        found = merged([first, second, third])[stream].values()
        assert missing(sandbox.world.truth[stream], [*found]) == []
        assert first.bookmark(stream) < second.bookmark(stream) <= third.bookmark(stream)


@pytest.mark.parametrize("section", ["dixa", "livechat"])
def test_without_a_server_clock_the_bookmark_follows_the_records(tap: Runner, section: str) -> None:
    """The local clock alone moves no bookmark."""
    [stream] = STREAMS[section]
    tap = SelectingRunner(tap.folder, (stream,))
    ended = int((datetime.now(UTC) - timedelta(days=40)).timestamp())
    chat = {"id": "K1", "ended_timestamp": ended}
    conversation = {"id": 1, "updated_at": ended * 1000}

    def answer(request: Any) -> Any:
        query = request.query_params
        if "updated_after" in query:
            within = int(query["updated_after"]) <= ended * 1000 < int(query["updated_before"])
            return [conversation] if within else []
        day = datetime.fromtimestamp(ended, UTC).date().isoformat()
        found = [chat] if query["date_from"] <= day <= query["date_to"] else []
        return {"chats": found, "total": len(found), "pages": len(found)}

    with Server(answer, date_header=False) as api:
        both: dict[str, dict[str, Any]] = {
            "dixa": {"api_token": "t", "lag_minutes": 0, "requests_per_minute": 100_000},
            "livechat": {"entity_id": "e", "access_token": "t", "api_version": "2"},
        }
        start = (datetime.now(UTC) - timedelta(days=100)).isoformat()
        config = {"start_date": start, section: {"api_url": api.url} | both[section]}
        first = tap(config)
        assert first.code == 0, first.err
        assert "do not say when they were sent" in first.err
        assert first.bookmark(stream) == ended * (1000 if section == "dixa" else 1)
        assert len(by_stream(first)[stream]) == 1


@pytest.mark.parametrize(
    ("unit", "first_of_all"), [(1, True), (1, False), (10**3, True), (10**6, True), (10**9, False)]
)
def test_future_time_as_a_number_does_not_move_the_bookmark_past_now(
    tap: Runner, unit: int, *, first_of_all: bool
) -> None:
    """One value among current ones is in a finer unit, or in the year 2100."""
    now = int(time.time())
    good = [{"id": f"m{n}", "seq": (now - 1000 + n) * unit} for n in range(5)]
    bad = {"id": "bad", "seq": (now * 1000 if unit < 10**9 else now + 80 * 365 * 86400) * unit}
    messages = [*good, bad] if first_of_all else [*good]
    with Server(paged(messages)) as api:
        config = chat_config(api, fields={"seq": {"type": "integer"}}, replication_key="seq")
        first = tap(config)
        if not first_of_all:
            messages.append(bad)
            first = tap(config, state=first.state)
        assert first.code == 0, first.err
        assert "Records of chat_messages have times in the future" in first.err
        assert now * unit - unit <= first.bookmark("chat_messages") <= (now + 60) * unit
        # What comes next is a little later than now.
        messages.append({"id": "next", "seq": (now + 90) * unit})
        second = tap(config, state=first.state)
        third = tap(config, state=second.state)
    assert "next" in {record["id"] for run in (second, third) for record in run.records}
    assert third.bookmark("chat_messages") <= (now + 60) * unit


def test_plain_numbers_are_not_taken_as_times(tap: Runner) -> None:
    """They are counters, or larger than any time."""
    for values in ([1, 2, 3_000_000], [10**19, 10**19 + 5], [5, 3 * 10**9, 4 * 10**9]):
        messages = [{"id": f"m{n}", "seq": value} for n, value in enumerate(values)]
        with Server(paged(messages)) as api:
            config = chat_config(api, fields={"seq": {"type": "integer"}}, replication_key="seq")
            run = tap(config)
        assert run.bookmark("chat_messages") == max(values)
        assert "in the future" not in run.err


def test_future_time_does_not_move_the_bookmark_past_now(tap: Runner) -> None:
    """The server's clock decides, not the local one."""
    with Sandbox(SMALL) as sandbox:
        newest = max(row["timestamp"] for row in sandbox.world.chat.messages)
        server = datetime.fromisoformat(newest) - timedelta(minutes=10)
        sandbox.options.clock = (server - datetime.now(UTC)).total_seconds()
        run = tap(chat_config(sandbox, replication_key="timestamp"))
        reached = datetime.fromisoformat(run.bookmark("chat_messages"))
        assert server <= reached <= server + timedelta(minutes=1)
        # One that is years behind is not believed.
        sandbox.options.clock = YEARS * 2
        second = tap(chat_config(sandbox, replication_key="timestamp"), state=run.state)
        reached = datetime.fromisoformat(second.bookmark("chat_messages"))
        assert reached == datetime.fromisoformat(newest)


@pytest.mark.parametrize(
    ("stream", "value"),
    [
        ("livechat_chats", 1_769_000_000_000),
        ("livechat_chats", 10**30),
        ("livechat_messages", 9 * 10**9),
        ("dixa_conversation_export", 10**15),
        ("chat_messages", "2999-01-01T00:00:00.000000Z"),
        ("freshchat_users", "9999-12-31T23:59:59Z"),
    ],
)
def test_future_bookmark_is_reported_and_not_used(tap: Runner, stream: str, value: Any) -> None:
    with Sandbox(
        World(livechat_version="2", users=5, dixa_conversations=20, chats=20, messages=20)
    ) as sandbox:
        section = stream.partition("_")[0]
        config = full_config(sandbox, section, chat={"replication_key": "timestamp"})
        whole = tap(config)
        state = whole.state
        state["bookmarks"][stream]["replication_key_value"] = value
        run = tap(config, state=state)
        assert run.code == 0, run.err
        assert f"The state's bookmark of {stream} is in the future" in run.err
        assert missing(sandbox.world.truth[stream], by_stream(run)[stream]) == []


@pytest.mark.parametrize("lookback", [36_500, 1e9])
@pytest.mark.parametrize("start", ["1900-01-01", "0001-01-01"])
def test_extreme_settings_work_or_are_refused(tap: Runner, lookback: float, start: str) -> None:
    streams = ("dixa_conversation_export", "dixa_messages", "livechat_chats")
    tap = SelectingRunner(tap.folder, streams)
    with Sandbox(World(livechat_version="2", dixa_conversations=5, chats=5)) as sandbox:
        wide = {"lookback_days": lookback}
        livechat = wide | {"batch_size": 3660}
        config = full_config(sandbox, "dixa", "livechat", dixa=wide, livechat=livechat)
        run = tap(config | {"start_date": start})
    assert "Unexpected" not in run.err
    assert run.code == (0 if (lookback, start) == (36_500, "1900-01-01") else 1)
    if run.code:
        assert "The setting" in run.errors[0]
    else:
        assert_rows = {"dixa_conversation_export", "livechat_chats"}
        assert by_stream(run).keys() >= assert_rows
        # Neither platform is as old as that: each stream of Dixa has 143 windows since 2015.
        assert sandbox.requests < 450


def test_server_clock_is_that_of_the_earliest_response() -> None:
    clock = ServerClock()
    assert clock.earliest == FAR
    for date in ("Mon, 02 Mar 2026 00:00:00 GMT", "Sun, 01 Mar 2026 00:00:00 GMT", "", "no date"):
        clock.see(date)
    assert clock.earliest == datetime(2026, 3, 1, tzinfo=UTC)


def test_unit_of_a_number_is_found_by_its_size() -> None:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    seconds = int(now.timestamp())
    assert [unit_of(seconds * 10**power, now) for power in (0, 3, 6, 9)] == [1, 10**3, 10**6, 10**9]
    assert [unit_of(value, now) for value in (0, -1, 10**8, 10 * seconds, 10**400)] == [None] * 5
