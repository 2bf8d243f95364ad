"""The recipes of docs/schedule-accounts.md load all accounts."""

from __future__ import annotations

import fcntl
import re
import runpy
import shlex
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from accounts.recipes import (
    EXAMPLES,
    NAMES,
    PROGRAM,
    SMALL,
    environment,
    loaded,
    write_accounts,
)
from ruamel.yaml import YAML
from running import BIN

from tap_chat.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ALL_LOADED = dict.fromkeys(NAMES, 3)


@pytest.fixture(scope="module")
def sandbox_of_accounts() -> Iterator[Sandbox]:
    with Sandbox(SMALL) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, sandbox_of_accounts: Sandbox) -> Path:
    write_accounts(tmp_path, sandbox_of_accounts)
    return tmp_path


def run(command: list[str], folder: Path, code: int = 0, **own: str) -> str:
    """Run a command of a recipe in a folder, and return what it has printed."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment(folder, **own),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def read_yaml(name: str) -> Any:
    return YAML(typ="safe", pure=True).load((EXAMPLES / name).read_text())


def test_pods_of_kubernetes_share_the_accounts(folder: Path) -> None:
    job = read_yaml("kubernetes.yaml")["spec"]["jobTemplate"]["spec"]
    [container] = job["template"]["spec"]["containers"]
    assert container["command"] == ["python", f"config/{PROGRAM.name}"]
    values = {item["name"]: item["value"] for item in container["env"]}
    assert values["SHARES"] == str(job["completions"])
    command = [sys.executable, str(PROGRAM)]
    # An account that fails does not stop the others of its pod.
    said = run(command, folder, 1, UMBRELLA_KEY="wrong-key-7")
    assert loaded(folder) == {"acme": 3}
    assert "401" in said
    assert "wrong-key-7" not in said
    [first, _] = sorted(NAMES)
    said = run(command, folder, SHARES="2", JOB_COMPLETION_INDEX="0")
    assert [name for name in NAMES if f"{name}: " in said] == [first]
    assert loaded(folder) == ALL_LOADED


def test_an_account_whose_variable_is_not_set_does_not_stop_the_program(
    capsys: pytest.CaptureFixture[str],
) -> None:
    load = runpy.run_path(str(PROGRAM))["load"]
    assert load("acme", {"api_key": "${NO_SUCH_KEY}"}) is False
    assert (
        "Account acme: the environment variable NO_SUCH_KEY is not set." in capsys.readouterr().out
    )


def test_line_of_cron_leaves_a_run_out_while_another_lasts(folder: Path) -> None:
    *_, line = (EXAMPLES / "crontab").read_text().splitlines()
    command = re.sub(r"^(\S+ ){5}cd /opt/tap-chat && ", "", line)
    command = command.replace("--destination postgres", "--destination duckdb")
    command = command.replace(" bin/dlt ", f" {shlex.quote(str(BIN / 'dlt'))} ")
    with (folder / "chats.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run(["sh", "-c", command], folder)
    assert not (folder / "warehouse.duckdb").exists()
    run(["sh", "-c", command], folder)
    assert loaded(folder) == ALL_LOADED


def test_job_of_github_runs_the_command_of_cron() -> None:
    [job] = read_yaml("github.yml")["jobs"].values()
    *_, step = job["steps"]
    assert {"ACME_KEY", "UMBRELLA_KEY"} < step["env"].keys()
    cron = (EXAMPLES / "crontab").read_text()
    assert re.sub(r"--workers \d+", "--workers 8", step["run"]) in cron
