"""Locks that keep a pipeline to one run at a time; they end with the process that holds them."""

from __future__ import annotations

import fcntl
import logging
import os
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from dlt.common.pipeline import get_dlt_pipelines_dir

from dlt_bridge.destinations.state_owner import location_id
from dlt_bridge.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Self

    from dlt import Pipeline

logger = logging.getLogger(__name__)


@contextmanager
def exclusive(pipeline: Pipeline) -> Iterator[None]:
    """Lock the working folder of a pipeline, because two runs would read the same rows.

    Args:
        pipeline: The pipeline.

    Raises:
        BridgeError: Another run holds the lock.
    """
    # Next to the folder, so that a run keeps the lock when it drops the folder.
    path = Path(pipeline.pipelines_dir, f"{pipeline.pipeline_name}.lock")
    with FileLock(path) as lock:
        if not lock.acquire():
            raise BridgeError(
                f"Another run of the pipeline {pipeline.pipeline_name} is under way"
                f" ({lock.holder()}), and this one would read the same rows. Start it when that one"
                " has ended, or give it a pipeline name of its own."
            )
        yield


@contextmanager
def in_turn(pipeline: Pipeline) -> Iterator[None]:
    """Wait until no other run on this machine loads to the same location with this pipeline name.

    This is for runs of target-dlt, each of which has a working folder of its own.

    Args:
        pipeline: The pipeline.
    """
    name = pipeline.pipeline_name
    with FileLock(Path(get_dlt_pipelines_dir(), f"{name}.{location_id(pipeline)}.lock")) as lock:
        if not lock.acquire():
            logger.warning(
                "Another run of the pipeline %s loads to the same destination and dataset (%s)."
                " This one waits for its end. To run at the same time, give each run its own"
                " pipeline name.",
                name,
                lock.holder(),
            )
            lock.wait()
        yield


class FileLock:
    """A file that one process at a time locks. The process removes it when it releases the lock.

    Args:
        path: The path of the file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._is_ours = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_ours:
            self._path.unlink(missing_ok=True)
        self._close()

    def acquire(self) -> bool:
        """Take the lock, and return False if another process has it."""
        return self._take(fcntl.LOCK_NB)

    def wait(self) -> None:
        """Wait for the lock, and take it."""
        self._take(0)

    def holder(self) -> str:
        """Return which process has the lock, for people to read."""
        return self._path.read_text(errors="replace") if self._path.exists() else "unknown"

    def _take(self, flags: int) -> bool:
        # Files in shared and in read-only folders can't always be locked: then run without a lock.
        while True:
            self._close()
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
                fcntl.flock(self._file, fcntl.LOCK_EX | flags)
            except BlockingIOError:
                return False
            except OSError as error:
                logger.warning(
                    "Files in the folder %s can't be locked (%s). Make sure that a pipeline does"
                    " not run twice at the same time.",
                    self._path.parent,
                    error.strerror,
                )
                return True
            # The last holder may have removed the file after it was opened here.
            if self._path.exists() and os.path.samestat(os.fstat(self._file), self._path.stat()):
                break
        os.ftruncate(self._file, 0)
        os.write(self._file, f"process {os.getpid()} on {socket.gethostname()}".encode())
        self._is_ours = True
        return True

    def _close(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
