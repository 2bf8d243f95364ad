"""Fixtures of the tests of declared streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rest.feed import Feed, Reader
from rest.lists import Lists
from serving import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from running import Runner


@pytest.fixture
def reader(tap: Runner) -> Iterator[Reader]:
    """Reads the lists of a server, run after run."""
    feed = Feed()
    with Server(feed) as api:
        yield Reader(tap, feed, api.url)


@pytest.fixture
def lists() -> Lists:
    return Lists()


@pytest.fixture
def api(lists: Lists) -> Iterator[Server]:
    with Server(lists) as server:
        yield server
