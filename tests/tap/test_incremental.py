"""Bookmarks: what the next run reads again, what it leaves out, and that they never move back."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from running import chat_config
from serving import Server, paged, rows

from tap_chat.sandbox import Fault, World
from tap_chat.singer.bookmarks import inclusive_start, normalise_number
from tap_chat.singer.timestamps import normalise_datetime

if TYPE_CHECKING:
    from running import Runner

    from tap_chat.sandbox import Sandbox

STREAM = "chat_messages"
INCREMENTAL = {"replication_key": "timestamp"}
FILTERED = INCREMENTAL | {"filter_param": "since"}


def newest(sandbox: Sandbox) -> str:
    moment = normalise_datetime(max(row["timestamp"] for row in sandbox.world.chat.messages))
    assert moment is not None
    return moment


@pytest.mark.parametrize("settings", [INCREMENTAL, FILTERED])
def test_second_run_brings_new_records_and_those_at_the_bookmark(
    tap: Runner, sandbox: Sandbox, settings: dict[str, Any]
) -> None:
    first = tap(chat_config(sandbox, **settings))
    assert first.code == 0
    assert first.records == sandbox.world.chat.messages
    start = first.bookmark(STREAM)
    assert start == newest(sandbox)

    sandbox.world = World(messages=700)
    second = tap(chat_config(sandbox, **settings), state=first.state)
    assert second.code == 0
    assert second.records == [
        row
        for row in sandbox.world.chat.messages
        if (normalise_datetime(row["timestamp"]) or "") >= start
    ]
    assert len(second.records) == 250 + 1
    assert second.bookmark(STREAM) == newest(sandbox)


def test_whole_state_message_is_accepted_with_a_warning(tap: Runner, sandbox: Sandbox) -> None:
    """Earlier versions of target-dlt wrote whole messages, and runners have stored them."""
    first = tap(chat_config(sandbox, **INCREMENTAL))
    message = first.of_type("STATE")[-1]
    second = tap(chat_config(sandbox, **INCREMENTAL), state={"type": "STATE", "value": message})
    assert second.code == 0
    assert len(second.records) == 1
    assert "The state is a whole STATE message. Its value is used." in second.err
    assert second.state == first.state
    # What a runner has merged into it is newer.
    old = {"chat_messages": {"replication_key": "timestamp", "replication_key_value": "2000-01-01"}}
    mixed = {"type": "STATE", "value": {"bookmarks": old}, **first.state}
    third = tap(chat_config(sandbox, **INCREMENTAL), state=mixed)
    assert (third.code, len(third.records)) == (0, 1)


def test_server_side_filter_saves_requests(tap: Runner, sandbox: Sandbox) -> None:
    first = tap(chat_config(sandbox, **FILTERED))
    before = sandbox.requests
    second = tap(chat_config(sandbox, **FILTERED), state=first.state)
    assert len(second.records) == 1
    assert sandbox.requests - before == 3


def test_run_without_new_records_keeps_the_bookmark(tap: Runner, sandbox: Sandbox) -> None:
    first = tap(chat_config(sandbox, **INCREMENTAL))
    second = tap(chat_config(sandbox, **INCREMENTAL), state=first.state)
    assert second.bookmark(STREAM) == first.bookmark(STREAM)


def test_bookmark_never_moves_backwards(tap: Runner, sandbox: Sandbox) -> None:
    """The newest messages were deleted, and the server returns older ones."""
    first = tap(chat_config(sandbox, **INCREMENTAL))
    sandbox.world = World(messages=100)
    ignored = INCREMENTAL | {"filter_param": "ignored_by_the_server"}
    second = tap(chat_config(sandbox, **ignored), state=first.state)
    assert second.code == 0
    assert len(second.records) == 100
    assert second.bookmark(STREAM) == first.bookmark(STREAM)


@pytest.mark.parametrize("settings", [INCREMENTAL, FILTERED])
def test_first_run_starts_at_the_start_date(
    tap: Runner, sandbox: Sandbox, settings: dict[str, Any]
) -> None:
    start = "2025-01-01T03:00:00+02:00"
    run = tap(chat_config(sandbox, **settings) | {"start_date": start})
    expected = [
        row for row in sandbox.world.chat.messages if row["timestamp"] >= "2025-01-01T01:00:00.000Z"
    ]
    assert 0 < len(expected) < 450
    assert run.records == expected


def test_start_date_after_the_bookmark_is_used(tap: Runner, sandbox: Sandbox) -> None:
    first = tap(chat_config(sandbox, **INCREMENTAL))
    later = chat_config(sandbox, **INCREMENTAL) | {"start_date": "2030-01-01"}
    assert tap(later, state=first.state).records == []


def test_failed_run_leaves_the_bookmark_where_it_was(tap: Runner, sandbox: Sandbox) -> None:
    first = tap(chat_config(sandbox, **INCREMENTAL))
    sandbox.world = World(messages=700)
    sandbox.options.faults = [Fault(kind="status", status=400, after=3, times=None)]
    failed = tap(chat_config(sandbox, **INCREMENTAL), state=first.state)
    sandbox.options.faults = []
    assert failed.code == 1
    assert failed.bookmark(STREAM) == first.bookmark(STREAM)

    third = tap(chat_config(sandbox, **INCREMENTAL), state=failed.state)
    loaded = {record["id"] for run in (first, failed, third) for record in run.records}
    assert loaded == {row["id"] for row in sandbox.world.chat.messages}


def test_record_without_a_replication_key_is_written_and_reported(
    tap: Runner, sandbox: Sandbox
) -> None:
    sandbox.options.faults = [Fault(kind="replace", field="timestamp", literal="null")]
    first = tap(chat_config(sandbox, **INCREMENTAL))
    assert first.code == 0
    assert len(first.records) == 450
    assert "Records of chat_messages without a usable `timestamp`: 1." in first.err

    sandbox.options.faults = [Fault(kind="replace", field="timestamp", literal="null")]
    second = tap(chat_config(sandbox, **INCREMENTAL), state=first.state)
    assert [record["timestamp"] for record in second.records].count(None) == 1


def test_replication_key_may_be_a_number(tap: Runner, sandbox: Sandbox) -> None:
    settings: dict[str, Any] = {"fields": {"seq": {"type": "integer"}}, "replication_key": "seq"}
    sandbox.options.faults = [
        Fault(kind="replace", field="seq", literal="12345678901234567", times=None)
    ]
    config = chat_config(sandbox, **settings) | {"start_date": "2025-01-01"}
    first = tap(config)
    assert first.code == 0, first.err
    assert first.bookmark(STREAM) == 12345678901234567
    second = tap(config, state=first.state)
    assert second.bookmark(STREAM) == 12345678901234567
    # The five pages' last records, and those that have no number.
    assert len(second.records) == 450


def test_replication_key_must_be_declared(tap: Runner, sandbox: Sandbox) -> None:
    run = tap(chat_config(sandbox, replication_key="updated_at"))
    assert run.code == 1
    assert "`chat.replication_key` names a field that is not declared" in run.errors[0]
    assert "chat.fields" in run.errors[0]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000000Z"),
        ("2026-01-31T14:00:00.5+02:00", "2026-01-31T12:00:00.500000Z"),
        ("2026-01-31T12:00:00", "2026-01-31T12:00:00.000000Z"),
        ("2026-01-31", "2026-01-31T00:00:00.000000Z"),
        (datetime(2026, 1, 31, 12, tzinfo=UTC), "2026-01-31T12:00:00.000000Z"),
        # Python would read an epoch as the year 1712, month 11 or week 12.
        ("1712111230000", None),
        ("20260131", None),
        (20260131, None),
        ("9999-12-31T23:59:59-05:00", None),
        ("0001-01-01T00:00:00+02:00", None),
        ("0000-00-00", None),
        (None, None),
    ],
)
def test_bookmarks_have_one_format(value: object, expected: str | None) -> None:
    assert normalise_datetime(value) == expected


def test_filter_starts_just_before_the_bookmark() -> None:
    assert inclusive_start("2026-01-31T12:00:00.000400Z") == "2026-01-31T11:59:59.999Z"
    assert inclusive_start(17) == 16
    assert inclusive_start("0001-01-01T00:00:00.000000Z") == "0001-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5),
        (10**400, 10**400),
        (Decimal("1.50"), 1.5),
        (Decimal("1e400"), None),
        (True, None),
        ("5", None),
        (None, None),
    ],
)
def test_bookmark_of_a_number_is_a_number(value: object, expected: float | None) -> None:
    assert normalise_number(value) == expected


@pytest.mark.parametrize(
    "field",
    [
        {"type": "string"},
        {"type": ["integer", "string"]},
        {"type": ["integer", "string"], "format": "date-time"},
        {"enum": ["a", "b"]},
        {},
    ],
)
def test_replication_key_without_an_order_is_refused(
    tap: Runner, sandbox: Sandbox, field: dict[str, Any]
) -> None:
    run = tap(chat_config(sandbox, replication_key="seq", fields={"seq": field}))
    assert run.code == 1
    assert "names a field that is neither a number nor a date-time" in run.errors[0]
    assert sandbox.requests == 0


@pytest.mark.parametrize("beyond", ["1e400", "-1e400"])
def test_infinite_number_is_not_a_bookmark(tap: Runner, sandbox: Sandbox, beyond: str) -> None:
    settings: dict[str, Any] = {"fields": {"seq": {"type": "number"}}, "replication_key": "seq"}
    sandbox.options.faults = [Fault(kind="replace", field="seq", literal=beyond)]
    sandbox.options.faults += [Fault(kind="replace", field="seq", literal="7", after=1)]
    run = tap(chat_config(sandbox, **settings))
    assert run.code == 0, run.err
    assert run.bookmark(STREAM) == 7


@pytest.mark.parametrize(
    ("field", "stored"),
    [
        ({"type": "integer"}, "2025-01-01T00:00:00.000000Z"),
        ({"type": "integer"}, "5"),
        ({"type": "integer"}, {"a": 1}),
        ({"type": "string", "format": "date-time"}, 20991231),
        ({"type": "string", "format": "date-time"}, "9999-12-31T23:59:59-05:00"),
    ],
)
@pytest.mark.parametrize("filters", [{}, {"filter_param": "since"}])
def test_bookmark_of_another_type_is_reported_and_not_used(
    tap: Runner, field: dict[str, Any], stored: Any, filters: dict[str, str]
) -> None:
    value = 6 if field["type"] == "integer" else "2026-01-01T00:00:00Z"
    state = {"replication_key": "seq", "replication_key_value": stored}
    with Server(paged(rows(5, seq=value))) as api:
        config = chat_config(api, fields={"seq": field}, replication_key="seq", **filters)
        run = tap(config, state={"bookmarks": {"chat_messages": state}})
    assert run.code == 0, run.err
    assert len(run.records) == 5
    assert (
        "The state's bookmark of chat_messages does not have the declared type of `seq`" in run.err
    )
    assert run.bookmark(STREAM) == (6 if value == 6 else "2026-01-01T00:00:00.000000Z")


def test_earliest_bookmark_can_be_sent_as_a_filter(tap: Runner, sandbox: Sandbox) -> None:
    state = {"replication_key": "timestamp", "replication_key_value": "0001-01-01T00:00:00Z"}
    run = tap(chat_config(sandbox, **FILTERED), state={"bookmarks": {"chat_messages": state}})
    assert run.code == 0, run.err
    assert run.records == sandbox.world.chat.messages
