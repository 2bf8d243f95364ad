"""A tap as a child process: its lines, its exit code, the end of its standard error."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from multiprocessing.connection import wait
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from dlt_bridge.errors import MessageError, TapError
from dlt_bridge.tap.private_folder import private_folder, write_private
from dlt_bridge.tap.stderr import TapLog

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    _Pipes = tuple[IO[bytes], IO[bytes]]

logger = logging.getLogger(__name__)

READ_BUFFER = 1024 * 1024
GRACE_SECONDS = 10
LAST_WORDS_SECONDS = 2
#: Seconds that a tap may take to end when it has closed its output; and that its output may stay
#: open without a word when it has ended.
PATIENCE_SECONDS = 60.0
#: Seconds between two looks at whether a tap that writes nothing is still there.
LOOK_SECONDS = 1.0
# Variables that hold settings of the program, and nothing for a tap: dlt's, with credentials of
# destinations and other sources, and those of target-dlt.
_OWN_VARIABLE = re.compile(
    r"(.*__)?(DESTINATION|SOURCES)__.*|(.*__)?CREDENTIALS(__.*)?|DLT_SECRETS_TOML|TARGET_DLT_.*",
    re.IGNORECASE,
)
_NO_CATALOG = re.compile(
    r"(unrecognized arguments|[Nn]o such option|unknown (flag|option)).*--catalog"
)


class Tap:
    """A Singer tap that can be run.

    Args:
        command: The name of an executable, on the PATH or beside the running Python, or a
            command with its arguments.
        config: The tap's settings.
        advice: What to say besides, if it fails.
        properties: It takes its catalog by `--properties`, as older taps do.
        patience: Seconds that it may take to end when it has closed its output, and that what it
            has left behind may hold its output open.

    Attributes:
        name: Its name.
        command: The path of the executable, and the arguments.
        config: Its settings.

    Raises:
        TapError: There is no such executable.
    """

    #: From an earlier STATE, it sends again what came after it.
    sends_again = True

    def __init__(
        self,
        command: str | Sequence[str],
        config: Mapping[str, Any],
        *,
        advice: str = "",
        properties: bool = False,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
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
        self.config = config
        self._advice = advice
        self._said: list[TapLog] = []
        self._properties = properties
        self._patience = patience

    @property
    def warnings(self) -> int:
        """How many warnings and errors it has logged."""
        return sum(said.warnings for said in self._said)

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
                " discover=False, or --no-discover to `dlt singer`."
            ) from error
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise TapError(
                f"{self.name} --discover did not print a catalog. If the tap has no discovery, say"
                " discover=False, or --no-discover to `dlt singer`."
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
        failed = False
        unfinished: MessageError | None = None
        # The config has credentials in it.
        with private_folder("dlt-bridge-") as folder:
            arguments = list(flags)
            for name, content in {"config": self.config, **files}.items():
                if content or name == "config":
                    path = folder / f"{name}.json"
                    write_private(path, json.dumps(content))
                    flag = "properties" if name == "catalog" and self._properties else name
                    arguments += [f"--{flag}", str(path)]
            process = self._started(arguments)
            stdout, stderr = cast("_Pipes", (process.stdout, process.stderr))
            said = TapLog(self.name, self.config, known=[*self._said])
            self._said.append(said)
            try:
                with stdout, _heard(stderr, said):
                    try:
                        yield self._blocks(process, stdout, folder / "config.json")
                        code = self._ended(process)
                    except MessageError as error:
                        code = _stop(process, patience=LAST_WORDS_SECONDS)
                        if not code:
                            raise
                        unfinished = error
                    except BaseException:
                        _stop(process)
                        raise
                failed = code != 0
            finally:
                said.sum_up(failed=failed)
        if failed:
            raise TapError(self._problem_of_end(code, said.end())) from unfinished

    def _problem_of_end(self, code: int | None, end: str) -> str:
        if code is None:
            return (
                f"{self.name} has closed its output, and has not ended in {self._patience:g} s. It"
                " was stopped, and nothing more of this run is loaded. If it needs longer, give it"
                f" more patience. The end of what it said:\n{end}"
            )
        old = (
            "It takes no --catalog: if it takes --properties, say properties=True, or dlt singer"
            " run --properties. "
            if _NO_CATALOG.search(end) and not self._properties
            else ""
        )
        return (
            f"{self.name} failed with exit code {code}, so nothing more of this run is loaded."
            f" {old}The end of what it said:\n{end}{self._advice}"
        )

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
                env={
                    name: value
                    for name, value in os.environ.items()
                    if not _OWN_VARIABLE.fullmatch(name)
                },
                # A group of its own: what the tap has started is stopped with it.
                start_new_session=True,
            )
        except OSError as error:
            raise TapError(
                f"{self.command[0]} can't be run: {error.strerror}. A script needs a first line"
                " like `#!/usr/bin/env python3`."
            ) from error

    def _blocks(
        self, process: subprocess.Popen[bytes], stdout: IO[bytes], config: Path
    ) -> Iterator[bytes]:
        """Yield what a tap writes; at the first, its config is read and need not stay there."""
        written = line_blocks(_Output(self, process, stdout))
        first = next(written, None)
        config.unlink(missing_ok=True)
        if first is not None:
            yield first
        yield from written

    def waits_for(self, process: subprocess.Popen[bytes], stdout: IO[bytes]) -> bool:
        """Wait until a tap has written something; say whether it has, or has closed its output.

        A process that it has left behind may hold its output open for ever.
        """
        ended: float | None = None
        while not wait([stdout.fileno()], min(LOOK_SECONDS, max(self._patience / 4, 0.01))):
            if process.poll() is None:
                continue
            if ended is None:
                ended = time.monotonic()
                logger.warning(
                    "%s has ended, but a process that it has started holds its output open."
                    " Waiting %s s for more.",
                    self.name,
                    f"{self._patience:g}",
                )
            elif time.monotonic() - ended >= self._patience:
                logger.warning("%s: nothing came. What it wrote is taken as whole.", self.name)
                return False
        return True

    def _ended(self, process: subprocess.Popen[bytes]) -> int | None:
        """Return the exit code of a tap that has closed its output; None if it does not end."""
        with suppress(subprocess.TimeoutExpired):
            return process.wait(min(LAST_WORDS_SECONDS, self._patience))
        logger.warning(
            "%s has closed its output, and has not ended. Waiting %s s for it.",
            self.name,
            f"{self._patience:g}",
        )
        with suppress(subprocess.TimeoutExpired):
            return process.wait(self._patience)
        _stop(process)
        return None


class _Output:
    """The output of a tap as a file to read from, which ends where waiting is in vain."""

    def __init__(self, tap: Tap, process: subprocess.Popen[bytes], stdout: IO[bytes]) -> None:
        self._tap, self._process, self._stdout = tap, process, stdout

    def read(self, size: int) -> bytes:
        """Return what there is, up to so many bytes; nothing at the end."""
        if not self._tap.waits_for(self._process, self._stdout):
            return b""
        # It has no buffer that something may be left in: `size` is as large as that.
        return os.read(self._stdout.fileno(), size)


def line_blocks(file: IO[bytes] | _Output) -> Iterator[bytes]:
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
def _heard(stderr: IO[bytes], said: TapLog) -> Iterator[None]:
    """Hear what a tap says on standard error, while it runs."""
    thread = threading.Thread(target=said.read, args=(stderr,), name="tap-stderr", daemon=True)
    thread.start()
    try:
        yield
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
