"""Runs of many accounts: each has its own pipeline, and all share tables.

`run` loads one account. `dlt singer run --accounts` and `dlt_bridge.dagster` load many.
"""

from dlt_bridge.accounts.account import Account
from dlt_bridge.accounts.result import AccountResult
from dlt_bridge.accounts.runner import run

__all__ = ["Account", "AccountResult", "run"]
