"""Run a program, and measure its seconds, CPU seconds and memory (Linux: it reads /proc)."""

from __future__ import annotations

import json
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

RESULTS = Path(__file__).parent / "results.json"
_SAMPLE_SECONDS = 0.02
_KIB_PER_MIB = 1024


def saved(name: str, rows: list[dict[str, Any]]) -> None:
    """Save a measurement under a name, in the file that plot.py reads."""
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps({**kept, name: rows}, indent=1) + "\n")


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a program.

    Attributes:
        code: The exit code; None if it was stopped after the time limit.
        seconds: The wall clock seconds, from start to end.
        cpu: The CPU seconds, with those of its children.
        peak: The peak memory, in MiB; 0 if it was not sampled.
        peak_with_children: The peak memory of the program and its children together, in MiB; shared
            memory, such as libraries, counts once. 0 if it was not sampled.
    """

    code: int | None
    seconds: float
    cpu: float
    peak: float
    peak_with_children: float


def measured(
    command: Sequence[str],
    *,
    time_limit: float | None = None,
    memory: bool = True,
    **pipes: Any,  # noqa: ANN401
) -> Cost:
    """Run a program to its end.

    Args:
        command: The program and its arguments.
        time_limit: Seconds after which to stop it.
        memory: Whether to sample its memory, which slows it down by a tenth on two cores.
        pipes: Its stdin, stdout and stderr, as binary files.
    """
    start = time.perf_counter()
    # A process group of its own, to stop its children with it.
    process = Popen(command, start_new_session=True, **pipes)
    sampler = _Sampler(process.pid)
    if memory:
        sampler.start()
    late = Event()
    watch = Thread(target=_stop_late, args=(process.pid, sampler.ended, late, time_limit))
    watch.start()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    sampler.ended.set()
    if memory:
        sampler.join()
    watch.join()
    return Cost(
        code=None if late.is_set() else process.returncode,
        seconds=seconds,
        cpu=usage.ru_utime + usage.ru_stime,
        peak=sampler.peak,
        peak_with_children=sampler.peak_with_children,
    )


class _Sampler(Thread):
    """Samples the memory of a process and its children until it is stopped."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.ended = Event()
        self.peak = 0.0
        self.peak_with_children = 0.0
        self._pid = pid

    @override
    def run(self) -> None:
        while not self.ended.wait(_SAMPLE_SECONDS):
            # The kernel keeps the peak of a process, but not of several together.
            self.peak = max(self.peak, _memory(self._pid, "VmHWM", "status"))
            family = sum(_memory(pid, "Pss", "smaps_rollup") for pid in _family(self._pid))
            self.peak_with_children = max(self.peak_with_children, family)


def _stop_late(pid: int, ended: Event, late: Event, time_limit: float | None) -> None:
    if not ended.wait(time_limit):
        late.set()
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def _family(pid: int) -> Iterable[int]:
    """Yield a process and its descendants."""
    yield pid
    # A process may end at any time.
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _family(int(child))


def _memory(pid: int, name: str, file: str) -> float:
    """Return a number of a file in /proc/<pid>, in MiB; 0 if the process has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) / _KIB_PER_MIB
    return 0.0
