"""The chats of all accounts in accounts.toml, as assets of Dagster."""

from pathlib import Path

from dagster import Definitions, EnvVar, RetryPolicy, in_process_executor

from dlt_bridge.dagster import account_schedules, account_sensor, chat_assets, chat_checks

accounts = Path(__file__).parent / "accounts.toml"

assets = chat_assets(
    accounts=accounts,
    destination="postgres",
    dataset_name="chats",
    credentials=EnvVar("WAREHOUSE"),
    retry_policy=RetryPolicy(max_retries=2, delay=300),
)

defs = Definitions(
    assets=assets,
    asset_checks=chat_checks(assets),
    sensors=[account_sensor(assets, is_running=True)],
    schedules=account_schedules(assets, "0 3 * * *", is_running=True),
    # A run has one step, which needs no process of its own.
    executor=in_process_executor,
)
