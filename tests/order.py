"""Which files of tests start first, so that all workers end at about the same time.

A worker takes the next file when it has finished one (`--dist=loadfile`). A long file that starts
last would keep one worker busy when all others are idle.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

TESTS = Path(__file__).parent
#: Files and folders with long files, the longest first.
LONG = (
    "interop/test_by_meltano.py",
    "interop/test_by_pipe.py",
    "interop/test_by_dlt.py",
    "interop",
    "test_both_worlds.py",
    "killing",
    "dagster",
    "pages",
    "guides",
    "synapse",
    "accounts",
    "parity",
    "test_wheel.py",
    "fault_matrix",
    "shipped",
    "bridge/test_power_loss.py",
    "bridge/test_sdk_target_suite.py",
    "bridge",
    "fuzz",
)


def rank(path: Path) -> int:
    """Return the place of a file in the order. Files that are not long share the last place."""
    names = path.relative_to(TESTS)
    return next((place for place, name in enumerate(LONG) if names.is_relative_to(name)), len(LONG))


def order(items: list[pytest.Item]) -> None:
    """Sort tests by the places of their files. Tests of a file keep their order."""
    items.sort(key=lambda item: rank(item.path))
