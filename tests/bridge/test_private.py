"""Private files are removed after a run, however it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from bridge.destinations import DATASET, Postgres
from running import BIN
from staging import bookmark, record, schema

from dlt_bridge.tap import private_folder as private
from dlt_bridge.tap.private_folder import private_folder, write_private

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bridge.destinations import Warehouse

SECRET = "s3cret-of-the-tap"
# A script of a user, which handles no signal.
SCRIPT = """
import sys
from dlt_bridge.tap.process import Tap

with Tap([sys.executable, "-c", *sys.argv[1:3]], {"password": sys.argv[3]}).running():
    sys.stdin.read()
"""
# A tap that writes nothing, says where its config is, and ends when that is gone.
SILENT_TAP = """
import os, sys
said, _, config = sys.argv[1:]
with open(said, "w") as file:
    file.write(config)
while os.path.exists(config):
    os.sched_yield()
"""
STOPPING = [signal.SIGTERM, signal.SIGKILL]


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def wait_until_empty(folder: Path) -> None:
    """Wait for what another process does after the end of one."""
    while any(folder.iterdir()):
        os.sched_yield()


@pytest.mark.parametrize("signum", STOPPING)
def test_script_killed_before_the_first_line_leaves_nothing(
    temporary: Path, tmp_path: Path, signum: int
) -> None:
    said = tmp_path / "said"
    os.mkfifo(said)
    command = [sys.executable, "-c", SCRIPT, SILENT_TAP, str(said), SECRET]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as script:
        config = said.read_text()
        assert config.startswith(str(temporary))
        assert any(temporary.iterdir())
        script.send_signal(signum)
        assert script.wait() == -signum
    wait_until_empty(temporary)


@pytest.mark.parametrize("signum", STOPPING)
def test_killed_target_leaves_no_rows(temporary: Path, tmp_path: Path, signum: int) -> None:
    config = tmp_path / "target.json"
    config.write_text(f'{{"destination": "duckdb", "credentials": "{tmp_path}/w.duckdb"}}')
    command = [str(BIN / "target-dlt"), "--config", str(config)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as target:
        while not any(temporary.rglob("*.json")):
            assert target.poll() is None
        target.send_signal(signum)
        handled = signum == signal.SIGTERM
        assert target.wait() == (128 + signum if handled else -signum)
    wait_until_empty(temporary)


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_folder_is_removed_after_a_signal_to_all_processes(tmp_path: Path, signum: int) -> None:
    """Service managers send signals to all processes."""
    folder = tmp_path / "private"
    folder.mkdir()
    with private._guardian() as guardian:
        assert guardian.stdin is not None
        guardian.stdin.write(os.fsencode(folder))
        guardian.send_signal(signum)
    assert guardian.returncode == 0
    assert not folder.exists()


def test_removal_waits_for_no_other_process(temporary: Path) -> None:
    """A child of the process may still run."""
    with private_folder("x-"):
        other = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    assert not any(temporary.iterdir())
    with other:
        assert other.poll() is None


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


@pytest.mark.usefixtures("open_umask", "temporary")
def test_other_users_cannot_read_private_files() -> None:
    with private_folder("x-") as folder:
        file = folder / "config.json"
        write_private(file, SECRET)
        assert stat.S_IMODE(folder.stat().st_mode) == stat.S_IRWXU
        assert stat.S_IMODE(file.stat().st_mode) == stat.S_IRUSR | stat.S_IWUSR


def test_missing_folder_is_not_an_error(temporary: Path) -> None:
    with private_folder("x-") as folder:
        folder.rmdir()
    assert not any(temporary.iterdir())


@pytest.mark.parametrize("warehouse", ["postgres"], indirect=True)
def test_working_files_of_a_target_hold_no_credentials(
    tmp_path: Path, warehouse: Warehouse
) -> None:
    assert isinstance(warehouse, Postgres)
    config = {
        "destination": "postgres",
        # The server trusts everybody, whatever the password.
        "credentials": re.sub(r"//(\w+)[^@]*@", rf"//\1:{SECRET}@", warehouse.url),
        "dataset_name": DATASET,
        "pipelines_dir": str(tmp_path / "working"),
    }
    assert SECRET in config["credentials"]
    path = tmp_path / "target.json"
    path.write_text(json.dumps(config))
    lines = [schema(), record(id=1), bookmark(a={"x": 1})]
    text = "".join(f"{json.dumps(line)}\n" for line in lines)
    command = [str(BIN / "target-dlt"), "--config", str(path)]
    run = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    files = [file for file in (tmp_path / "working").rglob("*") if file.is_file()]
    assert any(file.suffix == ".pickle" for file in files)
    assert [file for file in files if SECRET.encode() in file.read_bytes()] == []
