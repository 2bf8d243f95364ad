"""Private folders for files that must not outlive a run, however the run ends.

The files are credentials of a tap, and rows that wait. No code of a process runs after SIGKILL, nor
after a signal that it does not handle. So a guardian process removes the folder when its parent is
gone. It would not be enough to remove the folders of dead processes when the next run starts:
credentials would stay on the disk until then, and forever if there is no next run.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# Waits for the end of its standard input. Its parent alone has the other end of the pipe, so the
# input ends when the parent does, whatever has ended it.
_GUARDIAN = "import shutil, sys; shutil.rmtree(sys.stdin.buffer.read(), ignore_errors=True)"
# The signals that a service manager sends to all processes of a service at once.
_STOP_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


@contextmanager
def private_folder(prefix: str) -> Iterator[Path]:
    """Give a folder that no other user can read, and that is removed when this process ends.

    Args:
        prefix: The beginning of the folder's name.
    """
    folder = Path(tempfile.gettempdir(), f"{prefix}{secrets.token_hex(8)}").absolute()
    with _guardian() as guardian:
        # The guardian knows the folder before it exists.
        guardian.stdin.write(os.fsencode(folder))  # type: ignore[union-attr]  # a pipe
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            with suppress(FileNotFoundError):
                rmtree(folder)


def write_private(path: Path, text: str) -> None:
    """Write a new file that no other user can read, whatever the umask."""
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text, encoding="utf-8")


def _guardian() -> subprocess.Popen[bytes]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
    try:
        return subprocess.Popen(  # noqa: S603 - our own code
            # Without site-packages and environment variables, it starts fast, and in any place.
            [sys.executable, "-I", "-S", "-c", _GUARDIAN],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
    finally:
        # The guardian keeps these signals blocked: a child inherits the mask of the thread.
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
