"""The APIs of the chats, which all pairs share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from interop.chats import SMALL
from interop.rounds import WHOLE

from tap_chat.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Tests that need more than PostgreSQL run with `make interop`.
AT_LENGTH = [
    "test_airflow.py",
    "test_lakes.py",
    "test_limiters.py",
    "test_log_based.py",
    "test_mariadb.py",
    "test_sdk_batches.py",
]
collect_ignore = [] if WHOLE else AT_LENGTH


@pytest.fixture(scope="module")
def chats() -> Iterator[Sandbox]:
    with Sandbox(SMALL) as running:
        yield running
