"""The heap of the program."""

from __future__ import annotations

import ctypes
import platform
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

# Each thread asks for memory, and lives until all have.
PROGRAM = """
import ctypes, sys, threading
from tap_chat.__main__ import keep_heap_small

if sys.argv[2] == "shared":
    keep_heap_small()
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
from tap_chat.__main__ import keep_heap_small

if sys.argv[1] == "small":
    keep_heap_small()
dice, kept = random.Random(7), deque(maxlen=50)
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
