"""One sandbox for all faults of a module."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from fault_matrix.case import WORLD

from tap_chat.sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def api() -> Iterator[Sandbox]:
    with Sandbox(WORLD) as sandbox:
        yield sandbox
