"""The servers that the blocks of the pages use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pages.vendors import Vendors, vendors

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def served() -> Iterator[Vendors]:
    with vendors() as those:
        yield those
