"""Many requests at once give the same output as one after the other."""

from __future__ import annotations

import re
import signal
import sys
import threading
import time
import weakref
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count, pairwise
from threading import Event
from typing import TYPE_CHECKING, Any

import pytest
from running import assert_complete, by_stream, ended_after, full_config, is_by_option, missing

from tap_chat.sandbox import Fault, Options, Sandbox, World
from tap_chat.streams.fan_out import FanOut
from tap_chat.streams.read_plans import Fetched, ReadPlan, RequestsAhead
from tap_chat.streams.tasks import Buffer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from running import Run, Runner

LATER = datetime(2026, 3, 15, tzinfo=UTC)
MESSAGES = "freshchat_conversations_messages"
#: Requests that differ, since what comes first teaches whether a short page is the last.
BY_CHANCE = 10

EXTRACTED = re.compile(rb',?"time_extracted":"[^"]*"')


def timeless(run: Run) -> bytes:
    """Return the output without the times at which records were read."""
    return EXTRACTED.sub(b"", run.out)


def config(sandbox: Sandbox, workers: int, **freshchat: Any) -> dict[str, Any]:
    # Without reports, which a thread of its own requests.
    section = {"extra_streams": [], "reports_start_date": "2999-01-01"} | freshchat
    return full_config(sandbox, "freshchat", freshchat=section) | {"max_workers": workers}


@pytest.mark.parametrize("mode", ["all", "updated"])
def test_output_does_not_depend_on_the_number_of_workers(tap: Runner, mode: str) -> None:
    world = World(users=80, conversations=200, deleted=0.1)
    with Sandbox(world, Options(latency=0.002)) as sandbox:
        requests = [0]

        def run(workers: int, **files: Any) -> Run:
            made = tap(config(sandbox, workers, mode=mode), **files)
            requests.append(sandbox.requests)
            return made

        firsts = [run(workers) for workers in (1, 4, 16, 64)]
        sandbox.world = replace(sandbox.world, now=LATER)
        seconds = [run(workers, state=firsts[0].state) for workers in (1, 64)]
    for runs in (firsts, seconds):
        assert {run.code for run in runs} == {0}
        assert len({timeless(run) for run in runs}) == 1
        assert runs[0].records
    sent = [after - before for before, after in pairwise(requests)]
    # Prefetching sends no request that is not needed.
    assert max(sent[:4]) - min(sent[:4]) <= BY_CHANCE
    assert max(sent[4:]) - min(sent[4:]) <= BY_CHANCE


def test_output_of_all_platforms_does_not_depend_on_the_number_of_workers(tap: Runner) -> None:
    world = World(messages=500, users=10, conversations=20, dixa_conversations=50, chats=100)
    with Sandbox(world) as sandbox:
        runs = [tap(full_config(sandbox) | {"max_workers": workers}) for workers in (1, 16)]
    assert {run.code for run in runs} == {0}
    assert len({timeless(run) for run in runs}) == 1


def test_error_is_raised_where_its_page_would_come(tap: Runner) -> None:
    """If a conversation can't be read, everything before it is written and nothing after it."""
    with Sandbox(World(users=60, conversations=150)) as sandbox:
        whole = tap(config(sandbox, 1))
        talk = sandbox.world.truth["freshchat_conversations"][70]["conversation_id"]
        runs = []
        for workers in (1, 16, 64):
            sandbox.options.faults = [Fault(kind="status", status=400, path=talk, times=None)]
            runs.append(tap(config(sandbox, workers)))
    assert {run.code for run in runs} == {1}
    assert len({timeless(run) for run in runs}) == 1
    assert all(len(run.errors) == 1 and talk in run.errors[0] for run in runs)
    written = [line for line in timeless(runs[0]).splitlines() if b'"RECORD"' in line]
    expected = [line for line in timeless(whole).splitlines() if b'"RECORD"' in line]
    assert 0 < len(written) < len(expected)
    assert written == expected[: len(written)]


