"""Draw docs/pictures/cast.svg: commands of the quick start, with their real output.

`make pictures` runs the commands in a terminal of 80 columns, against the sandbox. The picture
shows the lines one after another; where nothing can move, it shows all of them.
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from dataclasses import dataclass, field
from html import escape
from itertools import groupby
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.cells import cell_len

ROOT = Path(__file__).parent.parent
PICTURE = ROOT / "docs" / "pictures" / "cast.svg"
COLUMNS = 80
#: The commands as a person types them.
COMMANDS = (
    "tap-chat-sandbox --write-config sandbox.json &",
    """dlt singer run tap-chat --config sandbox.json \\
    --select freshchat_agents 'freshchat_*messages' 'dixa_conv*' 'dixa_mess*'""",
    """python -c "import duckdb
duckdb.connect('tap_chat.duckdb').sql('''
    select initial_channel as channel, count(*) as conversations,
        round(avg(rating_score), 1) as rating, count(rating_score) as rated
    from tap_chat_dataset.dixa_conversation_export
    group by all order by conversations desc''').show()\"""",
)
#: How the picture shows the folder of the run.
SHOWN = "/chats"
#: The sandbox keeps running: its first lines are its output.
SANDBOX = COMMANDS[0]
#: A sequence of the terminal, or a character.
PART = re.compile(r"\x1b\[(?P<numbers>[\d;?]*)(?P<what>[A-Za-z])|\x1b.|(?P<text>.)", re.DOTALL)
#: Seconds between a command and its output, between its lines, and until the next command.
THINK, LINE, PAUSE = 1.0, 0.06, 2.0
#: Pixels.
SIZE, WIDE, HIGH, MARGIN = 13, 7.8, 17, 14
STYLE = """
text { font: 13px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #e6edf3;
  white-space: pre; }
