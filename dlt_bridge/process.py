"""A tap as a child process: its lines, its exit code, the end of its standard error."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import threading
from collections import deque
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, TYPE_CHECKING, Any

from dlt_bridge.errors import TapError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

logger = logging.getLogger(__name__)

READ_BUFFER = 1024 * 1024
SHOWN_LINES = 20
GRACE_SECONDS = 10


class Tap:
    """A Singer tap that can be run.

    Args:
        command: The name of an executable, on the PATH or beside the running Python, or a
            command with its arguments.
        config: The tap's settings.

    Raises:
        TapError: There is no such executable.
    """

    def __init__(self, command: str | Sequence[str], config: Mapping[str, Any]) -> None:
        name, *arguments = [command] if isinstance(command, str) else command
        beside = str(Path(sys.executable).parent)
        executable = shutil.which(name) or shutil.which(name, path=beside)
        if executable is None:
            raise TapError(
                f"There is no executable `{name}` on the PATH. Install the tap, or give the whole"
                " path of its executable."
            )
        self.name = Path(name).name
        self._command = [executable, *arguments]
        self._config = config

    def discover(self) -> dict[str, Any]:
        """Run the tap with `--discover` and return its catalog.

        Raises:
            TapError: The tap failed, or printed no catalog.
        """
        with self._running("--discover") as lines:
            text = b"".join(lines)
        try:
            catalog: dict[str, Any] = json.loads(text)
        except ValueError:
            raise TapError(f"{self.name} --discover did not print a catalog.") from None
        return catalog

    @contextmanager
    def sync(self, catalog: Mapping[str, Any], state: Mapping[str, Any]) -> Iterator[IO[bytes]]:
        """Run the tap, and give its lines to the body of the `with`.

        Args:
            catalog: Which streams to read.
            state: Where to go on from; empty for a first run.

        Raises:
            TapError: The tap failed; raised when the body has read all lines.
        """
        with self._running(catalog=catalog, state=state) as lines:
            yield lines

    @contextmanager
    def _running(self, *flags: str, **files: Mapping[str, Any]) -> Iterator[IO[bytes]]:
        # Readable for this user alone: the config has credentials in it.
        with TemporaryDirectory(prefix="dlt-bridge-") as folder:
            arguments = list(flags)
            for name, content in {"config": self._config, **files}.items():
                if content or name == "config":
                    path = Path(folder, f"{name}.json")
                    path.write_text(json.dumps(content), encoding="utf-8")
                    arguments += [f"--{name}", str(path)]
            process = subprocess.Popen(  # noqa: S603 - the user's own tap
                [*self._command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=READ_BUFFER,
            )
            with _tail_of(process.stderr) as tail:
                try:
                    yield process.stdout  # type: ignore[misc]  # a pipe, as asked for
                except BaseException:
                    _stop(process)
                    raise
                finally:
                    process.stdout.close()  # type: ignore[union-attr]
                code = process.wait()
        if code != 0:
            end = "\n".join(tail)
            raise TapError(
                f"{self.name} failed with exit code {code}, so nothing of this run is loaded."
                f" The end of what it said:\n{end}"
            )


@contextmanager
def _tail_of(stream: IO[bytes] | None) -> Iterator[deque[str]]:
    """Read a tap's standard error to its end, so that it never blocks, and keep the last lines."""
    tail: deque[str] = deque(maxlen=SHOWN_LINES)

    def read() -> None:
        for line in stream or ():
            text = line.decode(errors="replace").rstrip()
            logger.debug("%s", text)
            tail.append(text)

    thread = threading.Thread(target=read, name="tap-stderr", daemon=True)
    thread.start()
    try:
        yield tail
    finally:
        thread.join()
        if stream:
            stream.close()


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
