"""What `singer` takes for a tap: a command to run, a Python module, or lines that are there."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BufferedIOBase, RawIOBase, TextIOWrapper, UnsupportedOperation
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

from dlt_bridge.errors import MessageError, TapError
from dlt_bridge.tap.process import line_blocks

_KINDS = (
    "A tap is the name or path of an executable, a command with its arguments, a module, or the"
    " lines of a tap: an open file, standard input, any iterable of texts or bytes."
)
# What starts a tap and is none: its name says nothing about the source.
_LAUNCHER = re.compile(
    r"((python|pypy)[\d.]*|uvx?|pipx|poetry|pdm|hatch|meltano|docker|podman|env|(ba|z)?sh"
    r"|run|tool|exec|invoke)(\.exe)?"
)
_LONGEST_NAME = 64  # of a dlt schema
# What programs on Windows write at the beginning of a file.
_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}".encode()


class SingerLines:
    """Singer lines that some other program wrote: a file, standard input, a list.

    Args:
        lines: The lines, as text or UTF-8.
        refresh: Streams whose tables are dropped and made anew.
    """

    #: They may be gone when they are read.
    sends_again = False

    def __init__(
        self, lines: Iterable[str] | Iterable[bytes], *, refresh: Sequence[str] = ()
    ) -> None:
        self.name = "lines"
        self.refresh = refresh
        # What the tap that wrote them has said is not known.
        self.warnings = 0
        self._lines = lines
        self._read = False

    @contextmanager
    def running(self, **_: Mapping[str, Any]) -> Iterator[Iterator[bytes]]:
        """Give the lines to the body of the `with`; there is no tap to be given anything.

        Raises:
            TapError: They were read before, and are gone.
            MessageError: An item is neither text nor bytes.
        """
        if self._read and isinstance(self._lines, Iterator):
            raise TapError("The lines were read to their end. Give the source new ones.")
        self._read = True
        yield _marked(_blocks(self._lines))


#: A command, a module to run with `python -m`, or Singer lines.
TapLike = (
    str
    | os.PathLike[str]
    | Sequence[str | os.PathLike[str]]
    | ModuleType
    | Iterable[str]
    | Iterable[bytes]
    | SingerLines
)


def _marked(written: Iterator[bytes]) -> Iterator[bytes]:
    """Yield what was written without a byte order mark before it."""
    if (first := next(written, None)) is not None:
        yield first.removeprefix(_BYTE_ORDER_MARK)
    yield from written


def _blocks(lines: Iterable[Any]) -> Iterator[bytes]:
    """Yield lines; of a file, many together."""
    file = _binary(lines)
    if file is not None:
        yield from line_blocks(file)
        return
    for number, line in enumerate(lines, start=1):
        yield _encoded(line, number)


def _binary(lines: Iterable[Any]) -> Any:  # noqa: ANN401
    """Return the binary file that lines are of; None if they are of none, or only as texts."""
    if isinstance(lines, TextIOWrapper) and lines.encoding.lower() in {"utf-8", "utf8"}:
        try:
            # Refused if there are texts that were read ahead: these would be missed.
            lines.reconfigure(encoding=lines.encoding, errors=lines.errors)
        except UnsupportedOperation:
            return None
        lines = lines.buffer
    return lines if isinstance(lines, (RawIOBase, BufferedIOBase)) else None


def _encoded(line: object, number: int) -> bytes:
    if isinstance(line, str):
        # What is no UTF-8 after all is refused with the number of its line.
        return line.encode(errors="surrogatepass")
    if isinstance(line, (bytes, bytearray, memoryview)):
        return bytes(line)
    raise MessageError(
        f"Line {number} is a {type(line).__name__}, but Singer lines are texts or bytes. Make one"
        " of a message with json.dumps."
    )


def command_of(tap: TapLike) -> list[str]:
    """Return the command that runs a tap; an empty one if it is lines that are there.

    Args:
        tap: The name or path of an executable, a command with its arguments, a module, or lines:
            every iterator, and any other iterable whose first item is bytes or begins with `{`.

    Raises:
        TapError: It is none of these.
    """
    if isinstance(tap, SingerLines):
        return []
    if isinstance(tap, ModuleType):
        return [sys.executable, "-m", tap.__name__]
    if isinstance(tap, (bytes, bytearray, memoryview)) or (
        isinstance(tap, str) and _is_message(tap)
    ):
        # The error does not show it: there are records in it.
        raise TapError(f"A text is not yet lines: split it with splitlines(). {_KINDS}")
    if isinstance(tap, (str, os.PathLike)):
        return [os.fspath(tap)]
    if isinstance(tap, Mapping) or not isinstance(tap, Iterable):
        raise TapError(f"{type(tap).__name__} is no tap. {_KINDS}")
    if isinstance(tap, Sequence) and not _are_lines(tap):
        return [str(word) for word in tap]
    return []


def name_of(command: Sequence[str]) -> str:
    """Return the name of a tap's source: of the executable, or of what a launcher is to start.

    Args:
        command: As `command_of` returned it.

    Raises:
        TapError: The command tells no name.
    """
    if not command:
        return "singer"
    names = [Path(command[0]).name]
    if _LAUNCHER.fullmatch(names[0]):
        names = [
            # Of `python -m tap_x.main`, the package.
            word.partition(".")[0] if before == "-m" else Path(word).name
            for before, word in pairwise(command)
            if not word.startswith("-")
        ]
        names = [
            word
            for word in names
            if re.fullmatch(r"[\w.-]+", word) and not _LAUNCHER.fullmatch(word)
        ]
        # `uv run --with x tap-y`
        names.sort(key=lambda word: not word.startswith(("tap-", "tap_")))
    if not names:
        raise TapError("The command of the tap does not tell its name. Give one: singer(name=...).")
    return as_name(re.sub(r"\.(py|exe)$", "", names[0]))


def as_name(text: str) -> str:
    """Return a text as the name of a source, which dlt wants to be like one of Python's."""
    name = re.sub(r"\W+", "_", text)[:_LONGEST_NAME]
    return name if name.isidentifier() else f"_{name}"[:_LONGEST_NAME]


def _are_lines(items: Sequence[Any]) -> bool:
    """Say whether a sequence is of lines, and not of the words of a command."""
    first = next((item for item in items if str(item).strip()), b"")
    return not isinstance(first, (str, os.PathLike)) or _is_message(str(first))


def _is_message(text: str) -> bool:
    return text.lstrip().removeprefix(_BYTE_ORDER_MARK.decode()).startswith("{")
