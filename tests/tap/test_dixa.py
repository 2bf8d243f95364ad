"""Dixa: windows of `updated_at` that lose nothing, and can be interrupted anywhere."""

from __future__ import annotations

import signal
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace as replace_fault
from running import (
    SelectingRunner,
    assert_complete,
    by_stream,
    ended_after,
    full_config,
    in_order,
    merged,
)
from serving import Server

from tap_chat.sandbox import API_KEY, Fault, Options, Sandbox, World

if TYPE_CHECKING:
    from running import Runner
    from starlette.requests import Request

STREAM = "dixa_conversation_export"
LATER = datetime(2026, 3, 15, tzinfo=UTC)


@pytest.fixture
def tap(tap: Runner) -> Runner:
    """The tap, which reads the conversations alone."""
    return SelectingRunner(tap.folder, (STREAM,))


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


@pytest.mark.parametrize("seed", [1, 7, 2025])
def test_every_conversation_arrives_once(tap: Runner, seed: int) -> None:
    with Sandbox(World(seed=seed, dixa_conversations=700)) as sandbox:
        run = tap(full_config(sandbox, "dixa"))
        assert_complete(run, sandbox, STREAM)
        assert run.bookmark(STREAM) == milliseconds(sandbox.world.now)


def test_local_clock_ahead_of_the_server_loses_nothing(tap: Runner) -> None:
    """The clock is three days ahead. Records of these days are read in the next run."""
    with Sandbox(World(dixa_conversations=700)) as sandbox:
        now = sandbox.world.now
        sandbox.options.clock = (now - datetime.now(UTC)).total_seconds()
        ahead = {"end_date": (now + timedelta(days=3)).isoformat()}
        first = tap(full_config(sandbox, "dixa", dixa={"lag_minutes": 5}) | ahead)
        assert first.code == 0, first.err
        passed = milliseconds(now) - first.bookmark(STREAM)
        assert 4 * 60_000 < passed <= 5 * 60_000 + 1000
        sandbox.options.clock = 0
        sandbox.world = replace(sandbox.world, now=LATER)
        # The next run reads changes of the millisecond in which this run ends.
        later = {"end_date": (LATER + timedelta(seconds=1)).isoformat()}
        second = tap(full_config(sandbox, "dixa") | later, state=first.state)
        found = merged([first, second])[STREAM].values()
        assert in_order([*found]) == in_order(sandbox.world.truth[STREAM])


@pytest.mark.parametrize("bounds", ["[)", "[]", "(]", "()"])
@pytest.mark.parametrize("days", [1, 31])
def test_no_millisecond_is_skipped_with_inclusive_or_exclusive_bounds(
    tap: Runner, bounds: Any, days: int
) -> None:
    with Sandbox(options=Options(dixa_bounds=bounds)) as sandbox:
        # Windows end where rows are: the sandbox has some at midnight, and 1 ms around it.
        run = tap(full_config(sandbox, "dixa", dixa={"batch_size": days}))
        assert_complete(run, sandbox, STREAM)


def test_window_with_an_incomplete_response_is_halved(tap: Runner) -> None:
    with Sandbox(World(dixa_conversations=300), Options(dixa_max_rows=30)) as sandbox:
        run = tap(full_config(sandbox, "dixa"))
        assert_complete(run, sandbox, STREAM)
        assert "Its window is halved." in run.err


def test_large_response_is_written_in_parts_and_requested_once(tap: Runner) -> None:
    with Sandbox(World(dixa_conversations=4000)) as sandbox:
        run = tap(full_config(sandbox, "dixa", dixa={"max_response_mb": 1}))
        assert_complete(run, sandbox, STREAM)
        assert sandbox.requests == 13
        assert "halved" not in run.err


def test_large_incomplete_response_is_read_again_in_halves(tap: Runner) -> None:
    with Sandbox(World(dixa_conversations=12_000), Options(dixa_max_rows=2500)) as sandbox:
        run = tap(full_config(sandbox, "dixa", dixa={"max_response_mb": 1}))
        assert run.code == 0, run.err
        assert "Its window is halved." in run.err
        rows, truth = by_stream(run)[STREAM], sandbox.world.truth[STREAM]
        # What had been written when it broke off came twice.
        assert len(truth) < len(rows) < 2 * len(truth)
        found = {row["id"]: row for row in rows}
        assert in_order(list(found.values())) == in_order(truth)
        assert run.bookmark(STREAM) == milliseconds(sandbox.world.now)


