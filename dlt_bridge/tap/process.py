"""Runs a Singer tap, and gives its lines."""

from __future__ import annotations

import json
import re
import shutil
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlt_bridge.errors import MessageError, TapError
from dlt_bridge.interrupts import held_signals
from dlt_bridge.tap.child_process import EXIT_SECONDS, ChildProcess
from dlt_bridge.tap.line_blocks import line_blocks
from dlt_bridge.tap.private_folder import private_folder, write_private
from dlt_bridge.tap.stderr import TapLog

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: Seconds to wait for the exit of a tap that has closed its output, and for more output of a tap
#: that has ended.
PATIENCE_SECONDS = 60.0

_NO_CATALOG = re.compile(
    r"(unrecognized arguments|[Nn]o such option|unknown (flag|option)).*--catalog"
)


class Tap:
    """A Singer tap that can be run.

    Args:
        command: The name of an executable, on the PATH or next to the running Python; or a command
            with its arguments.
        config: The tap's settings.
        advice: The beginning of the error of a tap that fails, such as a remedy; may be empty.
        properties: Whether it takes its catalog by `--properties`, as older taps do.
        patience: Seconds to wait for the exit of a tap that has closed its output, and for more
            output of a tap that has ended.

    Attributes:
        name: The name of the tap.
        command: The path of the executable, and its arguments.
        config: The tap's settings.

    Raises:
        TapError: There is no such executable.
    """

    #: If it starts from an earlier STATE, it sends everything after it again.
    can_resend = True

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
        scripts = str(Path(sys.executable).parent)
        executable = shutil.which(name) or shutil.which(name, path=scripts)
        if executable is None:
            raise TapError(
                f"There is no executable `{name}` on the PATH. Install the tap, or give the whole"
                " path of its executable."
            )
        self.name = arguments[1] if arguments[:1] == ["-m"] else Path(name).name
        self.command = [executable, *arguments]
        self.config = config
        self._advice = advice
        self._logs: list[TapLog] = []
        self._properties = properties
        self._patience = patience

    @property
    def warnings(self) -> int:
        """How many warnings and errors it has logged."""
        return sum(log.warnings for log in self._logs)

    @property
    def requests(self) -> int | None:
        """How many requests it has logged; None if it logs none."""
        counts = [log.requests for log in self._logs if log.requests is not None]
        return sum(counts) if counts else None

    @property
    def waited(self) -> float | None:
        """Seconds for which rate limits have held it back; None if it does not log them."""
        waits = [log.waited for log in self._logs if log.waited is not None]
        return sum(waits) if waits else None

    @property
    def log(self) -> TapLog | None:
        """The log of its last run; None before the first."""
        return self._logs[-1] if self._logs else None

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
                f"{error}\nThat was {self.name} --discover. If the tap has no discovery, use"
                " discover=False, or --no-discover to `dlt singer`."
            ) from error
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            raise TapError(
                f"{self.name} --discover did not print a catalog. If the tap has no discovery,"
                " use discover=False, or --no-discover to `dlt singer`."
            ) from None

    @contextmanager
    def running(self, *flags: str, **files: Mapping[str, Any]) -> Iterator[Iterator[bytes]]:
        """Run the tap, and give blocks of its lines to the body of the `with`.

        Args:
            flags: Arguments other than those that name files.
            files: JSON objects that the tap gets in files: `state={...}` becomes the argument
                `--state <file>`. Empty ones are left out.

        Raises:
            TapError: The tap can't be run, or it failed. The error is raised when the body has read
                all lines; or instead of a MessageError of the body, as a tap that fails may leave
                a line unfinished.
        """
        # The config has credentials in it.
        with private_folder("dlt-bridge-") as folder, held_signals() as release:
            arguments = [*flags, *self._write_files(folder, files)]
            process = ChildProcess(self.name, [*self.command, *arguments], self._patience)
            log = TapLog(self.name, self.config, earlier=[*self._logs])
            self._logs.append(log)
            failed = False
            unfinished: MessageError | None = None
            try:
                with process.stdout, log.reading(process.stderr):
                    try:
                        # From here on, a signal stops the tap.
                        release()
                        yield _blocks(process, folder / "config.json")
                        code = process.wait()
                    except MessageError as error:
                        code = process.stop(grace=EXIT_SECONDS)
                        if not code:
                            raise
                        unfinished = error
                    except BaseException:
                        process.stop()
                        raise
                failed = code != 0
            finally:
                log.summarize(failed=failed)
        if failed:
            raise TapError(self._exit_problem(code, log.tail())) from unfinished

    def _write_files(self, folder: Path, files: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
        """Write the config and other files; yield the arguments that name them."""
        for name, content in {"config": self.config, **files}.items():
            if content or name == "config":
                path = folder / f"{name}.json"
                write_private(path, json.dumps(content))
                flag = "properties" if name == "catalog" and self._properties else name
                yield from (f"--{flag}", str(path))

    def _exit_problem(self, code: int | None, tail: str) -> str:
        """Return the error of a tap that has failed, or that has not ended."""
        if code is None:
            return (
                f"{self.name} has closed its output, and has not ended in {self._patience:g} s. It"
                " was stopped, and nothing more of this run is loaded. If it needs longer, give it"
                f" more patience. The end of its log:\n{tail}"
            )
        older = (
            "It takes no --catalog: if it takes --properties, use properties=True, or dlt singer"
            " run --properties. "
            if _NO_CATALOG.search(tail) and not self._properties
            else ""
        )
        if self._advice and not older:
            return f"{self._advice} Without them, {self.name} failed with exit code {code}:\n{tail}"
        return (
            f"{self.name} failed with exit code {code}, so nothing more of this run is loaded."
            f" {older}The end of its log:\n{tail}"
        )


def _blocks(process: ChildProcess, config: Path) -> Iterator[bytes]:
    """Yield what a tap writes; remove its config at the first line, as it has read it by then."""
    blocks = line_blocks(process)
    first = next(blocks, None)
    config.unlink(missing_ok=True)
    if first is not None:
        yield first
    yield from blocks
