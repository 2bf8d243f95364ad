"""Fixtures of all tests: the sandbox over real HTTP, the tap, and a PostgreSQL server."""

from __future__ import annotations

import gc
import os
import signal
from typing import TYPE_CHECKING, Any

import fuzz.effort  # noqa: F401 - registers the profile of Hypothesis before any test is collected
import pytest
from order import order, quick
from running import Runner, chat_config

from tap_chat.sandbox import Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from postgres import PostgresServer


# Tests report to nobody. All programs that they start inherit this.
os.environ.setdefault("RUNTIME__DLTHUB_TELEMETRY", "false")
os.environ.setdefault("DAGSTER_DISABLE_TELEMETRY", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="one case of each test that is not long")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    order(items)
    if config.getoption("--quick"):
        left_out = set(items)
        items[:] = quick(items)
        config.hook.pytest_deselected(items=list(left_out.difference(items)))


def pytest_collection_finish() -> None:
    """Leave modules and tests, which stay until the end, out of garbage collections."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def python_signal_handlers() -> None:
    """Restore Python's signal handlers: taps and targets of other tests have replaced them."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


@pytest.fixture
def tap(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(World(messages=450)) as running:
        yield running


@pytest.fixture
def config(sandbox: Sandbox) -> dict[str, Any]:
    return chat_config(sandbox)


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    from postgres import postgres_server  # noqa: PLC0415 - tests of the tap import no database

    with postgres_server() as server:
        yield server
