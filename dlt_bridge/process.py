"""A tap as a child process: its lines, its exit code, the end of its standard error."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections import deque
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from dlt_bridge.errors import MessageError, TapError
from dlt_bridge.private import private_folder, write_private

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    _Pipes = tuple[IO[bytes], IO[bytes]]

logger = logging.getLogger(__name__)

READ_BUFFER = 1024 * 1024
SHOWN_LINES = 20
LINE_BYTES = 1000
GRACE_SECONDS = 10
LAST_WORDS_SECONDS = 2


class Tap:
    """A Singer tap that can be run.

    Args:
        command: The name of an executable, on the PATH or beside the running Python, or a
            command with its arguments.
        config: The tap's settings.

    Attributes:
        name: Its name.
        command: The path of the executable, and the arguments.

    Raises:
        TapError: There is no such executable.
    """

    #: From an earlier STATE, it sends again what came after it.
    sends_again = True

    def __init__(self, command: str | Sequence[str], config: Mapping[str, Any]) -> None:
        name, *arguments = [command] if isinstance(command, str) else command
        beside = str(Path(sys.executable).parent)
        executable = shutil.which(name) or shutil.which(name, path=beside)
        if executable is None:
            raise TapError(
                f"There is no executable `{name}` on the PATH. Install the tap, or give the whole"
                " path of its executable."
            )
        self.name = arguments[1] if arguments[:1] == ["-m"] else Path(name).name
        self.command = [executable, *arguments]
        self._config = config

    def discover(self) -> Any:  # noqa: ANN401
        """Run the tap with `--discover` and return the JSON that it prints.

        Raises:
            TapError: The tap failed, or printed something else.
        """
        try:
            with self.running("--discover") as lines:
                text = b"\n".join(lines)
        except TapError as error:
            raise TapError(
                f"{error}\nThat was {self.name} --discover. If the tap has no discovery, say"
                " discover=False."
            ) from error
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise TapError(
                f"{self.name} --discover did not print a catalog. If the tap has no discovery, say"
                " discover=False."
            ) from None

    @contextmanager
    def running(self, *flags: str, **files: Mapping[str, Any]) -> Iterator[Iterator[bytes]]:
        """Run the tap, and give blocks of its lines to the body of the `with`.

        Args:
            flags: Arguments, besides those that name files.
            files: What to give in files: `state={...}` is the argument `--state <file>`. Empty
                ones are left out.

        Raises:
            TapError: The tap can't be run, or it failed; raised when the body has read all lines,
                and instead of the MessageError of a line that a failing tap left unfinished.
        """
        code: int | None
        unfinished: MessageError | None = None
        # The config has credentials in it.
        with private_folder("dlt-bridge-") as folder:
            arguments = list(flags)
            for name, content in {"config": self._config, **files}.items():
                if content or name == "config":
                    path = folder / f"{name}.json"
                    write_private(path, json.dumps(content))
                    arguments += [f"--{name}", str(path)]
            process = self._started(arguments)
            stdout, stderr = cast("_Pipes", (process.stdout, process.stderr))
            with stdout, _tail_of(stderr) as tail:
                try:
                    yield _blocks(stdout, folder / "config.json")
                    code = process.wait()
                except MessageError as error:
                    code = _stop(process, patience=LAST_WORDS_SECONDS)
                    if not code:
                        raise
                    unfinished = error
                except BaseException:
                    _stop(process)
                    raise
        if code != 0:
            end = "\n".join(tail)
            raise TapError(
                f"{self.name} failed with exit code {code}, so nothing more of this run is loaded."
                f" The end of what it said:\n{end}"
            ) from unfinished

    def _started(self, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(  # noqa: S603 - the user's own tap
                [*self.command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=READ_BUFFER,
                # So that the tap goes on for a while when a package is loaded.
                pipesize=READ_BUFFER,
                # A group of its own: what the tap has started is stopped with it.
                start_new_session=True,
            )
        except OSError as error:
            raise TapError(
                f"{self.command[0]} can't be run: {error.strerror}. A script needs a first line"
                " like `#!/usr/bin/env python3`."
            ) from error


def _blocks(stdout: IO[bytes], config: Path) -> Iterator[bytes]:
    """Yield what a tap writes; at the first, its config is read and need not stay on the disk."""
    written = blocks(stdout)
    first = next(written, None)
    config.unlink(missing_ok=True)
    if first is not None:
        yield first
    yield from written


def blocks(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the whole lines of a file, as many together as there are at the moment.

    Args:
        file: A file, or a pipe.

    Yields:
        Lines, each with its newline; the last of the file may have none.
    """
    read = getattr(file, "read1", file.read)
    parts: list[bytes] = []
    while part := read(READ_BUFFER):
        first, last = part.find(b"\n"), part.rfind(b"\n")
        if last >= 0:
            # Alone, so that not all must be copied to complete one line.
            yield b"".join((*parts, part[: first + 1]))
            if first < last:
                yield part[first + 1 : last + 1]
            parts = []
        parts.append(part[last + 1 :])
    if rest := b"".join(parts):
        yield rest


@contextmanager
def _tail_of(stream: IO[bytes]) -> Iterator[deque[str]]:
    """Read a tap's standard error to its end, so that it never blocks, and keep the last lines."""
    tail: deque[str] = deque(maxlen=SHOWN_LINES)

    def read() -> None:
        with stream:
            # A longer line counts as several, so that memory is bounded.
            while line := stream.readline(LINE_BYTES):
                text = line.decode(errors="replace").rstrip()
                logger.debug("%s", text)
                tail.append(text)

    thread = threading.Thread(target=read, name="tap-stderr", daemon=True)
    thread.start()
    try:
        yield tail
    finally:
        # A process that the tap left behind may hold the pipe open for ever.
        thread.join(GRACE_SECONDS)


def _stop(process: subprocess.Popen[bytes], *, patience: float = 0) -> int | None:
    """Stop a tap and what it has started.

    Returns:
        Its exit code, if it ended by itself within so many seconds of patience.
    """
    code: int | None = None
    with suppress(subprocess.TimeoutExpired):
        code = process.wait(patience)
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
    return code