@pytest.mark.parametrize("workers", [4, 32])
def test_users_with_one_conversation_keep_all_workers_busy(tap: Runner, workers: int) -> None:
    with Sandbox(World(users=100, conversations=100), Options(latency=0.05)) as sandbox:
        run = tap(config(sandbox, workers))
        assert_complete(run, sandbox, MESSAGES)
        assert sandbox.app.most_at_once == workers


def test_one_worker_sends_one_request_after_the_other(tap: Runner, sandbox: Sandbox) -> None:
    run = tap(config(sandbox, 1))
    assert_complete(run, sandbox, MESSAGES)
    assert sandbox.app.most_at_once == 1


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_terminated_fan_out_ends_at_once_and_the_next_run_misses_nothing(
    tap: Runner, signum: int
) -> None:
    """The requests that are being sent would take a minute."""
    with Sandbox(World(users=60, conversations=150), Options(latency=0.01)) as sandbox:
        begun = 0.0

        def hang() -> None:
            nonlocal begun
            sandbox.options.latency = 60
            begun = time.monotonic()

        ended = ended_after(tap.command(config(sandbox, 16)), 1000, signum, hang)
        assert time.monotonic() - begun < 10
        assert ended.code == 128 + signum, ended.err
        assert ended.out.endswith(b"\n")
        assert "Traceback" not in ended.err
        sandbox.options.latency = 0
        rerun = tap(config(sandbox, 16), state=ended.state)
        assert rerun.code == 0, rerun.err
        for stream, truth in sandbox.world.accounts["freshchat"].truth.items():
            if not is_by_option(stream):
                found = ended.rows(stream) + rerun.rows(stream)
                assert missing(truth, found) == [], stream


def test_stream_map_with_a_filter_costs_no_requests(tap: Runner, sandbox: Sandbox) -> None:
    """The children of filtered records are not requested, with one worker or many."""
    maps = {"freshchat_users_conversations": {"__filter__": "id.endswith('0')"}}
    runs, requests = [], []
    for workers in (1, 16):
        before = sandbox.requests
        runs.append(tap(config(sandbox, workers) | {"stream_maps": maps}))
        requests.append(sandbox.requests - before)
    assert timeless(runs[0]) == timeless(runs[1])
    assert by_stream(runs[0])[MESSAGES]
    assert abs(requests[0] - requests[1]) <= BY_CHANCE


# The tree of plans on its own, with numbers instead of responses.


def numbers(*values: int, size: int = 0) -> ReadPlan[int]:
    return ReadPlan(values, lambda _: (Fetched(value, size) for value in values))


def test_buffer_is_bounded_by_bytes() -> None:
    """The buffer stays within its limit, and the reader still gets what it waits for."""
    size, largest = 10, 200
    fetched = []

    def steps(parent: int) -> Iterator[Fetched[int]]:
        for value in range(5):
            fetched.append((parent, value))
            yield Fetched(value, size)

    def child(parent: int) -> ReadPlan[int]:
        return ReadPlan(parent, lambda _: steps(parent))

    fan_out = FanOut(8, largest)
    root = ReadPlan(
        "root", lambda _: (Fetched(n) for n in range(50)), lambda parent: [child(parent)]
    )
    read, most = 0, 0
    for parent in fan_out.read(root):
        for value in fan_out.read(child(parent)):
            assert value == read % 5
            read += 1
            most = max(most, len(fetched) - read)
    assert read == 250
    # Those that are under way when the first sizes become known come on top.
    assert 0 < most <= largest / size + 8


class Value:
    """A value that can be watched."""


def test_values_take_no_memory_after_the_reader_has_them() -> None:
    """A value that neither waits nor is worked on is gone, though its plan has led to others."""
    size, largest, workers = 10, 200, 4
    alive = weakref.WeakSet[Value]()

    def plan(number: int) -> ReadPlan[Value]:
        def steps(_: RequestsAhead) -> Iterator[Fetched[Value]]:
            value = Value()
            alive.add(value)
            yield Fetched(value, size, last=True)

        return ReadPlan(number, steps, lambda _: ())

    fan_out = FanOut(workers, largest)
    numbers_read = ReadPlan("root", lambda _: map(Fetched, range(500)), lambda n: [plan(n)])
    most = 0
    for number in fan_out.read(numbers_read):
        if number % 7:  # the others are dropped
            for _ in fan_out.read(plan(number)):
                most = max(most, len(alive))
    assert most <= largest / size + workers + 3


