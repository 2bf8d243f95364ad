"""Accounts as partitions of Dagster's assets: one asset for each stream."""
