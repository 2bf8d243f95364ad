"""The child process of a tap: how it starts, what it writes, and how it ends."""

from __future__ import annotations

import logging
import os
import re
import signal
import subprocess
import time
from contextlib import suppress
from multiprocessing.connection import wait
from typing import IO, TYPE_CHECKING, cast

from dlt_bridge.errors import TapError
from dlt_bridge.tap.line_blocks import READ_BUFFER

if TYPE_CHECKING:
    from collections.abc import Sequence

logger = logging.getLogger(__name__)

#: Seconds for a process to end after a signal.
GRACE_SECONDS = 10
#: Seconds for a tap to end after its output has ended, before a warning.
EXIT_SECONDS = 2
#: Seconds between two checks whether a silent tap still runs.
CHECK_SECONDS = 1.0
# Variables with settings of dlt, such as credentials of destinations and other sources, or of
# target-dlt: a tap gets none of them.
_OWN_VARIABLE = re.compile(
    r"(.*__)?(DESTINATION|SOURCES)__.*|(.*__)?CREDENTIALS(__.*)?|DLT_SECRETS_TOML|TARGET_DLT_.*",
    re.IGNORECASE,
)


class ChildProcess:
    """A tap that runs. It is a readable file of its standard output.

    Args:
        name: The name of the tap, for log messages.
        command: The path of the executable, and its arguments.
        patience: Seconds to wait for the exit of a tap that has closed its output, and for more
            output of a tap that has ended.

    Attributes:
        stdout: Its standard output.
        stderr: Its standard error.

    Raises:
        TapError: The executable can't be run.
    """

    def __init__(self, name: str, command: Sequence[str], patience: float) -> None:
        self._name = name
        self._patience = patience
        self._popen = _start(command)
        self.stdout = cast("IO[bytes]", self._popen.stdout)
        self.stderr = cast("IO[bytes]", self._popen.stderr)

    def read(self, size: int) -> bytes:
        """Return what the tap has written, up to so many bytes; nothing at the end."""
        if not self._has_output():
            return b""
        # Bypass the buffer of `stdout`, because `wait` sees only the descriptor.
        return os.read(self.stdout.fileno(), size)

    def _has_output(self) -> bool:
        """Wait until the tap has written something or closed its output; return whether it has.

        A process that the tap has left behind may hold its output open forever.
        """
        ended: float | None = None
        seconds = min(CHECK_SECONDS, max(self._patience / 4, 0.01))
        while not wait([self.stdout.fileno()], seconds):
            if self._popen.poll() is None:
                continue
            if ended is None:
                ended = time.monotonic()
                logger.warning(
                    "%s has ended, but a process that it has started holds its output open."
                    " Waiting %s s for more.",
                    self._name,
                    f"{self._patience:g}",
                )
            elif time.monotonic() - ended >= self._patience:
                logger.warning(
                    "%s: no more output came. Its output so far counts as complete.", self._name
                )
                return False
        return True

    def wait(self) -> int | None:
        """Return the exit code of a tap that has closed its output; None if it does not end."""
        with suppress(subprocess.TimeoutExpired):
            return self._popen.wait(min(EXIT_SECONDS, self._patience))
        logger.warning(
            "%s has closed its output, and has not ended. Waiting %s s for it.",
            self._name,
            f"{self._patience:g}",
        )
        with suppress(subprocess.TimeoutExpired):
            return self._popen.wait(self._patience)
        self.stop()
        return None

    def stop(self, *, grace: float = 0) -> int | None:
        """Stop the tap and the processes that it has started.

        Args:
            grace: Seconds for the tap to end by itself first.

        Returns:
            Its exit code, if it has ended by itself.
        """
        code: int | None = None
        with suppress(subprocess.TimeoutExpired):
            code = self._popen.wait(grace)
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(self._popen.pid, number)
            with suppress(subprocess.TimeoutExpired):
                self._popen.wait(GRACE_SECONDS)
        return code


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(  # noqa: S603 - the user's own tap
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=READ_BUFFER,
            # A large pipe, so that the tap continues while a package is loaded.
            pipesize=READ_BUFFER,
            env={
                name: value
                for name, value in os.environ.items()
                if not _OWN_VARIABLE.fullmatch(name)
            },
            # A process group, so that the processes that the tap starts are stopped with it.
            start_new_session=True,
        )
    except OSError as error:
        raise TapError(
            f"{command[0]} can't be run: {error.strerror}. A script needs a first line"
            " like `#!/usr/bin/env python3`."
        ) from error
