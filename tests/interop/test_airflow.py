"""The DAG of docs/recipes.md loads each account by a task of its own."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

from accounts.recipes import EXAMPLES, NAMES, PROGRAM, SMALL, environment, loaded, write_accounts
from interop.environments import program

from tap_chat.sandbox import Sandbox

if TYPE_CHECKING:
    from pathlib import Path


def test_dag_loads_all_accounts(tmp_path: Path) -> None:
    airflow, home = program("airflow", "airflow"), tmp_path / "airflow"
    (home / "dags").mkdir(parents=True)
    shutil.copy(EXAMPLES / "airflow.py", home / "dags")
    shutil.copy(PROGRAM, tmp_path)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (tmp_path / "bin" / "python").chmod(0o755)
    settings = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
        "TAP_CHAT_HOME": str(tmp_path),
    }

    def run(*words: str) -> str:
        done = subprocess.run(
            [airflow, *words],
            env=environment(tmp_path, **settings),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    with Sandbox(SMALL) as sandbox:
        write_accounts(tmp_path, sandbox)
        run("db", "migrate")
        run("dags", "test", "chats")
    assert loaded(tmp_path) == dict.fromkeys(NAMES, 3)
    with closing(sqlite3.connect(home / "airflow.db")) as database:
        tasks = database.execute("select rendered_map_index, state from task_instance").fetchall()
    assert sorted(tasks, key=str) == sorted(
        [(None, "success"), *((name, "success") for name in NAMES)], key=str
    )
