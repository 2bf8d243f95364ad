"""Fixtures of the bridge: destinations, pipelines into them, and the project of a dlt user."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest
from bridge.command_line import Command
from bridge.destinations import EVERY, DuckDB, Warehouse, opened
from staging import Project, Stage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=EVERY)
def warehouse(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Warehouse]:
    """A destination with nothing in it; `indirect` names those that a test is for."""
    with opened(request, tmp_path) as destination:
        yield destination


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    # DuckDB opens a file that is open already ten times as fast.
    with duckdb.connect(DuckDB(tmp_path).path):
        yield Stage(tmp_path)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    project = Project(folder)
    project.write()
    yield project
    monkeypatch.undo()
    project.reload()


@pytest.fixture
def anywhere(tmp_path: Path, warehouse: Warehouse) -> Stage:
    """A stage before a destination of the test's parameters."""
    return Stage(tmp_path, warehouse=warehouse)


@pytest.fixture
def dlt(tmp_path: Path) -> Command:
    return Command(tmp_path)
