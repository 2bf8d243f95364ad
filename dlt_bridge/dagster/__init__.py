"""Accounts as partitions of Dagster's assets: one asset for each stream."""

from dlt_bridge.dagster.assets import chat_assets

__all__ = ["chat_assets"]
