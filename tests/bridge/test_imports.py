"""Which packages a command imports: the import of one that it does not need is waiting time."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from staging import bookmark, record, schema

if TYPE_CHECKING:
    from pathlib import Path

#: Runs a command in this process, and then writes which modules it has imported.
PROGRAM = """
import sys
sys.argv = ["target-dlt", *sys.argv[2:]]
from dlt_bridge.target.__main__ import target
try:
    target()
finally:
    with open({file!r}, "w") as file:
        print(*sys.modules, file=file)
"""


def packages_imported(tmp_path: Path, *arguments: str) -> set[str]:
    """Return the packages that `target-dlt` imports with some arguments."""
    file = tmp_path / "modules"
    command = [sys.executable, "-c", PROGRAM.format(file=str(file)), "", *arguments]
    subprocess.run(command, check=True, capture_output=True)
    return {name.partition(".")[0] for name in file.read_text().split()}


@pytest.mark.parametrize("option", ["--version", "--help"])
def test_target_shows_its_version_and_help_without_dlt_and_sdk(tmp_path: Path, option: str) -> None:
    assert not packages_imported(tmp_path, option) & {"dlt", "singer_sdk", "pyarrow", "duckdb"}


def test_target_loads_into_duckdb_without_the_sdk_and_sqlalchemy(tmp_path: Path) -> None:
    config, messages = tmp_path / "config.json", tmp_path / "messages"
    credentials = str(tmp_path / "w.duckdb")
    config.write_text(json.dumps({"destination": "duckdb", "credentials": credentials}))
    lines = [schema(), record(id=1), bookmark(a={"x": 1})]
    messages.write_text("".join(json.dumps(line) + "\n" for line in lines))
    imported = packages_imported(tmp_path, "--config", str(config), "--input", str(messages))
    assert "duckdb" in imported
    assert not imported & {"singer_sdk", "joblib", "rich", "backoff", "sqlalchemy"}


def test_import_without_dlt_names_the_command_that_installs_it() -> None:
    code = "import sys; sys.modules['dlt'] = None; from dlt_bridge import load"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    *_, last = run.stderr.splitlines()
    assert "which is not installed: pip install 'tap-chat[duckdb]'" in last
