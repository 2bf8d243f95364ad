"""What `singer` takes for a tap: a command to run, a Python module, or lines that are there."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BufferedIOBase, RawIOBase
from pathlib import Path
from types import ModuleType
from typing import Any

from dlt_bridge.errors import TapError
from dlt_bridge.process import Tap, blocks

#: A command, a module to run with `python -m`, or Singer lines.
TapLike = str | Sequence[str] | ModuleType | Iterable[str] | Iterable[bytes]


class Lines:
    """Singer lines that some other program wrote: a file, standard input, a list.

    Args:
        lines: The lines, as text or UTF-8.
    """

    def __init__(self, lines: Iterable[str] | Iterable[bytes]) -> None:
        self.name = "lines"
        self._lines = lines
        self._read = False

    @contextmanager
    def running(self, **_: Mapping[str, Any]) -> Iterator[Iterator[bytes]]:
        """Give the lines to the body of the `with`; there is no tap to be given anything.

        Raises:
            TapError: They were read before, and are gone.
        """
        if self._read and isinstance(self._lines, Iterator):
            raise TapError("The lines were read to their end. Give the source new ones.")
        self._read = True
        yield _blocks(self._lines)


def _blocks(lines: Iterable[str] | Iterable[bytes]) -> Iterator[bytes]:
    """Yield lines; of a file, many together."""
    file: Any = getattr(lines, "buffer", lines)
    if isinstance(file, (RawIOBase, BufferedIOBase)):
        yield from blocks(file)  # type: ignore[arg-type]
        return
    for line in lines:
        # What is no text after all is refused with the number of its line.
        yield line.encode(errors="surrogatepass") if isinstance(line, str) else line


def lines_of(tap: TapLike, config: Mapping[str, Any]) -> Tap | Lines:
    """Return what gives the lines of a tap.

    Args:
        tap: The name of an executable, a command with its arguments, a module, or lines: any
            iterable whose items are bytes, or texts that begin with `{`, and every iterator.
        config: The tap's settings.

    Raises:
        TapError: There is no such executable, or lines were given a config.
    """
    if isinstance(tap, ModuleType):
        return Tap([sys.executable, "-m", tap.__name__], config)
    if isinstance(tap, str):
        return Tap(tap, config)
    if isinstance(tap, Path):
        return Tap(str(tap), config)
    if isinstance(tap, Sequence) and not _is_message(tap):
        return Tap([str(word) for word in tap], config)
    if config:
        raise TapError("Lines take no config: the tap that wrote them had one.")
    return Lines(tap)


def _is_message(lines: Sequence[Any]) -> bool:
    return not lines or isinstance(lines[0], bytes) or str(lines[0]).lstrip().startswith("{")
