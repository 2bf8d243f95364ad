"""The DAGs of docs/schedule.md and docs/schedule-accounts.md load an account, and all accounts."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from accounts.recipes import EXAMPLES, NAMES, PROGRAM, SMALL, environment, loaded, write_accounts
from guides import scheduled
from interop.environments import program
from running import BIN

from tap_chat.sandbox import Sandbox

if TYPE_CHECKING:
    from pathlib import Path


# Airflow starts three times.
@pytest.mark.timeout(900)
def test_dags_load_one_account_and_all(tmp_path: Path) -> None:
    airflow, home = program("airflow", "airflow"), tmp_path / "airflow"
    one = tmp_path / "one"
    (home / "dags").mkdir(parents=True)
    one.mkdir()
    shutil.copy(EXAMPLES / "airflow.py", home / "dags")
    shutil.copy(scheduled.EXAMPLES / "airflow.py", home / "dags" / "one.py")
    shutil.copy(PROGRAM, tmp_path)
    for folder, name in ((tmp_path, "python"), (one, "dlt")):
        (folder / "bin").mkdir()
        (folder / "bin" / name).write_text(f'#!/bin/sh\nexec "{BIN / name}" "$@"\n')
        (folder / "bin" / name).chmod(0o755)
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    of_all = environment(tmp_path, **settings, TAP_CHAT_HOME=str(tmp_path))
    of_one = scheduled.environment(one, **settings, TAP_CHAT_HOME=str(one))

    def run(environment: dict[str, str], *words: str) -> str:
        done = subprocess.run(
            [airflow, *words],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    with Sandbox(SMALL) as sandbox:
        write_accounts(tmp_path, sandbox)
        scheduled.write_settings(one, sandbox)
        run(of_all, "db", "migrate")
        run(of_one, "dags", "test", "chats_of_an_account")
        run(of_all, "dags", "test", "chats")
    assert scheduled.users(one) == 3
    assert loaded(tmp_path) == dict.fromkeys(NAMES, 3)
    with closing(sqlite3.connect(home / "airflow.db")) as database:
        tasks = database.execute(
            "select rendered_map_index, state from task_instance where dag_id = 'chats'"
        ).fetchall()
    assert sorted(tasks, key=str) == sorted(
        [(None, "success"), *((name, "success") for name in NAMES)], key=str
    )
