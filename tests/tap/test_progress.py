"""On a terminal one sees how the run goes; elsewhere the log stays as it is."""

from __future__ import annotations

import os
import pty
import subprocess
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from running import Runner


def test_progress_is_shown_on_a_terminal(tap: Runner, config: dict[str, Any]) -> None:
    ours, theirs = pty.openpty()
    seen = bytearray()

    def look() -> None:
        try:
            while part := os.read(ours, 4096):
                seen.extend(part)
        except OSError:  # the end of a terminal
            pass

    watcher = threading.Thread(target=look)
    watcher.start()
    env = os.environ | {"TERM": "xterm", "COLUMNS": "200"}
    done = subprocess.run(
        tap.command(config), stdout=subprocess.PIPE, stderr=theirs, env=env, check=True
    )
    os.close(theirs)
    watcher.join()
    os.close(ours)
    shown = seen.decode()
    assert "450 records" in shown
    assert "6 requests" in shown
    assert "for the allowance" in shown
    assert b"requests" not in done.stdout


def test_progress_is_not_shown_on_a_pipe(tap: Runner, config: dict[str, Any]) -> None:
    run = tap(config)
    assert run.code == 0
    assert "for the allowance" not in run.err
    assert "\x1b" not in run.err
