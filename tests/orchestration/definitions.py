"""The definitions that Dagster's programs load: the assets of the accounts in a file."""

import json
import os
from pathlib import Path
from typing import Any

from dagster import Definitions, EnvVar, in_process_executor

from dlt_bridge.dagster import account_sensor, chat_assets


def accounts() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(os.environ["ACCOUNTS"]).read_text())
    return found


assets = chat_assets(
    accounts=accounts,
    platforms=os.environ["PLATFORMS"].split(),
    destination="postgres",
    dataset_name="chats",
    credentials=EnvVar("WAREHOUSE"),
)
defs = Definitions(
    assets=assets,
    sensors=[account_sensor(assets, seconds=1, is_running=True)],
    executor=in_process_executor,
)
