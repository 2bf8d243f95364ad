"""The heap of the program."""

from __future__ import annotations

import ctypes
import gzip
import platform
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from running import chat_config
from serving import Server
from starlette.responses import Response

if TYPE_CHECKING:
    from pathlib import Path

    from running import Runner

# Each thread asks for memory, and lives until all have.
PROGRAM = """
import ctypes, sys, threading
from tap_chat.command import limit_heap

if sys.argv[2] == "shared":
    limit_heap()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
together = threading.Barrier(8)

def work():
    libc.malloc(5000)
    together.wait(10)

threads = [threading.Thread(target=work) for _ in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
file = ctypes.c_void_p(libc.fopen(sys.argv[1].encode(), b"w"))
libc.malloc_info(0, file)
libc.fclose(file)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc has several heaps")
@pytest.mark.parametrize("how", ["shared", "as usual"])
def test_threads_share_one_heap(tmp_path: Path, how: str) -> None:
    report = tmp_path / "heaps.xml"
    subprocess.run([sys.executable, "-c", PROGRAM, str(report), how], check=True)
    heaps = report.read_text().count("<heap nr=")
    assert heaps == 1 if how == "shared" else heaps > 1


# Bodies of many sizes, of which each tenth is kept for a while.
BODIES = """
import ctypes, random, sys
from collections import deque
from tap_chat.command import limit_heap

if sys.argv[1] == "small":
    limit_heap()
dice, kept = random.Random(7), deque(maxlen=500)
for number in range(20_000):
    body = bytes(dice.randrange(20_000, 60_000))
    if number % 10 == 0:
        kept.append((body, bytes(dice.randrange(600, 900))))
class Heap(ctypes.Structure):
    _fields_ = [(name, ctypes.c_size_t) for name in (
        "arena", "ordblks", "smblks", "hblks", "hblkhd",
        "usmblks", "fsmblks", "uordblks", "fordblks", "keepcost")]
libc = ctypes.CDLL(None)
libc.mallinfo2.restype = Heap
print(libc.mallinfo2().fordblks)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallinfo2"), reason="needs glibc 2.33")
def test_bodies_leave_no_holes_in_the_heap() -> None:
    holes = {
        how: int(subprocess.check_output([sys.executable, "-c", BODIES, how]))
        for how in ("small", "as usual")
    }
    assert holes["small"] < holes["as usual"] / 2


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for the peak")
def test_small_response_with_millions_of_values_is_refused_without_memory(tap: Runner) -> None:
    """The response has 80 kB, or 80 MiB decompressed, or 2 GiB as objects."""
    body = gzip.compress(b'{"data":[' + b"{}," * (80 * 1024 * 1024 // 3) + b"{}]}", 1)
    headers = {"Content-Encoding": "gzip"}
    with Server(lambda _: Response(body, headers=headers)) as api:
        program = """
from pathlib import Path
from tap_chat.__main__ import main

try:
    main()
finally:
    _, _, peak = Path("/proc/self/status").read_text().partition("VmHWM:")
    print(int(peak.split()[0]) // 1024)
"""
        _, *arguments = tap.command(chat_config(api))
        run = tap.run([sys.executable, "-c", program, *arguments])
    assert run.code == 1
    assert "or with values that take more than 1536 MiB." in run.errors[0]
    mebibytes = int(run.out.splitlines()[-1])
    assert mebibytes < 400, mebibytes
