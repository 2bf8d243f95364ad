"""The same promises at every destination that the bridge is tested with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from bridge.destinations import SQL, Warehouse
from staging import Stage, record, schema

if TYPE_CHECKING:
    from pathlib import Path

TEXT = {"type": ["string", "null"]}

sql = pytest.mark.parametrize("warehouse", SQL, indirect=True)


@pytest.fixture
def stage(tmp_path: Path, warehouse: Warehouse) -> Stage:
    return Stage(tmp_path, warehouse=warehouse)


@sql
def test_last_version_of_a_key_wins_within_and_across_packages(stage: Stage) -> None:
    stage.load([schema(v=TEXT), record(id=1, v="a"), record(id=2, v="b"), record(id=1, v="c")])
    assert stage.into.read("a", "id", "v") == [(2, "b"), (1, "c")]
    stage.load([schema(v=TEXT), record(id=2, v="d"), record(id=3, v="e"), record(id=2, v="f")])
    assert stage.into.read("a", "id", "v") == [(1, "c"), (3, "e"), (2, "f")]


def test_stream_without_a_key_is_appended(stage: Stage) -> None:
    for _ in range(2):
        stage.load([schema(keys=()), record(id=1), record(id=1)])
    assert stage.into.read("a", "id") == [(1,)] * 4
