"""Runs a program and says what it cost: seconds, CPU seconds, memory (Linux: it reads /proc)."""

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
    """Put what was measured under a name into the file that the picture is drawn from."""
    kept = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    RESULTS.write_text(json.dumps({**kept, name: rows}, indent=1) + "\n")


@dataclass(frozen=True, slots=True)
class Cost:
    """What one program cost.

    Attributes:
        code: Its exit code; None if it was stopped after the time limit.
        seconds: Of wall clock, from start to end.
        cpu: Seconds of CPU, with those of its children.
        peak: MiB that it had in memory at most; 0 if it was not looked at, like the next.
        peak_with_children: MiB that it and its children had at the same time, as sampled; what
            they share, such as libraries, counts once.
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
        time_limit: Seconds after which it is stopped.
        memory: Look at its memory while it runs, which slows it down by a tenth on two cores.
        pipes: Its stdin, stdout and stderr: binary files.
    """
    start = time.perf_counter()
    # A group of its own, so that its children are stopped with it.
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
    """Looks at the memory of a process and its children until it is told that it has ended."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.ended = Event()
        self.peak = 0.0
        self.peak_with_children = 0.0
        self._pid = pid

    @override
    def run(self) -> None:
        while not self.ended.wait(_SAMPLE_SECONDS):
            # The kernel keeps the peak of the process itself; of several together nobody does.
            self.peak = max(self.peak, _memory(self._pid, "VmHWM", "status"))
            family = sum(_memory(pid, "Pss", "smaps_rollup") for pid in _family(self._pid))
            self.peak_with_children = max(self.peak_with_children, family)


def _stop_late(pid: int, ended: Event, late: Event, time_limit: float | None) -> None:
    if not ended.wait(time_limit):
        late.set()
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def _family(pid: int) -> Iterable[int]:
    """Yield a process and all that it has started."""
    yield pid
    # A process may end at any moment.
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _family(int(child))


def _memory(pid: int, name: str, file: str) -> float:
    """Return one number of a file in /proc/<pid> in MiB, 0 if the process has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/{file}").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) / _KIB_PER_MIB
    return 0.0