def test_large_results_after_many_small_ones_stay_within_the_buffer() -> None:
    buffer = Buffer(200)
    for _ in range(1000):
        buffer.add(0)
    for _ in range(8):
        buffer.add(20)
        buffer.remove(20)
    # By the mean of all results, a thousand would fit in.
    assert 10 <= buffer.room < 20


def test_unexpected_plan_is_read() -> None:
    fan_out = FanOut(4)
    root = ReadPlan("root", lambda _: (Fetched(n) for n in range(3)), lambda n: [numbers(n, 7)])
    found: list[int] = []
    for n in fan_out.read(root):
        if n != 1:  # foreseen, and not asked for
            found += fan_out.read(numbers(n, 7))
        found += fan_out.read(numbers(n, 8))
        found += fan_out.read(numbers(n, 9))
    assert found == [0, 7, 0, 8, 0, 9, 1, 8, 1, 9, 2, 7, 2, 8, 2, 9]


def test_closed_reader_leaves_no_threads() -> None:
    fan_out = FanOut(4)
    others = threading.enumerate()
    for _ in range(3):
        for value in fan_out.read(ReadPlan("many", lambda _: (Fetched(n, 1) for n in range(1000)))):
            if value == 10:
                break
    workers = [thread for thread in threading.enumerate() if thread not in others]
    for thread in workers:
        thread.join(10)
    assert not any(thread.is_alive() for thread in workers)


def listed(
    name: str, fetched: list[tuple[str, int]], size: int = 0, told: dict[int, Event] | None = None
) -> ReadPlan[int]:
    """Return a plan of a hundred steps that records what was fetched."""

    def steps(_: RequestsAhead) -> Iterator[Fetched[int]]:
        for value in range(100):
            fetched.append((name, value))
            if told and value in told:
                told[value].set()
            yield Fetched(value, size, value == 99)

    return ReadPlan(name, steps)


def test_expected_plan_is_fetched_while_another_is_read() -> None:
    fetched: list[tuple[str, int]] = []
    last = Event()
    expected = [listed("a", fetched), listed("b", fetched, told={99: last})]
    fan_out = FanOut(4, first_plans=lambda: expected)
    for _ in fan_out.read(listed("a", fetched)):
        assert last.wait(10)
    assert list(fan_out.read(listed("b", fetched))) == [*range(100)]
    assert sorted(fetched) == [(name, value) for name in "ab" for value in range(100)]


def test_prefetched_streams_fill_at_most_half_of_the_buffer() -> None:
    fetched: list[tuple[str, int]] = []
    fortieth = Event()
    expected = [listed("a", fetched, 1, {40: fortieth})]
    expected += [listed(name, fetched, 1) for name in "bcd"]
    fan_out = FanOut(4, 100, lambda: expected)
    with closing(fan_out.read(listed("a", fetched, 1))) as reader:
        next(reader)
        assert fortieth.wait(10)
        assert len([name for name, _ in fetched if name != "a"]) <= 50 + 4
    assert list(fan_out.read(listed("b", fetched, 1))) == [*range(100)]


