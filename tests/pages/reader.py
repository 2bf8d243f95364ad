"""Run the blocks of a page in order, in a folder of their own."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from pages.blocks import ROOT, blocks, name_of
from pages.not_run import CLONED, PROGRAMS, UNLOADED
from pages.session import Session
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

if TYPE_CHECKING:
    from pages.blocks import Block
    from pages.vendors import Vendors

BIN = Path(sys.executable).parent
#: The folders of programs. The replacements of not_run.py come first.
PATH = os.pathsep.join([str(BIN), os.environ["PATH"]])
#: A folder of a clone that the blocks use.
QUERIES = Path("examples", "queries")
#: The number of `text` blocks, which are not run, by page.
PICTURES = {"CONTRIBUTING.md": 1, "docs/commands.md": 1, "docs/tap.md": 1}
#: The folder of the outputs on the pages.
HOME = "/home/you/chats"
#: Maximum seconds per block.
PATIENCE = 150

# A program that keeps running in its own terminal. It is ready after its first line.
SERVER = """#!/usr/bin/env bash
mkfifo {folder}/.first_line
{program} "$@" >{folder}/.first_line 2>{folder}/.said &
server=$!
read -r line <{folder}/.first_line || wait $server || exit
rm {folder}/.first_line
echo $server >>{folder}/.servers
cat {folder}/.said
echo "$line"
"""


# What differs from run to run: measurements, ports, and therefore the widths of tables.
_MEASURED = re.compile(r"\d+(\.\d+)?(?= (s|B|kB|MB)\b)|\d+\.\d+(?= *│)")
_PORT = re.compile(r"(?<=127\.0\.0\.1:)\d+")
_WIDTH = re.compile(r"([ ━─])\1*")

# A backslash continues a command on the next line.
_COMMAND = re.compile(r"(?:[^\n]*\\\n)*[^\n]+")


class PageError(Exception):
    """A block does not work as the page says."""


class Reader:
    """Runs the blocks of a page.

    Args:
        folder: An empty folder to run in.
        vendors: The servers.
    """

    def __init__(self, folder: Path, vendors: Vendors) -> None:
        self._folder = folder
        self._vendors = vendors
        self._open = ExitStack()
        self.pictures = 0

    def __enter__(self) -> Self:
        for name in CLONED:
            shutil.copy(ROOT / name, self._folder)
        shutil.copytree(ROOT / QUERIES, self._folder / QUERIES)
        programs = self._folder / ".programs"
        programs.mkdir()
        for name in PROGRAMS:
            words = shlex.join([sys.executable, "-m", "pages.not_run", name])
            # The check may run the program itself.
            path = shlex.quote(f"PATH={PATH}")
            stand_in = self._folder / name if "/" in name else programs / name
            stand_in.parent.mkdir(parents=True, exist_ok=True)
            self._executable(stand_in, f'#!/bin/sh\nexec env {path} {words} "$@"\n')
        server = SERVER.format(folder=self._folder, program=BIN / "tap-chat-sandbox")
        self._executable(programs / "tap-chat-sandbox", server)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
        servers = self._folder / ".servers"
        for number in servers.read_text().split() if servers.exists() else ():
            os.kill(int(number), signal.SIGTERM)

    def do(self, block: Block) -> None:
        """Run a block.

        Raises:
            PageError: It does not work as the page says.
        """
        if block.file:
            self._write(block, block.file)
        elif block.language == "sh":
            self._script(block)
        elif block.language == "console":
            self._dialogue(block)
        elif block.language == "python":
            self._python(block)
        elif block.language == "text":
            self.pictures += 1
        elif not block.language.startswith("{"):
            raise PageError(
                f"{block.place} is {block.language or 'of no language'}, and names no file: it"
                " can't be run."
            )

    def _write(self, block: Block, name: str) -> None:
        path = self._folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        try:
            path.write_text(self._vendors.file(name, block.text))
            if block.language == "yaml":
                YAML(typ="safe").load(path)
        except (ValueError, YAMLError) as error:
            raise PageError(f"{block.place}: {error}") from None

    def _script(self, block: Block) -> None:
        code, printed = self._bash(self._vendors.served(block.text))
        if code:
            raise PageError(f"{block.place} ended with {code}:\n{printed}")

    def _dialogue(self, block: Block) -> None:
        _, *parts = re.split(r"^\$ ", self._vendors.served(block.text), flags=re.MULTILINE)
        if not parts:
            raise PageError(f"{block.place} has no command: it begins with `$ `.")
        for part in parts:
            command = "".join(_COMMAND.findall(part)[:1])
            expected = part[len(command) :].strip()
            code, printed = self._bash(command)
            if code and not expected:
                raise PageError(f"{block.place}: `{command}` failed:\n{printed}")
            pattern = re.escape(alike(expected)).replace(re.escape("..."), ".*?")
            if expected and not re.fullmatch(pattern, self._at_home(printed), re.DOTALL):
                raise PageError(f"{block.place}: `{command}` printed:\n{printed}")

    def _python(self, block: Block) -> None:
        page = name_of(block.page)
        short = any(other.page == page and other.text in block.text for other in UNLOADED)
        text = self._vendors.served(block.text)
        if problem := self._session.run(block, text, short_of_load=short):
            raise PageError(f"{block.place}:\n{problem}")

    def _at_home(self, printed: str) -> str:
        """Return an output as on the page, where the folder is that of a user."""
        return alike(printed.replace(str(self._folder), HOME))

    def _bash(self, script: str) -> tuple[int, str]:
        """Run a script. Return its exit code and its output."""
        with (
            # A server that keeps running would hold a pipe open, so write into a file.
            (self._folder / ".output").open("w+") as output,
            subprocess.Popen(
                ["bash", "-euo", "pipefail", "-c", script],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            ) as process,
        ):
            try:
                code = process.wait(PATIENCE)
            except BaseException:
                # Also kill its child processes.
                os.killpg(process.pid, signal.SIGKILL)
                raise
            output.seek(0)
            return code, output.read()

    @cached_property
    def _session(self) -> Session:
        return self._open.enter_context(Session(self._folder, self._environment))

    @cached_property
    def _environment(self) -> dict[str, str]:
        here = {
            "HOME": str(self._folder),
            "COLUMNS": "100",
            # For root, dlt keeps pipelines outside of the home folder.
            "DLT_DATA_DIR": str(self._folder / ".dlt_data"),
            "PATH": os.pathsep.join([str(self._folder / ".programs"), PATH]),
            # The replacements of programs are modules of the tests.
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "RUNTIME__DLTHUB_TELEMETRY": "false",
        }
        return os.environ | self._vendors.environment | here

    @staticmethod
    def _executable(path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)


def alike(text: str) -> str:
    """Return an output without what differs from run to run."""
    return _WIDTH.sub(r"\1", _PORT.sub("0", _MEASURED.sub("0", text))).strip()


def do_all(page: Path, vendors: Vendors, folder: Path) -> None:
    """Run all blocks of a page in an empty folder.

    Raises:
        PageError: A block does not work as the page says.
    """
    with Reader(folder, vendors) as reader:
        for block in blocks(page):
            reader.do(block)
    if reader.pictures != PICTURES.get(name_of(page), 0):
        raise PageError(f"{name_of(page)} has {reader.pictures} blocks of `text`: see PICTURES.")
    for written in folder.glob("*.jsonl"):
        lines = written.read_text()
        if not lines or ('"type":"SCHEMA"' in lines and '"type":"RECORD"' not in lines):
            raise PageError(f"{name_of(page)}: {written.name} has no record.")
