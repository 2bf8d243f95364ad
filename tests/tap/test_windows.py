"""Windows of Dixa and LiveChat that are fetched ahead give the output of one after the other."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from running import SelectingRunner, assert_complete, ended_after, full_config, missing
from serving import Server
from starlette.responses import Response, StreamingResponse

from tap_chat.platforms.dixa.export_stream import PATIENCE
from tap_chat.sandbox import Fault, Options, Sandbox, World
from tap_chat.streams.windows import TimeWindow, TimeWindows, consecutive_windows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from running import Run, Runner
    from starlette.requests import Request

DIXA, CHATS = "dixa_conversation_export", "livechat_chats"
STREAMS = {"dixa": [DIXA], "livechat": [CHATS, "livechat_messages", "livechat_events"]}
WORKERS = (1, 4, 16, 64)
LATER, LAST = datetime(2026, 3, 15, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
WORLD = World(livechat_version="2", dixa_conversations=400, chats=400)

EXTRACTED = re.compile(rb',?"time_extracted":"[^"]*"')
LOGGED = re.compile(r"^\S+ \S+ \| +(WARNING|ERROR) .*", re.MULTILINE)


@pytest.fixture
def tap(tap: Runner, request: pytest.FixtureRequest) -> Runner:
    """The tap, which reads the conversations of Dixa alone."""
    spec = getattr(request.node, "callspec", None)
    params = spec.params if spec else {}
    of_livechat = "options" in params or params.get("section") == "livechat"
    return tap if of_livechat else SelectingRunner(tap.folder, (DIXA,))


def timeless(run: Run) -> tuple[int, bytes, list[str]]:
    """Return the exit code, the output and the warnings of a run, without times."""
    warnings = [match[0].partition("| ")[2] for match in LOGGED.finditer(run.err)]
    return run.code, EXTRACTED.sub(b"", run.out), warnings


def assert_alike(runs: list[Run]) -> None:
    """Check that some runs ended in the same way, and wrote the same."""
    first, *others = map(timeless, runs)
    assert all(other == first for other in others)


def config(sandbox: Sandbox, section: str, workers: int, **settings: Any) -> dict[str, Any]:
    whole = full_config(sandbox, section, **{section: settings})
    # A window does not include its end.
    end = (sandbox.world.now + timedelta(seconds=1)).isoformat()
    return whole | {"max_workers": workers, "end_date": end}


@pytest.mark.parametrize("section", STREAMS)
def test_output_does_not_depend_on_the_number_of_workers(tap: Runner, section: str) -> None:
    with Sandbox(WORLD, Options(latency=0.002)) as sandbox:
        requests = [0]

        def run(workers: int, **files: Any) -> Run:
            made = tap(config(sandbox, section, workers), **files)
            requests.append(sandbox.requests)
            return made

        rounds: list[list[Run]] = [[run(workers) for workers in WORKERS]]
        assert_complete(rounds[0][0], sandbox, *STREAMS[section])
        for now in (LATER, LAST):
            sandbox.world = replace(sandbox.world, now=now)
            state = rounds[-1][0].state
            rounds.append([run(workers, state=state) for workers in WORKERS])
        for stream in STREAMS[section]:
            found = [row for runs in rounds for row in runs[0].rows(stream)]
            assert missing(sandbox.world.truth[stream], found) == []
    for runs in rounds:
        assert runs[0].code == 0
        assert runs[0].records
        assert_alike(runs)
    # No request is sent that is not needed.
    sent = [after - before for before, after in pairwise(requests)]
    assert [len({*sent[first : first + 4]}) for first in (0, 4, 8)] == [1, 1, 1]


@pytest.mark.parametrize("section", STREAMS)
def test_many_windows_are_fetched_at_once(tap: Runner, section: str) -> None:
    with Sandbox(WORLD, Options(latency=0.1)) as sandbox:
        assert_complete(tap(config(sandbox, section, 8)), sandbox, *STREAMS[section])
        assert sandbox.app.most_at_once == 8


# The twelfth window of a run, as its requests name it.
TWELFTH = datetime(2025, 12, 8, tzinfo=UTC)
QUERIES = {
    "dixa": {"updated_after": str(int(TWELFTH.timestamp() * 1000) - 12)},
    "livechat": {"date_from": "2025-12-05"},
}


@pytest.mark.parametrize("page", ["1", "2"])
@pytest.mark.parametrize("section", STREAMS)
def test_window_that_fails_leaves_the_bookmark_before_it(
    tap: Runner, section: str, page: str
) -> None:
    """What comes before the error is written, and nothing that comes after it."""
    query = QUERIES[section] | ({"page": page} if section == "livechat" else {})
    with Sandbox(WORLD) as sandbox:
        whole = tap(config(sandbox, section, 1))
        runs = []
        for workers in WORKERS:
            fault = Fault(kind="status", status=403, query=query, times=None)
            sandbox.options.faults = [fault]
            runs.append(tap(config(sandbox, section, workers)))
        sandbox.options.faults = []
        assert runs[0].code == 1
        assert_alike(runs)
        [stream, *_] = STREAMS[section]
        unit = 1000 if section == "dixa" else 1
        reached = TWELFTH.timestamp() - runs[0].bookmark(stream) / unit
        assert 0 < reached < 4 * 86400
        written, expected = (run.of_type("RECORD") for run in (runs[0], whole))
        assert 0 < len(written) < len(expected)
        resumed = tap(config(sandbox, section, 16), state=runs[0].state)
        assert resumed.code == 0, resumed.err
        for name in STREAMS[section]:
            found = runs[0].rows(name) + resumed.rows(name)
            assert missing(sandbox.world.truth[name], found) == []


@pytest.mark.parametrize("kind", ["reset", "cut", "truncate", "status", "gzip_cut"])
@pytest.mark.parametrize("section", STREAMS)
def test_passing_fault_in_a_window_loses_nothing(tap: Runner, section: str, kind: Any) -> None:
    outputs = set()
    with Sandbox(WORLD) as sandbox:
        for workers in WORKERS:
            sandbox.options.faults = [Fault(kind=kind, status=503, query=QUERIES[section], times=2)]
            run = tap(config(sandbox, section, workers))
            assert run.code == 0, run.err
            outputs.add(EXTRACTED.sub(b"", run.out))
        assert len(outputs) == 1
        assert_complete(run, sandbox, *STREAMS[section])


@pytest.mark.parametrize("limit", [3, 20])
@pytest.mark.parametrize("section", STREAMS)
def test_refused_windows_come_in_the_same_order(tap: Runner, section: str, limit: int) -> None:
    options = Options(rate_limit=limit, rate_window=0.1)
    with Sandbox(WORLD, options) as sandbox:
        one, many = (tap(config(sandbox, section, workers)) for workers in (1, 16))
        assert many.code == 0, many.err
        assert_complete(one, sandbox, *STREAMS[section])
    assert EXTRACTED.sub(b"", one.out) == EXTRACTED.sub(b"", many.out)


@pytest.mark.parametrize(
    "options",
    [
        {"livechat_cap": 50},
        {"livechat_cap": 50, "livechat_count": "all"},
        {"livechat_cap": 50, "livechat_count": "all", "livechat_beyond": "empty"},
        {"livechat_twice": 7},
        {"livechat_excess": 3},
    ],
)
def test_counts_of_livechat_are_judged_as_one_after_the_other(
    tap: Runner, options: dict[str, Any]
) -> None:
    rows = 50 if options == {"livechat_cap": 50} else 25_000
    with Sandbox(WORLD, Options(**options, latency=0.002)) as sandbox:
        runs = [
            tap(config(sandbox, "livechat", workers, max_rows=rows, batch_size=60))
            for workers in WORKERS
        ]
        assert_complete(runs[0], sandbox, *STREAMS["livechat"])
    assert_alike(runs)


@pytest.mark.parametrize("section", STREAMS)
@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_next_run_completes_one_that_was_ended(tap: Runner, section: str, signum: int) -> None:
    with Sandbox(WORLD, Options(latency=0.01)) as sandbox:
        command = tap.command(config(sandbox, section, 16))
        ended = ended_after(command, 300, signum)
        ended = replace(ended, out=ended.out[: ended.out.rfind(b"\n") + 1])
        second = tap(config(sandbox, section, 16), state=ended.state)
        sandbox.world = replace(sandbox.world, now=LATER)
        third = tap(config(sandbox, section, 64), state=second.state)
        assert (second.code, third.code) == (0, 0)
        for stream in STREAMS[section]:
            found = ended.rows(stream) + second.rows(stream) + third.rows(stream)
            assert missing(sandbox.world.truth[stream], found) == []


def dated(moment: datetime, body: bytes = b"[]") -> Response:
    date = format_datetime(moment, usegmt=True)
    return Response(body, media_type="application/json", headers={"Date": date})


@pytest.mark.parametrize("workers", [1, 16])
@pytest.mark.parametrize("old", range(4))
def test_bookmark_ends_at_the_date_of_its_own_window(tap: Runner, workers: int, old: int) -> None:
    """The response of one window is an hour old. Only its own bookmark is held back."""
    end = datetime(2025, 4, 1, tzinfo=UTC)
    fresh, stale = end + timedelta(days=1), end - timedelta(hours=1)

    def respond(request: Request) -> Response:
        return dated(stale if window_number(request) == old else fresh)

    section = {"api_token": "t", "lag_minutes": 0, "requests_per_minute": 100_000}
    with Server(respond, date_header=False) as api:
        run = tap(
            {
                "start_date": "2025-01-01",
                "end_date": end.isoformat(),
                "max_workers": workers,
                "dixa": section | {"api_url": api.url},
            }
        )
        assert len(api.requests) == 3
    assert run.code == 0, run.err
    reached = stale if old == 2 else end
    assert run.bookmark(DIXA) == reached.timestamp() * 1000


def window_number(request: Request) -> int:
    begun = datetime(2025, 1, 1, tzinfo=UTC).timestamp()
    return round((int(request.query_params["updated_after"]) / 1000 - begun) / (31 * 86400))


def export(request: Request, count: int) -> bytes:
    """Return the conversations of a window, of 1 KiB each."""
    start, first = int(request.query_params["updated_after"]), window_number(request) * count
    row = b'{"id":%d,"updated_at":%d,"subject":"%s"}'
    rows = [row % (first + n, start + 10 + n, b"x" * 1000) for n in range(count)]
    return b"[%b]" % b",".join(rows)


def dixa_config(api: Server, workers: int) -> dict[str, Any]:
    section = {"api_url": api.url, "api_token": "t", "requests_per_minute": 100_000}
    dates = {"start_date": "2025-01-01", "end_date": "2026-01-01"}
    return dates | {"max_workers": workers, "dixa": section}


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the peak")
def test_large_windows_wait_at_the_server(tap: Runner) -> None:
    """Twelve windows of 6 MB are requested at once; the memory is that of one after the other."""
    program = """
