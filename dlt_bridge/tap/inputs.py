"""The inputs of a source: a tap as a command or a module, lines that exist already, JSON files."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from io import BufferedIOBase, RawIOBase, TextIOWrapper, UnsupportedOperation
from itertools import pairwise
from pathlib import Path
from types import ModuleType
from typing import Any

from dlt_bridge.errors import BridgeError, MessageError, TapError
from dlt_bridge.tap.line_blocks import line_blocks

_KINDS = (
    "A tap is the name or path of an executable, a command with its arguments, a module, or the"
    " lines of a tap: an open file, standard input, any iterable of texts or bytes."
)
# Programs that start a tap: their names say nothing about the source.
_LAUNCHER = re.compile(
    r"((python|pypy)[\d.]*|uvx?|pipx|poetry|pdm|hatch|meltano|docker|podman|env|(ba|z)?sh"
    r"|run|tool|exec|invoke)(\.exe)?"
)
_LONGEST_NAME = 64  # of a dlt schema
# An account that can be part of a name as it is, and does not end like one that can't; and the most
# characters of a tap's name and of another account.
_PORTABLE = re.compile("(?!(.*_)?[0-9a-f]{8}$)[a-z0-9]{1,24}(_[a-z0-9]{1,24})?")
_READABLE = 24
# Databases hold no NUL, and UTF-8 no surrogates.
_ACCOUNT = re.compile("[^\0\ud800-\udfff]+")
# Programs on Windows write it at the beginning of a file.
_BYTE_ORDER_MARK = "\N{ZERO WIDTH NO-BREAK SPACE}".encode()


class SingerLines:
    """Singer lines that another program wrote: a file, standard input, a list.

    Args:
        lines: The lines, as texts or UTF-8.
        refresh: Streams whose tables are dropped and created again.
    """

    #: Lines can't be read from an earlier STATE again.
    can_resend = False

    def __init__(
        self, lines: Iterable[str] | Iterable[bytes], *, refresh: Sequence[str] = ()
    ) -> None:
        self.name = "lines"
        self.refresh = refresh
        # The log of the tap that wrote them is not known.
        self.warnings = 0
        self.requests: int | None = None
        self.waited: float | None = None
        self.log: None = None
        self._lines = lines
        self._read = False

    @contextmanager
    def running(self, **_: Mapping[str, Any]) -> Iterator[Iterator[bytes]]:
        """Give the lines to the body of the `with`.

        Raises:
            TapError: They are an iterator, and have been read before.
            MessageError: An item is neither text nor bytes.
        """
        if self._read and isinstance(self._lines, Iterator):
            raise TapError("The lines were read to their end. Give the source new ones.")
        self._read = True
        yield _without_byte_order_mark(_blocks(self._lines))


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


def _without_byte_order_mark(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield blocks without the byte order mark of the first."""
    if (first := next(blocks, None)) is not None:
        yield first.removeprefix(_BYTE_ORDER_MARK)
    yield from blocks


def _blocks(lines: Iterable[Any]) -> Iterator[bytes]:
    """Yield lines: those of a file in blocks, others one by one."""
    file = _binary_file(lines)
    if file is not None:
        yield from line_blocks(file)
        return
    for number, line in enumerate(lines, start=1):
        yield _encoded(line, number)


def _binary_file(lines: Iterable[Any]) -> Any:  # noqa: ANN401
    """Return the binary file that lines are in; None if there is none, or it can't be used."""
    if isinstance(lines, TextIOWrapper) and lines.encoding.lower() in {"utf-8", "utf8"}:
        try:
            # Refused if texts have been read ahead: they would be lost.
            lines.reconfigure(encoding=lines.encoding, errors=lines.errors)
        except UnsupportedOperation:
            return None
        lines = lines.buffer
    return lines if isinstance(lines, (RawIOBase, BufferedIOBase)) else None


def _encoded(line: object, number: int) -> bytes:
    if isinstance(line, str):
        # A lone surrogate is refused later, with the number of the line.
        return line.encode(errors="surrogatepass")
    if isinstance(line, (bytes, bytearray, memoryview)):
        return bytes(line)
    raise MessageError(
        f"Line {number} is a {type(line).__name__}, but Singer lines are texts or bytes. Make one"
        " of a message with json.dumps."
    )