def test_later_list_is_fetched_while_a_tree_keeps_all_workers_busy() -> None:
    fetched: list[tuple[str, int]] = []
    begun, tenth = Event(), Event()

    def child(number: int) -> ReadPlan[int]:
        def steps(_: RequestsAhead) -> Iterator[Fetched[int]]:
            fetched.append(("child", number))
            begun.set()
            # One worker is held here; the other has both to choose from.
            assert number != 100 or tenth.wait(10)
            yield Fetched(number, last=True)

        return ReadPlan(number, steps)

    def later(ahead: RequestsAhead) -> Iterator[Fetched[int]]:
        assert begun.wait(10)
        yield from listed("later", fetched, told={10: tenth}).start(ahead)

    tree = ReadPlan(
        "tree", lambda _: iter([Fetched(0, last=True)]), lambda _: map(child, range(200))
    )
    fan_out = FanOut(2, first_plans=lambda: [tree, ReadPlan("later", later)])
    for _ in fan_out.read(tree):
        for number in range(200):
            assert list(fan_out.read(child(number))) == [number]
    assert fetched.index(("later", 10)) < fetched.index(("child", 199))
    assert list(fan_out.read(ReadPlan("later", later))) == [*range(100)]


def test_wrong_prediction_costs_only_requests() -> None:
    fetched: list[tuple[str, int]] = []
    others = threading.enumerate()

    def at_rest() -> int:
        for thread in threading.enumerate():
            if thread not in others:
                thread.join(10)
                assert not thread.is_alive()
        return len(fetched)

    expected = [listed("a", fetched, 1), numbers(1, 2), listed("b", fetched, 1)]
    fan_out = FanOut(4, 50, lambda: expected)
    assert list(fan_out.read(numbers(3, 4))) == [3, 4]
    assert list(fan_out.read(numbers(1, 2))) == [1, 2]
    at_rest()
    # What was passed by is not fetched any more, and does not take up the backlog.
    assert list(fan_out.read(listed("b", fetched, 1))) == [*range(100)]
    before = at_rest()
    assert list(fan_out.read(numbers(5, 6))) == [5, 6]
    assert at_rest() == before


@pytest.mark.parametrize("started", [(), (0,), (0, 2), (3, 4, 5)])
def test_thread_that_cannot_be_started_costs_only_time(
    monkeypatch: pytest.MonkeyPatch, started: tuple[int, ...]
) -> None:
    attempts = count()

    def start(thread: threading.Thread, start: Any = threading.Thread.start) -> None:
        if next(attempts) not in started:
            raise RuntimeError("can't start new thread")
        start(thread)

    def child(parent: int) -> ReadPlan[int]:
        return ReadPlan(parent, lambda _: (Fetched(value, 1) for value in range(5)))

    monkeypatch.setattr(threading.Thread, "start", start)
    fan_out = FanOut(8, 20)
    root = ReadPlan(
        "root", lambda _: (Fetched(n) for n in range(20)), lambda parent: [child(parent)]
    )
    found = [list(fan_out.read(child(parent))) for parent in fan_out.read(root)]
    assert found == [[*range(5)]] * 20
    assert next(attempts) > 1


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the size of the process")
@pytest.mark.parametrize("threads", [0, 1, 3])
def test_run_uses_as_many_threads_as_it_can_start(tap: Runner, threads: int) -> None:
    """The system refuses further threads: there is no room for their stacks."""
    program = f"""
import resource, threading
from pathlib import Path
from tap_chat.__main__ import main

gibibyte = 1024**3
threading.stack_size(gibibyte)
size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
most = size + {threads} * gibibyte + gibibyte // 2
resource.setrlimit(resource.RLIMIT_AS, (most, most))
main()
"""
    with Sandbox(World(users=20, conversations=50), Options(latency=0.001)) as sandbox:
        _, *arguments = tap.command(config(sandbox, 16))
        run = tap.run([sys.executable, "-c", program, *arguments])
        assert_complete(run, sandbox, MESSAGES)
        # One of the threads looks after signals.
        assert sandbox.app.most_at_once == max(1, threads - 1)
    assert run.err.count("No more threads can be started: ") == 1
    assert f"started: {max(0, threads - 1)} of 16 workers fetch." in run.err


def test_one_worker_prefetches_nothing() -> None:
    fetched: list[tuple[str, int]] = []
    fan_out = FanOut(1, first_plans=lambda: [listed("a", fetched)])
    reader = fan_out.read(listed("a", fetched))
    assert next(reader) == 0
    assert fetched == [("a", 0)]
