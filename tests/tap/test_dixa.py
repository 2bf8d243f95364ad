"""Dixa: windows of the time of change that lose nothing, and can be stopped anywhere."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace as replace_fault
from running import assert_complete, by_stream, full_config

from tap_chat.sandbox import API_KEY, Fault, Options, Sandbox, World

if TYPE_CHECKING:
    from running import Run, Runner

STREAM = "dixa_conversation_export"
LATER = datetime(2026, 3, 15, tzinfo=UTC)


def bookmark(run: Run) -> int:
    value: int = run.state["bookmarks"][STREAM]["replication_key_value"]
    return value


def milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


@pytest.mark.parametrize("seed", [1, 7, 2025])
def test_every_conversation_arrives_once(tap: Runner, seed: int) -> None:
    with Sandbox(World(seed=seed, dixa_conversations=700)) as sandbox:
        run = tap(full_config(sandbox, "dixa"))
        assert_complete(run, sandbox, STREAM)
        assert bookmark(run) == milliseconds(sandbox.world.now)


@pytest.mark.parametrize("bounds", ["[)", "[]", "(]", "()"])
@pytest.mark.parametrize("days", [1, 31])
def test_no_millisecond_is_skipped_whatever_the_bounds(tap: Runner, bounds: Any, days: int) -> None:
    with Sandbox(options=Options(dixa_bounds=bounds)) as sandbox:
        # Windows that end where rows are: the sandbox has some on and beside midnight.
        run = tap(full_config(sandbox, "dixa", dixa={"batch_size": days}))
        assert_complete(run, sandbox, STREAM)


def test_window_that_breaks_off_is_halved(tap: Runner) -> None:
    with Sandbox(World(dixa_conversations=300), Options(dixa_max_rows=30)) as sandbox:
        run = tap(full_config(sandbox, "dixa"))
        assert_complete(run, sandbox, STREAM)
        assert "Its window is halved." in run.err


def test_window_that_is_too_large_is_halved(tap: Runner) -> None:
    with Sandbox(World(dixa_conversations=4000)) as sandbox:
        run = tap(full_config(sandbox, "dixa", dixa={"max_answer_mb": 1}))
        assert_complete(run, sandbox, STREAM)
        assert "answered with more than 1048576 bytes. Its window is halved." in run.err


def test_window_that_can_not_be_halved_any_more_fails_the_run(tap: Runner) -> None:
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
    assert bookmark(second) == milliseconds(LATER)


def test_lookback_reads_a_stretch_again(tap: Runner, sandbox: Sandbox) -> None:
    first = tap(full_config(sandbox, "dixa"))
    again = tap(full_config(sandbox, "dixa", dixa={"lookback_days": 40}), state=first.state)
    start = milliseconds(sandbox.world.now - timedelta(days=40))
    expected = [row for row in sandbox.world.truth[STREAM] if row["updated_at"] >= start]
    assert 0 < len(expected) < len(sandbox.world.truth[STREAM])
    assert len(by_stream(again)[STREAM]) == len(expected)
    assert bookmark(again) == bookmark(first)


def test_end_in_the_past_does_not_move_the_bookmark_back(tap: Runner, sandbox: Sandbox) -> None:
    first = tap(full_config(sandbox, "dixa"))
    config = full_config(sandbox, "dixa") | {"end_date": "2025-03-01"}
    assert bookmark(tap(config, state=first.state)) == bookmark(first)


def test_end_in_the_future_does_not_move_the_bookmark_there(tap: Runner, sandbox: Sandbox) -> None:
    config = full_config(sandbox, "dixa") | {"end_date": "2999-01-01"}
    run = tap(config)
    assert_complete(run, sandbox, STREAM)
    assert bookmark(run) <= milliseconds(datetime.now(UTC))


def test_failed_run_goes_on_after_its_last_whole_window(tap: Runner, sandbox: Sandbox) -> None:
    sandbox.options.faults = [Fault(kind="status", status=400, after=6)]
    failed = tap(full_config(sandbox, "dixa"))
    assert failed.code == 1
    start = datetime(2025, 1, 1, tzinfo=UTC)
    assert bookmark(failed) == milliseconds(start + 6 * timedelta(days=31)) - 6
    assert STREAM not in by_stream(failed)
    requests = sandbox.requests
    resumed = tap(full_config(sandbox, "dixa"), state=failed.state)
    assert resumed.code == 0
    assert sandbox.requests - requests < 14 - 5
    ids = {row["id"] for run in (failed, resumed) for row in by_stream(run).get(STREAM, [])}
    assert ids == {row["id"] for row in sandbox.world.truth[STREAM]}


def test_run_ends_a_lag_before_now(tap: Runner, sandbox: Sandbox) -> None:
    run = tap(full_config(sandbox, "dixa", dixa={"lag_minutes": 60}))
    assert bookmark(run) == milliseconds(sandbox.world.now - timedelta(hours=1))


def test_start_date_is_utc(tap: Runner, sandbox: Sandbox) -> None:
    start = datetime(2025, 12, 31, 22, tzinfo=UTC)
    config = full_config(sandbox, "dixa") | {"start_date": "2026-01-01T00:00:00+02:00"}
    expected = {
        row["id"]
        for row in sandbox.world.truth[STREAM]
        if row["updated_at"] >= milliseconds(start) - 1
    }
    assert {row["id"] for row in by_stream(tap(config))[STREAM]} == expected


def test_dixas_allowance_is_kept_by_default(tap: Runner) -> None:
    about = tap.run([tap.command({})[0], "--about", "--format=json"])
    assert '"default": 10.0' in about.out.decode()


def test_allowance_is_kept(tap: Runner) -> None:
    with Sandbox(options=Options(dixa_rate_limit=600)) as sandbox:
        run = tap(full_config(sandbox, "dixa", dixa={"requests_per_minute": 1200}))
        assert_complete(run, sandbox, STREAM)
        assert sandbox.gate.refused == 0


def test_retries_wait_equally_long(tap: Runner, sandbox: Sandbox) -> None:
    sandbox.options.faults = [Fault(kind="status", status=429, times=3)]
    run = tap(full_config(sandbox, "dixa", dixa={"backoff_factor": 0.1}))
    assert_complete(run, sandbox, STREAM)
    waits = [line.rpartition(" in ")[2] for line in run.err.splitlines() if "429" in line]
    assert waits == ["0.1 s."] * 3


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(kind="status", status=401), ["401 Unauthorized", "dixa.api_token"]),
        (Fault(kind="status", status=403), ["403 Forbidden", "dixa.api_token"]),
        (Fault(kind="html"), ["a web page instead of JSON", "dixa.api_url"]),
        (Fault(kind="null"), ["without a list of records", "null"]),
        (Fault(kind="drop"), ["has no `id`, which is its key"]),
        (Fault(kind="replace", field="id", literal='"x"'), ["has string as `id`"]),
    ],
    ids=lambda value: f"{value.kind}-{value.status}" if isinstance(value, Fault) else "",
)
def test_bad_input_is_one_sentence(
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


def test_truncated_answer_is_asked_for_again_in_halves(tap: Runner, sandbox: Sandbox) -> None:
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
    assert "1 records of dixa_conversation_export have no usable `updated_at`" in run.err
