"""A DAG of Airflow 3 that loads each account of accounts.toml by a task of its own.

tap-chat has an environment of its own, because Airflow needs other versions of some packages.
"""

from __future__ import annotations

import os
import shlex
import tomllib
from datetime import timedelta
from pathlib import Path

import pendulum
from airflow.sdk import dag, task

# An environment with tap-chat, next to load_accounts.py and accounts.toml.
HOME = Path(os.environ.get("TAP_CHAT_HOME", "/opt/tap-chat"))


@dag(
    schedule="@hourly",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
)
def chats() -> None:
    """Load the chats of all accounts."""

    @task
    def accounts() -> list[str]:
        return list(tomllib.loads((HOME / "accounts.toml").read_text())["accounts"])

    @task.bash(
        cwd=str(HOME),
        append_env=True,
        max_active_tis_per_dag=8,
        map_index_template="{{ task.op_kwargs['account'] }}",
    )
    def load(account: str) -> str:
        return shlex.join(["bin/python", "load_accounts.py", account])

    load.expand(account=accounts())


chats()
