"""Dagster's programs as processes that a test starts and kills."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def free_port() -> int:
    """Return a port that no process listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Program:
    """A program that runs until the test ends it.

    Attributes:
        command: The program and its arguments.
        log: The file of its output; its folder is the working directory.
        env: Its environment.
    """

    command: list[str]
    log: Path
    env: Mapping[str, str]
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        command = self.command
        if setpriv := shutil.which("setpriv"):
            # On Linux, it also ends when the tests are killed.
            command = [setpriv, "--pdeathsig", "TERM", *command]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, env=self.env, cwd=self.log.parent
            )

    def check(self) -> None:
        """Raise an error if it has ended by itself."""
        if self._process is not None:
            assert self._process.poll() is None, self.log.read_text()[-3000:]

    def stop(self, signum: int = signal.SIGTERM) -> None:
        """Send a signal to the program alone, and wait for its end."""
        if self._process is not None:
            self._process.send_signal(signum)
            self._process.wait()
            self._process = None

    def lose_power(self) -> None:
        """Kill the program and all processes below it, as a machine that loses power."""
        if self._process is not None:
            kill_tree(self._process.pid)
            self.stop(signal.SIGKILL)


def kill_tree(root: int) -> None:
    """Kill a process and all processes below it. They have no time to notice."""
    # Stopped processes start no new ones.
    numbers = [root, *descendants(root)]
    for signum in (signal.SIGSTOP, signal.SIGKILL):
        for number in numbers:
            with suppress(ProcessLookupError):
                os.kill(number, signum)


def descendants(root: int) -> Iterator[int]:
    """Yield the processes below a process."""
    with suppress(OSError):
        for thread in Path(f"/proc/{root}/task").iterdir():
            for number in map(int, (thread / "children").read_text().split()):
                yield number
                yield from descendants(number)