@pytest.mark.parametrize("lines", [100, 1500, 2500])
def test_next_run_completes_one_killed_within_a_large_response(tap: Runner, lines: int) -> None:
    with Sandbox(World(dixa_conversations=4000)) as sandbox:
        config = full_config(sandbox, "dixa", dixa={"max_response_mb": 1})
        killed = ended_after(tap.command(config), lines, signal.SIGKILL)
        killed = replace(killed, out=killed.out[: killed.out.rfind(b"\n") + 1])
        resumed = tap(config, state=killed.state)
        rows = [row for run in (killed, resumed) for row in by_stream(run)[STREAM]]
        found = {row["id"]: row for row in rows}
        assert in_order(list(found.values())) == in_order(sandbox.world.truth[STREAM])


def in_window(rows: list[dict[str, Any]], request: Request) -> list[dict[str, Any]]:
    after, before = (int(request.query_params[f"updated_{end}"]) for end in ("after", "before"))
    return [row for row in rows if after <= row["updated_at"] < before]


def test_large_response_that_is_not_an_array_is_read_in_halves(tap: Runner) -> None:
    start = milliseconds(datetime(2025, 1, 1, tzinfo=UTC))
    rows = [
        {"id": number, "updated_at": start + number * 60_000, "subject": "x" * 1000}
        for number in range(2000)
    ]
    with Server(lambda request: {"data": in_window(rows, request)}) as api:
        run = tap(dixa_config(api))
    assert run.code == 0, run.err
    assert in_order(run.records) == in_order(rows)
    assert "returned more than 1048576 bytes" not in run.err
    assert "that can't be read in parts. Its window is halved." in run.err


@pytest.mark.parametrize("large", [False, True])
def test_text_that_is_not_utf_8_is_one_error(tap: Runner, large: bool) -> None:  # noqa: FBT001
    row = b'{"id": 1, "updated_at": 1735700000000, "tags": ["hunter2\xff"]}'
    body = b"[%b]" % b", ".join([row] * (20_000 if large else 1))
    with Server(lambda _: body) as api:
        run = tap(dixa_config(api))
    assert run.code == 1
    [error] = run.errors
    assert error.startswith(f"Stream {STREAM}: GET {api.url}/conversation_export?")
    assert "not complete JSON" in error
    assert "hunter2" not in run.err


def test_large_response_with_an_invalid_record_is_one_error(tap: Runner) -> None:
    rows = [{"id": number, "updated_at": 1735700000000} for number in range(40_000)]
    rows[30_000]["updated_at"] = "hunter2"  # type: ignore[assignment]
    with Server(lambda _: rows) as api:
        run = tap(dixa_config(api))
    assert run.code == 1
    [error] = run.errors
    assert "(number 30000 of the page) that has string as `updated_at`" in error
    assert "hunter2" not in run.err
    assert 25_000 < len(run.records) <= 30_000


def dixa_config(api: Server) -> dict[str, Any]:
    section = {"api_url": api.url, "api_token": "t", "max_response_mb": 1, "max_retries": 0}
    fast = {"requests_per_minute": 1_000_000, "backoff_factor": 0.01}
    return {"start_date": "2025-01-01", "end_date": "2025-01-03", "dixa": section | fast}


