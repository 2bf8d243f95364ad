"""A DAG of Airflow 3 that loads the chats of an account.

tap-chat has an environment of its own, because Airflow needs other versions of some packages.
"""

from __future__ import annotations

import os
import shlex
from datetime import timedelta
from pathlib import Path

import pendulum
from airflow.sdk import dag, task

# An environment with tap-chat, and its .env.
HOME = Path(os.environ.get("TAP_CHAT_HOME", "/opt/tap-chat"))
COMMAND = ["singer", "run", "tap-chat --config=ENV", "--destination", "postgres"]


@dag(
    schedule="@hourly",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
)
def chats_of_an_account() -> None:
    """Load what is new since the last run."""

    @task.bash(cwd=str(HOME), append_env=True)
    def load() -> str:
        return shlex.join([str(HOME / "bin" / "dlt"), *COMMAND, "--dataset", "chats"])

    load()


chats_of_an_account()
