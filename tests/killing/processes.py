"""The processes of a trial, found by a mark in their environment.

Only Linux shows the environment of a process.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

PROC = Path("/proc")
MARK = "KILLS_TRIAL"
TAPS = ("tap-chat", "counting.py")


def alive(mark: str) -> dict[int, str]:
    """Return the processes of a trial by role: `tap`, `loader`, or `guardian` of a folder."""
    wanted = f"{MARK}={mark}".encode()
    found = {}
    for folder in PROC.iterdir():
        if folder.name.isdecimal():
            with suppress(OSError):
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    found[int(folder.name)] = _role((folder / "cmdline").read_bytes())
    return found


def _role(command: bytes) -> str:
    first = Path(command.decode().split("\0")[1]).name if b"\0" in command else ""
    if first in TAPS:
        return "tap"
    return "guardian" if first == "-I" else "loader"


def send(mark: str, victim: str, signum: int) -> set[str]:
    """Send a signal to the running victims, and return their roles.

    Args:
        mark: The mark of the trial.
        victim: `tap`, `loader`, or `both`.
        signum: The signal.
    """
    running = {number: role for number, role in alive(mark).items() if role != "guardian"}
    # A bridge has no tap before it starts one, or after the tap has ended.
    wanted = {victim} if victim in running.values() else set(running.values())
    for number, role in running.items():
        if role in wanted:
            with suppress(ProcessLookupError):
                os.kill(number, signum)
    return wanted


def wait_for_end(mark: str, seconds: float) -> dict[int, str]:
    """Wait until no process of a trial is left. Kill and return the processes that stay."""
    with suppress(TimeoutError):
        for number in alive(mark):
            _wait(number, seconds)
    return kill(mark)


def kill(mark: str) -> dict[int, str]:
    """Kill and return the processes of a trial."""
    left = alive(mark)
    for number in left:
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)
    return left


def _wait(number: int, seconds: float) -> None:
    """Wait for the end of a process that may not be a child of this one."""
    import select  # noqa: PLC0415

    try:
        file = os.pidfd_open(number)
    except ProcessLookupError:
        return
    try:
        if not select.select([file], [], [], seconds)[0]:
            raise TimeoutError
    finally:
        os.close(file)