@pytest.mark.parametrize("odd", [1735700, -5, 1_600_000_000_000, 4_000_000_000_000])
def test_odd_conversation_does_not_stop_the_run(tap: Runner, odd: int) -> None:
    """Its `updated_at` is in seconds, or outside the window that Dixa returned it for."""
    start = milliseconds(datetime(2025, 1, 1, tzinfo=UTC))
    alone, among = start + 3_600_000, start + 40 * 86_400_000
    fine = [{"id": number, "updated_at": among + number} for number in range(3)]
    odd_ones = {alone: {"id": 98, "updated_at": odd}, among: {"id": 99, "updated_at": odd}}

    def answer(request: Request) -> Any:
        after, before = (int(request.query_params[f"updated_{end}"]) for end in ("after", "before"))
        found = [row for at, row in odd_ones.items() if after <= at < before]
        return found + in_window(fine, request)

    with Server(answer) as api:
        config = dixa_config(api) | {"end_date": "2025-03-01"}
        first = tap(config)
        assert first.code == 0, first.err
        assert {row["id"] for row in first.records} == {0, 1, 2, 98, 99}
        warning = "Conversations of dixa_conversation_export with an `updated_at` outside the"
        assert f"{warning} requested window: 2. They were written." in first.err
        assert first.bookmark(STREAM) == milliseconds(datetime(2025, 3, 1, tzinfo=UTC)) - 5 * 60_000
        later = among + 25 * 86_400_000
        fine.append({"id": 3, "updated_at": later})
        odd_ones[later] = {"id": 97, "updated_at": odd}
        second = tap(config | {"end_date": "2025-03-10"}, state=first.state)
        third = tap(config | {"end_date": "2025-03-20"}, state=second.state)
        assert (second.code, third.code) == (0, 0)
        assert {row["id"] for row in second.records} == {3, 97}


def test_ignored_filter_fails_the_run(tap: Runner) -> None:
    """Records outside the window come in pages of any size."""
    rows = [{"id": number, "updated_at": 1_400_000_000_000} for number in range(3)]
    with Server(lambda _: rows) as api:
        run = tap(dixa_config(api) | {"start_date": "2024-01-01", "max_workers": 1})
        assert len(api.requests) == 4
    assert run.code == 1
    assert "returned records outside the requested window" in run.errors[0]


def test_smallest_window_that_fails_ends_the_run(tap: Runner) -> None:
    with Sandbox(World(dixa_conversations=300), Options(dixa_max_rows=0)) as sandbox:
        run = tap(full_config(sandbox, "dixa", dixa={"max_retries": 1}))
    assert run.code == 1
    assert "dixa_conversation_export" in run.errors[0]
    assert "after 2 tries" in run.errors[0]


def test_second_run_brings_what_changed_and_no_more(tap: Runner, sandbox: Sandbox) -> None:
    first = tap(full_config(sandbox, "dixa"))
    before = {row["id"]: row for row in sandbox.world.truth[STREAM]}
    sandbox.world = replace(sandbox.world, now=LATER)
    second = tap(full_config(sandbox, "dixa"), state=first.state)
    changed = [row for row in sandbox.world.truth[STREAM] if row != before.get(row["id"])]
    assert changed
    found = by_stream(second)[STREAM]
    assert sorted(row["id"] for row in found) == sorted(row["id"] for row in changed)
    assert all(row in changed for row in found)
    assert second.bookmark(STREAM) == milliseconds(LATER)


def test_lookback_reads_the_last_days_again(tap: Runner, sandbox: Sandbox) -> None:
    first = tap(full_config(sandbox, "dixa"))
    again = tap(full_config(sandbox, "dixa", dixa={"lookback_days": 40}), state=first.state)
    start = milliseconds(sandbox.world.now - timedelta(days=40))
    expected = [row for row in sandbox.world.truth[STREAM] if row["updated_at"] >= start]
    assert 0 < len(expected) < len(sandbox.world.truth[STREAM])
    assert len(by_stream(again)[STREAM]) == len(expected)
    assert again.bookmark(STREAM) == first.bookmark(STREAM)


def test_end_in_the_past_does_not_move_the_bookmark_back(tap: Runner, sandbox: Sandbox) -> None:
    first = tap(full_config(sandbox, "dixa"))
    config = full_config(sandbox, "dixa") | {"end_date": "2025-03-01"}
    assert tap(config, state=first.state).bookmark(STREAM) == first.bookmark(STREAM)


def test_end_in_the_future_does_not_move_the_bookmark_there(tap: Runner, sandbox: Sandbox) -> None:
    config = full_config(sandbox, "dixa") | {"end_date": "2999-01-01"}
    run = tap(config)
    assert_complete(run, sandbox, STREAM)
    assert run.bookmark(STREAM) <= milliseconds(datetime.now(UTC))


