"""The heap of the program."""

from __future__ import annotations

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
from tap_chat.__main__ import share_heap

if sys.argv[2] == "shared":
    share_heap()
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