def tap_command(tap: TapLike) -> list[str]:
    """Return the command that runs a tap; empty if the input is lines.

    Args:
        tap: The name or path of an executable, a command with its arguments, a module, or lines:
            an iterator, or another iterable whose first item is bytes or begins with `{`.

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
        raise TapError(f"A text is not a list of lines: split it with splitlines(). {_KINDS}")
    if isinstance(tap, (str, os.PathLike)):
        return [os.fspath(tap)]
    if isinstance(tap, Mapping) or not isinstance(tap, Iterable):
        raise TapError(f"{type(tap).__name__} is not a tap. {_KINDS}")
    if isinstance(tap, Sequence) and not _are_lines(tap):
        return [str(word) for word in tap]
    return []


def default_source_name(command: Sequence[str]) -> str:
    """Return the name of a tap's source: that of the executable, or of what a launcher starts.

    Args:
        command: As `tap_command` returned it.

    Raises:
        TapError: The command has no name for a source.
    """
    if not command:
        return "singer"
    names = [Path(command[0]).name]
    if _LAUNCHER.fullmatch(names[0]):
        names = [
            # The package of `python -m tap_x.main`.
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
        raise TapError("The command of the tap does not show its name. Give one: singer(name=...).")
    return to_source_name(re.sub(r"\.(py|exe)$", "", names[0]))


def to_source_name(text: str) -> str:
    """Return a text as the name of a source, which dlt requires to be a Python identifier."""
    name = re.sub(r"\W+", "_", text)[:_LONGEST_NAME]
    return name if name.isidentifier() else f"_{name}"[:_LONGEST_NAME]


def is_account(value: object) -> bool:
    """Return whether a value can be an account: a text that databases hold, and not empty."""
    return isinstance(value, str) and bool(_ACCOUNT.fullmatch(value))


def source_name(tap_name: str, account: str | None) -> str:
    """Return the default name of a source.

    Args:
        tap_name: The name of the tap.
        account: The account; None for no accounts.
    """
    return tap_name if account is None else account_source_name(tap_name, account)


def account_source_name(name: str, account: str) -> str:
    """Return the name of the source of one account; different accounts have different names.

    Args:
        name: The name of the source of the tap.
        account: The account: any text.
    """
    name = name[:_READABLE]
    if _PORTABLE.fullmatch(account) and len(name) + len(account) < _LONGEST_NAME:
        return to_source_name(f"{name}_{account}")
    # Names that differ only in case or signs need a part that differs everywhere.
    readable = re.sub(r"[^a-z0-9]+", "_", account.lower()).strip("_")[:_READABLE]
    digest = sha256(account.encode(errors="surrogatepass")).hexdigest()[:8]
    return to_source_name("_".join(part for part in (name, readable, digest) if part))


def _are_lines(items: Sequence[Any]) -> bool:
    """Return whether a sequence has lines, and not the words of a command."""
    first = next((item for item in items if str(item).strip()), b"")
    return not isinstance(first, (str, os.PathLike)) or _is_message(str(first))


def _is_message(text: str) -> bool:
    return text.lstrip().removeprefix(_BYTE_ORDER_MARK.decode()).startswith("{")


def json_object(name: str, content: str) -> dict[str, Any]:
    """Return the object in a JSON file.

    Args:
        name: The file.
        content: The kind of its content, for errors: `config`, `catalog` or `state`.

    Raises:
        BridgeError: It can't be read, or is not a JSON object. The error shows nothing of it.
    """
    try:
        value = json.loads(Path(name).read_bytes())
    except OSError as error:
        raise BridgeError(f"The {content} file {name} can't be read: {error.strerror}.") from None
    except json.JSONDecodeError as error:
        line, column = error.lineno, error.colno
        raise BridgeError(
            f"The {content} file {name} is not valid JSON: line {line}, column {column}."
        ) from None
    except UnicodeDecodeError:
        raise BridgeError(f"The {content} file {name} is not UTF-8 text.") from None
    except (ValueError, RecursionError):
        raise BridgeError(f"The {content} file {name} is not valid JSON.") from None
    if not isinstance(value, dict):
        raise BridgeError(f"The {content} file {name} is not a JSON object.")
    return value