def test_run_resumes_after_the_last_complete_window(tap: Runner, sandbox: Sandbox) -> None:
    seventh = milliseconds(datetime(2025, 1, 1, tzinfo=UTC) + 6 * timedelta(days=31)) - 6
    query = {"updated_after": str(seventh - 1)}
    sandbox.options.faults = [Fault(kind="status", status=400, query=query)]
    config = full_config(sandbox, "dixa")
    failed = tap(config)
    assert failed.code == 1
    assert failed.bookmark(STREAM) == seventh
    assert STREAM not in by_stream(failed)
    requests = sandbox.requests
    # One worker requests nothing ahead.
    resumed = tap(config | {"max_workers": 1}, state=failed.state)
    assert resumed.code == 0
    assert sandbox.requests - requests < 14 - 5
    ids = {row["id"] for run in (failed, resumed) for row in run.rows(STREAM)}
    assert ids == {row["id"] for row in sandbox.world.truth[STREAM]}


def test_run_ends_before_now_by_the_lag(tap: Runner, sandbox: Sandbox) -> None:
    run = tap(full_config(sandbox, "dixa", dixa={"lag_minutes": 60}))
    assert run.bookmark(STREAM) == milliseconds(sandbox.world.now - timedelta(hours=1))


def test_start_date_is_utc(tap: Runner, sandbox: Sandbox) -> None:
    start = datetime(2025, 12, 31, 22, tzinfo=UTC)
    config = full_config(sandbox, "dixa") | {"start_date": "2026-01-01T00:00:00+02:00"}
    expected = {
        row["id"]
        for row in sandbox.world.truth[STREAM]
        if row["updated_at"] >= milliseconds(start) - 1
    }
    assert {row["id"] for row in by_stream(tap(config))[STREAM]} == expected


def test_dixas_rate_limit_is_kept_by_default(tap: Runner) -> None:
    about = tap.run([tap.command({})[0], "--about", "--format=json"])
    assert '"default": 10.0' in about.out.decode()


def test_rate_limit_of_the_settings_is_kept(tap: Runner) -> None:
    with Sandbox(options=Options(dixa_rate_limit=600)) as sandbox:
        run = tap(full_config(sandbox, "dixa", dixa={"requests_per_minute": 1200}))
        assert_complete(run, sandbox, STREAM)
        assert sandbox.app.refused == 0


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(kind="status", status=401), ["401 Unauthorized", "dixa.api_token"]),
        (Fault(kind="status", status=403), ["403 Forbidden", "dixa.api_token"]),
        (Fault(kind="html"), ["a web page instead of JSON", "dixa.api_url"]),
        (Fault(kind="null"), ["no list of records", "null"]),
        (Fault(kind="drop"), ["has no `id`, which is its key"]),
        (Fault(kind="replace", field="id", literal='"x"'), ["has string as `id`"]),
    ],
    ids=lambda value: f"{value.kind}-{value.status}" if isinstance(value, Fault) else "",
)
def test_bad_input_is_one_error(
    tap: Runner, sandbox: Sandbox, fault: Fault, words: list[str]
) -> None:
    # The first windows are empty.
    sandbox.options.faults = [replace_fault(fault, times=None)]
    run = tap(full_config(sandbox, "dixa"), level="DEBUG")
    assert run.code == 1
    [error] = run.errors
    assert error.startswith(f"Stream {STREAM}: GET {sandbox.url}/v1/conversation_export?")
    for word in words:
        assert word in error
    assert API_KEY not in run.err


def test_truncated_response_is_requested_again_in_halves(tap: Runner, sandbox: Sandbox) -> None:
    sandbox.options.faults = [Fault(kind="truncate", after=3, times=2)]
    run = tap(full_config(sandbox, "dixa"))
    assert_complete(run, sandbox, STREAM)


def test_record_without_the_replication_key_is_written_and_reported(
    tap: Runner, sandbox: Sandbox
) -> None:
    sandbox.options.faults = [Fault(kind="drop", field="updated_at", times=None)]
    run = tap(full_config(sandbox, "dixa") | {"start_date": "2026-01-15"})
    assert run.code == 0
    assert [row.get("updated_at") for row in by_stream(run)[STREAM]].count(None) == 1
    assert "Records of dixa_conversation_export without a usable `updated_at`: 1." in run.err
