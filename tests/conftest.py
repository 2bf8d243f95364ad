"""What all tests stand on: the sandbox over real HTTP, and the tap."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import fuzz.effort  # noqa: F401 - its profile must be known before any test is
import pytest
from postgres import PostgresServer, postgres_server
from running import Runner, chat_config
from staging import Project, Stage

from tap_chat.sandbox import Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def tap(tmp_path: Path) -> Runner:
    return Runner(tmp_path)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    found = Project(folder)
    found.write()
    yield found
    monkeypatch.undo()
    found.reload()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(World(messages=450)) as running:
        yield running


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    with postgres_server() as server:
        yield server


@pytest.fixture
def config(sandbox: Sandbox) -> dict[str, Any]:
    return chat_config(sandbox)
