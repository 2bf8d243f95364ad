"""Private folders, for what must not outlive a run, however the run ends."""

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

# Waits for the end of its standard input: the process that started it alone has the other end, so
# it comes when that process is gone, whatever has ended it.
_GUARDIAN = "import shutil, sys; shutil.rmtree(sys.stdin.buffer.read(), ignore_errors=True)"
#: What a service manager sends to all processes of a service at once.
_POLITE = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


@contextmanager
def private_folder(prefix: str) -> Iterator[Path]:
    """Give a folder that nobody else can read, and that is gone when this process is.

    No code of a process runs after SIGKILL, nor after a signal that it does not handle. So another
    process, in a session of its own, waits to remove the folder.

    Args:
        prefix: What the folder's name begins with.
    """
    folder = Path(tempfile.gettempdir(), f"{prefix}{secrets.token_hex(8)}").absolute()
    with _guardian() as guardian:
        # Before there is a folder.
        guardian.stdin.write(os.fsencode(folder))  # type: ignore[union-attr]  # a pipe
        folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            with suppress(FileNotFoundError):
                rmtree(folder)


def write_private(path: Path, text: str) -> None:
    """Write a new file that nobody else can read, whatever the umask."""
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(text, encoding="utf-8")


def _guardian() -> subprocess.Popen[bytes]:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _POLITE)
    try:
        return subprocess.Popen(  # noqa: S603 - our own code
            # Without modules of others and what the environment says, it starts at once, anywhere.
            [sys.executable, "-I", "-S", "-c", _GUARDIAN],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
    finally:
        # It goes on without them: a process begins with the mask of the thread that starts it.
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