from pathlib import Path
from tap_chat.__main__ import main

try:
    main()
finally:
    _, _, peak = Path("/proc/self/status").read_text().partition("VmHWM:")
    print(int(peak.split()[0]) // 1024)
"""

    async def held(body: bytes) -> AsyncIterator[bytes]:
        await all_are_here.wait()
        yield body

    def respond(request: Request) -> Any:
        if workers == 1 or len(api.requests) == 12:
            all_are_here.set()
        return StreamingResponse(held(export(request, 6000)))

    peaks = []
    for workers in (1, 16):
        all_are_here = asyncio.Event()
        with Server(respond) as api:
            _, *arguments = tap.command(dixa_config(api, workers))
            run = tap.run([sys.executable, "-c", program, *arguments])
        lines = run.out.splitlines()
        peaks.append(int(lines.pop()))
        assert sum(line.startswith(b'{"type":"RECORD"') for line in lines) == 12 * 6000
    assert peaks[1] < peaks[0] + 24


def test_window_that_broke_off_while_it_waited_is_requested_again(tap: Runner) -> None:
    """The server ends a response that nobody reads. Nothing comes twice, and nothing is halved."""
    requests: list[float] = []

    async def broken(body: bytes) -> AsyncIterator[bytes]:
        yield body[: len(body) // 2]
        raise ConnectionResetError

    async def slow(body: bytes) -> AsyncIterator[bytes]:
        yield body[:-1]
        await asyncio.sleep(PATIENCE + 1)
        yield body[-1:]

    def respond(request: Request) -> Any:
        body = export(request, 1500)
        number = window_number(request)
        requests.append(number)
        if number == 0:
            return StreamingResponse(slow(body))
        return StreamingResponse(broken(body)) if requests.count(number) == 1 else body

    with Server(respond) as api:
        run = tap(dixa_config(api, 4) | {"end_date": "2025-03-01"})
    assert run.code == 0, run.err
    assert sorted(requests) == [0, 1, 1]
    assert "halved" not in run.err
    assert len({row["id"] for row in run.records}) == len(run.records) == 3000


def test_windows_are_consecutive_and_their_halves_come_instead_of_them() -> None:
    windows = TimeWindows(consecutive_windows(0, 10, 4))
    found = []
    for window in windows:
        if window == TimeWindow(4, 8):
            windows.halve(window)
        else:
            found.append(window)
    assert found == [TimeWindow(0, 4), TimeWindow(4, 6), TimeWindow(6, 8), TimeWindow(8, 10)]
    assert not list(consecutive_windows(3, 3, 4))
