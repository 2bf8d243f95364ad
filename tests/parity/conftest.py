"""The fixture of parity tests: an API, and two loads of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from parity.loading import Both

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    """A running API with no lists, and two empty databases."""
    found = Both(tmp_path)
    with found.api.serving():
        yield found
