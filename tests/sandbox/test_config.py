"""`tap-chat-sandbox --write-config` writes a config that runs, and overwrites no other file."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from running import assert_complete

from tap_chat.sandbox import DIALECTS, Sandbox, World
from tap_chat.sandbox.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

    from running import Runner

COMMAND = str(Path(sys.executable).parent / "tap-chat-sandbox")


@contextmanager
def started(*options: str) -> Iterator[str]:
    """Run the command, and yield its address."""
    with subprocess.Popen(
        [COMMAND, *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def test_written_config_reads_all_platforms(tmp_path: Path, tap: Runner) -> None:
    file = tmp_path / "sandbox.json"
    with started(f"--write-config={file}", "--seed=5"):
        # Who has the address also has the config.
        config = json.loads(file.read_text())
        run = tap(config)
    assert config.keys() - {"start_date"} == {dialect.name for dialect in DIALECTS}
    with Sandbox(World(seed=5)) as same:
        assert_complete(run, same, *same.world.rows)
    assert file.stat().st_mode & 0o777 == 0o600


def test_next_sandbox_replaces_the_config_and_no_other_file(tmp_path: Path) -> None:
    file, other = tmp_path / "sandbox.json", tmp_path / "other.json"
    with started(f"--write-config={file}"):
        pass
    with started(f"--write-config={file}") as url:
        assert json.loads(file.read_text())["chat"]["api_url"] == url
    assert list(tmp_path.iterdir()) == [file]

    for text in ('{"chat": {"api_key": "real"}}', '{"start_date": "2026-01-01"}', "[]", "key"):
        other.write_text(text)
        done = CliRunner().invoke(main, ["--write-config", str(other)])
        assert done.exit_code == 1
        assert done.output == (
            f"Error: {other} exists and is not a config of a sandbox. Choose another file.\n"
        )
        assert other.read_text() == text


def test_config_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "missing" / "sandbox.json"
    done = CliRunner().invoke(main, ["--write-config", str(file)])
    assert done.exit_code == 1
    assert done.output == f"Error: {file} can't be written: No such file or directory.\n"


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--version", f"tap-chat-sandbox v{version('tap-chat')}\n"),
        ("--help", "\n    tap-chat-sandbox --write-config sandbox.json\n"),
    ],
)
def test_command_describes_itself(option: str, text: str) -> None:
    done = CliRunner().invoke(main, [option], prog_name="tap-chat-sandbox")
    assert done.exit_code == 0
    assert text in done.output
