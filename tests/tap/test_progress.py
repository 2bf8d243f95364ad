"""A terminal shows the progress of a run; elsewhere the log stays as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from running import chat_config
from terminal import on_terminal

from tap_chat.sandbox import Fault
from tap_chat.singer.progress import Progress

if TYPE_CHECKING:
    from running import Runner

    from tap_chat.sandbox import Sandbox


def test_progress_on_a_terminal_leaves_log_lines_whole(tap: Runner, sandbox: Sandbox) -> None:
    # The wait lets the table be drawn again, so that it is on the screen at the second warning.
    asked = {"Retry-After": "0.6"}
    sandbox.options.faults = [
        Fault(kind="status", status=503, headers=asked, after=requests) for requests in (2, 3)
    ]
    screen, done = on_terminal(tap.command(chat_config(sandbox)))
    assert done.returncode == 0
    assert b"requests" not in done.stdout
    warnings = [line for line in screen.text.splitlines() if "| WARNING" in line]
    for warning, offset in zip(warnings, (198, 297), strict=True):
        url = f"{sandbox.url}/v1/messages?limit=100&offset={offset}"
        assert warning.startswith("20")
        assert f"Stream chat_messages: GET {url} returned 503 Service Unavailable" in warning
        assert warning.endswith(" s.")
    # The table is there once, whole, below all lines.
    *log, first, second = [line for line in screen.text.splitlines() if line]
    assert first.split() == ["chat_messages", "450", "records"]
    assert second.split()[2:4] == ["9", "requests,"]
    assert second.endswith("for the rate limit")
    assert log
    assert all("records" not in line or " | " in line for line in log)
    # They tell what it tells.
    assert "METRIC" not in screen.text


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
    screen, done = on_terminal(tap.command(config | settings), **environment)
    assert done.returncode == 0
    assert "METRIC" in screen.text


def test_progress_is_not_shown_on_a_pipe(tap: Runner, config: dict[str, Any]) -> None:
    run = tap(config)
    assert run.code == 0
    assert "for the rate limit" not in run.err
    assert "\x1b" not in run.err
    assert "METRIC" in run.err
    assert "METRIC" not in tap(config | {"metrics_log_level": "warning"}).err


def test_one_record_is_in_the_singular() -> None:
    progress = Progress()
    progress.records.update(one=1, two=2)
    shown = [*progress.table().columns[1].cells]
    assert shown[:2] == ["1 record", "2 records"]
