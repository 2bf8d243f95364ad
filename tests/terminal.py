"""A terminal with the output of a program, as a person sees it at the end."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

COLUMNS, ROWS = 80, 24
#: A sequence that moves the cursor, erases or colours; or a character.
PART = re.compile(r"\x1b\[(?P<numbers>[\d;?]*)(?P<what>[A-Za-z])|(?P<text>.)", re.DOTALL)


@dataclass
class Screen:
    """A terminal with a fixed number of columns, and an unlimited number of lines.

    Attributes:
        columns: The number of columns.
        lines: The lines.
        written: All that was written.
    """

    columns: int = COLUMNS
    lines: list[str] = field(default_factory=lambda: [""])
    written: str = ""
    row: int = 0
    column: int = 0

    def take(self, written: str) -> None:
        for part in PART.finditer(written):
            if part["what"] == "A":
                self.row -= int(part["numbers"] or 1)
            elif part["what"] == "K":
                self.lines[self.row] = ""
            elif part["text"] == "\n":
                self._to(self.row + 1, self.column)
            elif part["text"] == "\r":
                self.column = 0
            elif part["text"]:
                self._put(part["text"])

    def _put(self, character: str) -> None:
        if self.column == self.columns:
            self._to(self.row + 1, 0)
        line = self.lines[self.row].ljust(self.column)
        self.lines[self.row] = line[: self.column] + character + line[self.column + 1 :]
        self.column += 1

    def _to(self, row: int, column: int) -> None:
        self.row, self.column = row, column
        while len(self.lines) <= row:
            self.lines.append("")

    @property
    def text(self) -> str:
        """All lines, with wrapped lines joined."""
        return "".join(
            line if len(line) == self.columns else f"{line.rstrip()}\n" for line in self.lines
        )


def on_terminal(
    command: list[str],
    environment: Mapping[str, str] | None = None,
    *,
    columns: int = COLUMNS,
    rows: int = ROWS,
    folder: Path | None = None,
    signals: Mapping[str, Path] | None = None,
) -> tuple[Screen, Any]:
    """Run a command with a terminal as standard error. Return the terminal and the process.

    Args:
        command: The command.
        environment: Further environment variables.
        columns: The width of the terminal.
        rows: Its height.
        folder: The working folder.
        signals: Files to create when the pattern has been written to the terminal, so that what
            runs can wait for that.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    seen = bytearray()

    def look() -> None:
        try:
            while part := os.read(ours, 4096):
                seen.extend(part)
                for pattern, file in (signals or {}).items():
                    if re.search(pattern.encode(), seen):
                        file.touch()
        except OSError:  # the end of a terminal
            pass

    watcher = threading.Thread(target=look)
    watcher.start()
    env = {**os.environ, "TERM": "xterm", **(environment or {})}
    env.pop("COLUMNS", None)
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=theirs, env=env, cwd=folder, check=False
    )
    os.close(theirs)
    watcher.join()
    os.close(ours)
    screen = Screen(columns)
    screen.written = seen.decode()
    screen.take(screen.written)
    return screen, done


def in_dialog(command: list[str], dialog: list[tuple[str, str]], **options: Any) -> tuple[str, int]:
    """Run a command in a terminal, and type lines when it asks for them.

    Args:
        command: The command.
        dialog: The end of each question, and the line to type.
        options: Arguments of `Popen`, such as `cwd`.

    Returns:
        All that the terminal has shown, and the exit code.
    """
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True, **options
    ) as process:
        os.close(theirs)
        shown, seen = "", 0
        with suppress(OSError):  # the end of a terminal
            while part := os.read(ours, 4096):
                shown += part.decode()
                if dialog and dialog[0][0] in shown[seen:]:
                    seen = len(shown)
                    os.write(ours, f"{dialog.pop(0)[1]}\n".encode())
        os.close(ours)
    assert dialog == [], shown
    return shown, process.returncode
