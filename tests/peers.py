"""Servers of other projects, each as a process on a free port of 127.0.0.1."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import closing, contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: The seconds in which a server starts, and in which it stops.
PATIENCE = 60


class PeerError(Exception):
    """A server can't be installed, or does not start."""


@contextmanager
def started(command: Sequence[str], url: str, folder: Path) -> Iterator[None]:
    """Run a server during the context. Its data is temporary, so it is killed at the end.

    Args:
        command: The command of the server.
        url: A URL that returns 200 when the server is ready.
        folder: The working folder of the server, which gets its log.

    Raises:
        PeerError: The server does not start.
    """
    if setpriv := shutil.which("setpriv"):
        # On Linux, it also stops when the tests are killed.
        command = [setpriv, "--pdeathsig", "KILL", *command]
    log = Path(folder, "log")
    with (
        log.open("wb") as out,
        subprocess.Popen(command, cwd=folder, stdout=out, stderr=out) as process,
    ):
        try:
            if not _is_ready(process, url):
                raise PeerError(f"{command} does not start: {log.read_text()[-2000:]}")
            yield
        finally:
            process.kill()


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        return int(listening.getsockname()[1])


def _is_ready(process: subprocess.Popen[bytes], url: str) -> bool:
    """Wait until the server is ready, and return whether it is."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.poll() is None:
        try:
            if requests.get(url, timeout=PATIENCE).status_code == HTTPStatus.OK:
                return True
        except requests.ConnectionError:
            time.sleep(0.1)
    return False
