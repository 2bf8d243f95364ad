"""Load the accounts of accounts.toml that are given; without any, the share of this process.

The share has the number JOB_COMPLETION_INDEX of as many shares as SHARES says; by default it is all
accounts. The destination, its credentials and the dataset come from dlt's configuration, or from
the environment: DESTINATION, DESTINATION__POSTGRES__CREDENTIALS and DATASET.
"""

from __future__ import annotations

import os
import sys

from dlt_bridge import BridgeError
from dlt_bridge.accounts import Account, run
from dlt_bridge.accounts.files import filled, read_accounts


def share(names: list[str]) -> list[str]:
    """Return the accounts of this process."""
    index, shares = int(os.environ.get("JOB_COMPLETION_INDEX", "0")), os.environ.get("SHARES", "1")
    return sorted(names)[index :: int(shares)]


def load(name: str, config: dict[str, object]) -> bool:
    """Load an account, print the outcome, and return whether everything was loaded."""
    try:
        account = Account(name=name, config=filled(name, config, os.environ))
    except BridgeError as error:
        print(error, flush=True)
        return False
    result = run(
        account,
        destination=os.environ.get("DESTINATION", "postgres"),
        dataset_name=os.environ.get("DATASET", "chats"),
    )
    print(f"{name}: {result.failure or f'{sum(result.rows.values())} rows'}", flush=True)
    return result.failure is None


def main() -> None:
    """Load the accounts one after another; an account that fails does not stop the others."""
    accounts = read_accounts(os.environ.get("ACCOUNTS", "accounts.toml"))
    outcomes = [load(name, accounts[name]) for name in sys.argv[1:] or share(list(accounts))]
    sys.exit(0 if all(outcomes) else 1)


if __name__ == "__main__":
    main()