.bold { font-weight: bold; }
.dim { fill: #8b949e; }
.red { fill: #ff7b72; } .green { fill: #7ee787; } .yellow { fill: #e3b341; }
.blue { fill: #79c0ff; } .magenta { fill: #d2a8ff; } .cyan { fill: #76e3ea; }
.line { animation: appear linear backwards; }
@keyframes appear { from, 99% { opacity: 0; } to { opacity: 1; } }
@media (prefers-reduced-motion: reduce) { .line { animation: none; } }
"""
COLOURS = {31: "red", 32: "green", 33: "yellow", 34: "blue", 35: "magenta", 36: "cyan"}
Cell = tuple[str, str]


@dataclass
class Screen:
    """What a terminal shows after a program has written to it.

    Attributes:
        rows: The cells of each row: a character and its classes.
    """

    rows: list[list[Cell]] = field(default_factory=lambda: [[]])
    row: int = 0
    column: int = 0
    classes: frozenset[str] = frozenset()

    def write(self, text: str) -> None:
        """Take what a program has written."""
        for part in PART.finditer(text):
            numbers = [int(number) for number in re.findall(r"\d+", part["numbers"] or "")]
            if part["what"] == "A":
                self.row = max(0, self.row - (numbers or [1])[0])
            elif part["what"] == "K":
                self.rows[self.row] = [] if numbers == [2] else self.rows[self.row][: self.column]
            elif part["what"] == "m":
                self._style(numbers)
            elif part["text"] == "\n":
                self._down()
            elif part["text"] == "\r":
                self.column = 0
            elif part["text"] and part["text"].isprintable():
                self._put(part["text"])

    def _down(self) -> None:
        self.row += 1
        if self.row == len(self.rows):
            self.rows.append([])

    def _put(self, character: str) -> None:
        if self.column >= COLUMNS:
            self._down()
            self.column = 0
        row = self.rows[self.row]
        row += [(" ", "")] * (self.column - len(row))
        # A wide character has an empty cell after it.
        cells = [(character, " ".join(sorted(self.classes)))]
        cells += [("", cells[0][1])] * (cell_len(character) - 1)
        row[self.column : self.column + len(cells)] = cells
        self.column += len(cells)

    def _style(self, numbers: list[int]) -> None:
        for number in numbers or [0]:
            if number == 0:
                self.classes = frozenset()
            elif number in (1, 2):
                self.classes |= {("bold", "dim")[number - 1]}
            elif number == 22:  # noqa: PLR2004 - neither bold nor dim
                self.classes -= {"bold", "dim"}
            elif number % 60 in COLOURS:
                self.classes = self.classes - set(COLOURS.values()) | {COLOURS[number % 60]}
            elif number == 39:  # noqa: PLR2004 - the colour of the terminal
                self.classes -= set(COLOURS.values())

    @property
    def shown(self) -> list[list[Cell]]:
        """The rows without empty ones at the end."""
        rows = list(self.rows)
        while rows and not "".join(character for character, _ in rows[-1]).strip():
            rows.pop()
        return rows


def output(process: subprocess.Popen[bytes], terminal: int, folder: str, lines: int = 0) -> Screen:
    """Read what a program writes to a terminal, to its end or until it has written some lines."""
    screen, text = Screen(), b""
    while not lines or text.count(b"\n") < lines:
        try:
            read = os.read(terminal, 65536)
        except OSError:  # Linux: the program has closed the terminal
            break
        if not read:
            break
        text += read
    screen.write(text.decode().replace(folder, SHOWN))
    if not lines and process.wait():
        sys.exit(f"{process.args!r} failed:\n{text.decode()}")
    return screen


def started(command: str, folder: Path) -> tuple[subprocess.Popen[bytes], int]:
    """Start a command in a terminal, and return its process and the terminal."""
    ours, theirs = pty.openpty()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        ["/bin/sh", "-c", command],
        cwd=folder,
        env=os.environ
        | {"PATH": path, "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
        | {"DLT_DATA_DIR": str(folder / "dlt"), "RUNTIME__DLTHUB_TELEMETRY": "false"},
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    return process, ours


def recorded() -> list[tuple[str, list[list[Cell]]]]:
    """Run the commands, and return each with the rows of its output."""
    found = []
    with TemporaryDirectory() as folder:
        sandbox, terminal = started(f"exec {SANDBOX.rstrip(' &')}", Path(folder))
        try:
            found.append((SANDBOX, output(sandbox, terminal, folder, lines=3).shown))
            for command in COMMANDS[1:]:
                process, screen = started(command, Path(folder))
                found.append((command, output(process, screen, folder).shown))
        finally:
            sandbox.terminate()
            sandbox.wait()
    return found


def drawn(parts: list[tuple[str, list[list[Cell]]]]) -> str:
    """Return the picture of commands and their output."""
    lines: list[str] = []
    time, top = 0.5, float(MARGIN)
    for command, rows in parts:
        typed = [[("$", "green"), (" ", ""), *((character, "bold") for character in command)]]
        broken = [
            list(cells)
            for is_end, cells in groupby(typed[0], lambda cell: cell[0] == "\n")
            if not is_end
        ]
        for place, row in enumerate([*broken, *rows, []]):
            time += 0 if place < len(broken) else THINK if place == len(broken) else LINE
            top += HIGH
            lines += [
                f'<g class="line" style="animation-duration: {time:.2f}s">{text}</g>'
                for text in [line(row, top)]
                if text
            ]
        time += PAUSE
    width, height = round(COLUMNS * WIDE + 2 * MARGIN), round(top + MARGIN / 2)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}">\n<style>{STYLE}</style>\n'
        f'<rect width="{width}" height="{height}" rx="8" fill="#0d1117" stroke="#6e7681"/>\n'
        + "\n".join(lines)
        + "\n</svg>\n"
    )


def line(row: list[Cell], top: float) -> str:
    """Return the texts of a row, one for each run of a style."""
    texts, column = [], 0
    for classes, cells in groupby(row, lambda cell: cell[1]):
        run = [character for character, _ in cells]
        text = "".join(run)
        if text.strip():
            before = len(text) - len(text.lstrip(" "))
            length = (len(run) - before - (len(text) - len(text.rstrip(" ")))) * WIDE
            texts.append(
                f'<text x="{MARGIN + (column + before) * WIDE:.1f}" y="{top:.0f}"'
                f' textLength="{length:.1f}" lengthAdjust="spacingAndGlyphs"'
                + (f' class="{classes}"' if classes else "")
                + f">{escape(text.strip(' '), quote=False)}</text>"
            )
        column += len(run)
    return "".join(texts)


def main() -> None:
    """Write the picture."""
    PICTURE.write_text(drawn(recorded()))


if __name__ == "__main__":
    main()
