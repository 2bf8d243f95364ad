"""The test suite of the SDK, against the sandbox."""

from __future__ import annotations

from singer_sdk.testing import SuiteConfig, get_tap_test_class

from tap_chat.sandbox import API_KEY, Sandbox, World
from tap_chat.tap import TapChat

# The suite wants its config when it is collected. The sandbox only listens until it is served.
SANDBOX = Sandbox(World(messages=250))

TestTapChat = get_tap_test_class(
    TapChat,
    config={"chat": {"api_url": SANDBOX.url, "api_key": API_KEY, "replication_key": "timestamp"}},
    suite_config=SuiteConfig(max_records_limit=150),
)


def setup_module() -> None:
    SANDBOX.__enter__()


def teardown_module() -> None:
    SANDBOX.__exit__(None, None, None)
