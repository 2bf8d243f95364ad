"""Accounts as partitions of Dagster's assets: one asset for each stream."""

from dlt_bridge.dagster.assets import chat_assets
from dlt_bridge.dagster.automation import account_schedules, account_sensor
from dlt_bridge.dagster.checks import chat_checks

__all__ = ["account_schedules", "account_sensor", "chat_assets", "chat_checks"]
