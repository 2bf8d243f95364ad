"""dlt's command line, run in a folder, with a tap that is a real process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import duckdb
from dlt._workspace.cli._dlt import main
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs import PluggableRunContext
from running import BIN
from staging import SCRIPTED_TAP, entry

if TYPE_CHECKING:
    from pathlib import Path

TEXT = {"type": ["string", "null"]}
MESSAGE_TEXT = "my card is 4111"
#: Where the rows of the scripted tap are.
DATA = "scripted_tap_dataset"


@dataclass(frozen=True)
class Done:
    """What a command has said.

    Attributes:
        returncode: Its exit code.
        stdout: What it wrote to standard output.
        stderr: What it wrote to standard error.
    """

    returncode: Any
    stdout: str
    stderr: str


@dataclass
class Command:
    """Runs dlt's command line in a folder, with a tap that plays a script.

    Attributes:
        folder: The working folder.
        streams: The streams of the tap's catalog.
    """

    folder: Path
    streams: tuple[str, ...] = ("a",)
    environment: dict[str, str] = field(default_factory=dict)

    def plays(self, lines: list[Any], **script: Any) -> str:
        """Give the tap its lines, and return its command."""
        catalog = {"streams": [entry(name, "INCREMENTAL") for name in self.streams]}
        path = self.folder / "script.json"
        path.write_text(json.dumps({"catalog": catalog, "lines": lines, **script}))
        return f"{sys.executable} {SCRIPTED_TAP} {path}"

    @property
    def given(self) -> dict[str, Any]:
        given: dict[str, Any] = json.loads((self.folder / "script.given.json").read_text())
        return given

    def __call__(self, *words: str, program: str = "dlt") -> Done:
        """Run dlt's program within this process: to start it would take longer than the tests."""
        arguments = [program, *words]
        code: Any
        with (
            chdir(self.folder),
            patch.dict(os.environ, self.env),
            patch.object(sys, "argv", arguments),
            redirect_stdout(StringIO()) as out,
            redirect_stderr(StringIO()) as err,
        ):
            Container()[PluggableRunContext].reload_providers()
            try:
                code = main(program)
            except SystemExit as error:
                code = error.code
        Container()[PluggableRunContext].reload_providers()
        return Done(code, out.getvalue(), err.getvalue())

    def process(self, *words: str, program: str = "dlt") -> subprocess.CompletedProcess[str]:
        """Run dlt's program as a process of its own."""
        return subprocess.run(
            [str(BIN / program), *words],
            cwd=self.folder,
            env=self.env,
            capture_output=True,
            text=True,
            check=False,
        )

    @property
    def env(self) -> dict[str, str]:
        # Where dlt keeps pipelines; the width of its tables.
        own = {"DLT_DATA_DIR": str(self.folder / "dlt"), "COLUMNS": "120"}
        beside = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
        return os.environ | own | beside | self.environment

    def run(self, lines: list[Any], *words: str, **script: Any) -> str:
        """Load lines, and return what was printed."""
        done = self("singer", "run", self.plays(lines, **script), *words)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.folder / "scripted_tap.duckdb"), read_only=True) as database:
            return database.execute(query).fetchall()


def cells(printed: str, first: str) -> list[str]:
    """Return the row of a printed table that begins with a cell."""
    rows = [[cell.strip() for cell in line.strip("│ ").split("│")] for line in printed.splitlines()]
    [found] = [row for row in rows if row[0] == first]
    return found
