"""The schedulers of docs/schedule.md load an account, and then what is new."""

from __future__ import annotations

import fcntl
import re
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest
from guides.scheduled import EXAMPLES, SMALL, environment, users, write_settings
from ruamel.yaml import YAML
from running import BIN

from tap_chat.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Sandbox]:
    with Sandbox(SMALL) as running:
        write_settings(tmp_path, running)
        yield running


def run(command: str, folder: Path) -> None:
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def line_of_cron() -> str:
    *_, line = (EXAMPLES / "crontab").read_text().splitlines()
    return re.sub(r"^(\S+ ){5}cd /opt/tap-chat && ", "", line)


def test_line_of_cron_leaves_a_run_out_while_another_lasts(
    account: Sandbox, tmp_path: Path
) -> None:
    command = line_of_cron().replace(" bin/dlt ", f" {shlex.quote(str(BIN / 'dlt'))} ")
    with (tmp_path / "chats.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run(command, tmp_path)
    assert not (tmp_path / "warehouse.duckdb").exists()
    run(command, tmp_path)
    assert users(tmp_path) == 3
    account.world = account.world.changed({"now": "2026-06-01T00:00:00Z"})
    run(command, tmp_path)
    assert users(tmp_path) == account.world.rows["freshchat_users"] > 3


def test_job_of_github_runs_the_command_of_cron() -> None:
    text = (EXAMPLES / "github.yml").read_text()
    [job] = YAML(typ="safe", pure=True).load(text)["jobs"].values()
    *_, step = job["steps"]
    assert step["run"] in line_of_cron()
    assert {"TAP_CHAT_FRESHCHAT_API_KEY", "DESTINATION__POSTGRES__CREDENTIALS"} < step["env"].keys()
