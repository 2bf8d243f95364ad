"""A terminal shows the progress of a run; elsewhere the log stays as it is."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

import pytest
from running import catalog_of, chat_config, full_config
from terminal import on_terminal

from tap_chat.display import StreamProgress, duration, stream_lines
from tap_chat.sandbox import Fault, Options, Sandbox, World
from tap_chat.singer.progress import ReadProgress

if TYPE_CHECKING:
    from running import Runner


#: Writes lines while the number of those that are shown below them changes.
BURST = """
import sys
from itertools import count
from tap_chat import display

display.REFRESHES_PER_SECOND = 2000
numbers = count()
shown = display.Display(lambda *_: ["shown"] * (1 + next(numbers) * 5 % 8), stays=False)
shown.start(delay=0)
while sys.stderr is sys.__stderr__:
    pass
for number in range(3000):
    print(f"line {number}", file=sys.stderr)
shown.stop()
"""


def test_no_line_of_the_log_is_lost() -> None:
    screen, done = on_terminal([sys.executable, "-c", BURST])
    assert done.returncode == 0
    assert [line for line in screen.text.splitlines() if line] == [
        f"line {number}" for number in range(3000)
    ]


@pytest.mark.parametrize("columns", [80, 120])
def test_progress_on_a_terminal_leaves_log_lines_whole(
    tap: Runner, sandbox: Sandbox, columns: int
) -> None:
    # The waits let the lines be drawn again, so that they are on the screen at the second warning.
    asked = {"Retry-After": "0.7"}
    sandbox.options.faults = [
        Fault(kind="status", status=503, headers=asked, after=requests) for requests in (2, 3)
    ]
    # With more workers, a busy machine may send a request beyond the end, which is not waited for.
    config = chat_config(sandbox) | {"max_workers": 1}
    screen, done = on_terminal(tap.command(config), columns=columns)
    assert done.returncode == 0
    assert b"requests" not in done.stdout
    warnings = [line for line in screen.text.splitlines() if "WARNING" in line]
    for warning, offset in zip(warnings, (198, 297), strict=True):
        url = f"{sandbox.url}/v1/messages?limit=100&offset={offset}"
        stated = rf"Stream chat_messages: GET {re.escape(url)} returned 503 Service Unavailable"
        assert re.fullmatch(rf"\d\d:\d\d:\d\d WARNING: {stated}.* s\.", warning)
    # The lines are there once, whole, below all others.
    *log, first, second = [line for line in screen.text.splitlines() if line]
    assert re.fullmatch(r"chat_messages  450 rows  \d+/s  done", first.strip())
    assert re.match(r"\d+ s: 9 requests, \d+/s", second)
    assert all(re.match(r"\d\d:\d\d:\d\d ", line) for line in log)
    # They show what these lines tell.
    assert "METRIC" not in screen.text
    assert "Beginning sync" not in screen.text
    assert "reading" in screen.written


def test_wait_for_the_rate_limit_is_shown_while_it_lasts(tap: Runner, sandbox: Sandbox) -> None:
    sandbox.options.faults = [
        Fault(kind="status", status=429, headers={"Retry-After": "3"}, after=3)
    ]
    screen, done = on_terminal(tap.command(chat_config(sandbox)))
    assert done.returncode == 0
    assert re.search(r"29\d rows .*waiting for the rate limit, [23] s", screen.written)
    assert "waiting" not in screen.text
    assert re.search(r"requests, \d+/s, waited \d+ s for the rate limit", screen.text)


def test_short_run_shows_its_progress_once(tap: Runner, config: dict[str, Any]) -> None:
    screen, done = on_terminal(tap.command(config))
    assert done.returncode == 0
    assert len(re.findall("chat_messages .*done", screen.text)) == 1


def test_error_comes_after_the_progress(tap: Runner, sandbox: Sandbox) -> None:
    sandbox.options.faults = [Fault(kind="status", status=404, after=2, times=None)]
    screen, done = on_terminal(tap.command(chat_config(sandbox)))
    assert done.returncode == 1
    stopped = re.search(r"chat_messages  199 rows .*stopped\n.*requests", screen.text)
    assert stopped
    assert "ERROR: Stream chat_messages: " in screen.text[stopped.end() :]


@pytest.mark.parametrize("stream", ["dixa_conversation_export", "freshchat_users"])
def test_share_of_a_stream_rises(tap: Runner, stream: str) -> None:
    """Dixa is read in windows of time; Freshchat states the number of users."""
    world = World(seed=1, users=400, conversations=0)
    with Sandbox(world, Options(latency=0.25)) as sandbox:
        config = full_config(sandbox, stream.partition("_")[0]) | {"max_workers": 1}
        command = tap.command(config, catalog=catalog_of(stream))
        screen, done = on_terminal(command)
    assert done.returncode == 0
    shares = re.findall(rf"{stream} .*?(\d+)%", screen.written)
    assert shares == sorted(shares, key=int)
    assert len(set(shares)) > 2


@pytest.mark.parametrize(
    ("settings", "environment"),
    [
        ({"metrics_log_level": "info"}, {}),
        ({}, {"SINGER_SDK_LOG_CONFIG": "/nowhere/to/be/found.yml"}),
    ],
)
def test_metrics_are_shown_on_a_terminal_if_the_setting_says_so(
    tap: Runner, config: dict[str, Any], settings: dict[str, str], environment: dict[str, str]
) -> None:
    screen, done = on_terminal(tap.command(config | settings), environment)
    assert done.returncode == 0
    assert "METRIC" in screen.text


def test_progress_is_not_shown_if_only_warnings_are_logged(
    tap: Runner, config: dict[str, Any]
) -> None:
    screen, done = on_terminal(tap.command(config), {"TAP_CHAT_LOGLEVEL": "WARNING"})
    assert done.returncode == 0
    assert not screen.text.strip()


def test_progress_is_not_shown_on_a_pipe(tap: Runner, config: dict[str, Any]) -> None:
    run = tap(config)
    assert run.code == 0
    assert "requests, " not in run.err
    assert "\x1b" not in run.err
    assert "METRIC" in run.err
    assert "METRIC" not in tap(config | {"metrics_log_level": "warning"}).err


def test_share_is_logged_from_time_to_time(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    stream = ReadProgress("users")
    stream.expect(400)
    stream.started -= 100
    stream._logged_at -= 100
    for _ in range(4):
        stream.add(100)
    [line] = caplog.messages
    assert '{"type":"gauge","metric":"progress","value":0.25,"tags":{"stream":"users"}}' in line


def test_lines_fit_the_terminal() -> None:
    streams = [StreamProgress(f"stream_{number}" + "x" * 60, rows=1) for number in range(30)]
    for stream in streams[:20]:
        stream.end()
    streams[-1].state = "waiting for the rate limit, 42 s"
    lines = stream_lines(streams, width=80, height=11)
    assert lines[0] == "20 streams done: 20 rows"
    assert len(lines) == 11
    assert all(len(line) <= 80 for line in lines)
    assert lines[-1].startswith("stream_29")
    assert lines[-1].endswith("…  1 row  waiting for the rate limit, 42 s")
    assert len(stream_lines(streams)) == 30


def test_time_left_is_shown_when_the_share_is_known() -> None:
    stream = StreamProgress("users", rows=10, share=0.25)
    assert "left" not in stream_lines([stream])[0]
    stream.started -= 100
    assert stream_lines([stream]) == ["users  10 rows  0/s  25%  reading, 5 min left"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(42.4, "42 s"), (59.9, "1 min"), (4800, "1 h 20 min")]
)
def test_duration_is_in_words(seconds: float, text: str) -> None:
    assert duration(seconds) == text
