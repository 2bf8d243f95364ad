"""Who holds a lease: a process, which others on the same machine can see end."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Self
from uuid import uuid4

from typing_extensions import override

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")
# The fields of /proc/<process>/stat after the name of the program: its start is the 20th.
_START = 19


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds a lease.

    Attributes:
        machine: The machine, its start and the namespace of its processes; empty if these are not
            known, as outside Linux.
        process: The number of the process.
        start: When the process began, in ticks since the start of the machine.
        host: The name of the machine, for people to read.
        lease: A unique text, because a process may hold an account several times, one after the
            other.
    """

    machine: str
    process: int
    start: str
    host: str
    lease: str

    @classmethod
    def current(cls) -> Self:
        """Return this process, with a new lease."""
        process = os.getpid()
        return cls(_machine(), process, _start_of(process), socket.gethostname(), uuid4().hex)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return a holder from its text."""
        machine, process, start, host, lease = text.split(" ")
        return cls(machine, int(process), start, host, lease)

    @override
    def __str__(self) -> str:
        host = self.host.replace(" ", "-")
        return f"{self.machine} {self.process} {self.start} {host} {self.lease}"

    @property
    def has_ended(self) -> bool:
        """Whether the process is known to have ended: it was on this machine, and is not there."""
        if not self.machine or self.machine != _machine():
            return False
        start = _start_of(self.process)
        return start != self.start if start else not _is_hidden(self.process)

    @property
    def description(self) -> str:
        """The process, for people to read."""
        return f"process {self.process} on {self.host}"


def _machine() -> str:
    """Return an identifier of this machine since its start, and of this container."""
    try:
        return f"{_BOOT.read_text().strip()}/{_NAMESPACE.readlink()}"
    except OSError:
        return ""


def _is_hidden(process: int) -> bool:
    """Return whether a process exists that this one may not see: that of another user."""
    try:
        os.kill(process, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    # Its own user's is a zombie.
    return False


def _start_of(process: int) -> str:
    """Return when a process began; empty if there is no such process."""
    try:
        stat = Path(f"/proc/{process}/stat").read_text(errors="replace")
    except OSError:
        return ""
    state, *fields = stat.rpartition(")")[2].split()
    # A zombie has ended; its parent has not looked at it yet.
    return "" if state == "Z" else fields[_START - 1]
