"""Taps and targets in a new project of Meltano, which keeps the state in its own database."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from interop.pipe import Done
from interop.rounds import PAIRS, RUNS, Outcomes, Pair, pairs, played
from ruamel.yaml import YAML
from running import BIN

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from postgres import PostgresServer

    from tap_chat.sandbox import Sandbox

#: The first test waits until all rounds are over.
pytestmark = pytest.mark.timeout(1800)


class Project:
    """A project of `meltano init`.

    Args:
        folder: The folder of the project.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "project"
        made = self._meltano(folder, "init", str(self.folder), "--no-usage-stats")
        assert made.code == 0, made.said

    def run(self, playing: list[Pair], when: str) -> list[Done]:
        """Run pairs in one command. If one fails, Meltano does not run the next."""
        path = self.folder / "meltano.yml"
        yaml = YAML()
        project = yaml.load(path)
        project["plugins"] = {
            "extractors": [_extractor(pair) for pair in playing],
            "loaders": [_loader(pair) for pair in playing],
        }
        yaml.dump(project, path)
        # Meltano caches the catalog, and would not see new columns.
        options = ["--refresh-catalog"] if when == "third" else []
        blocks = [name for pair in playing for name in (_tap(pair), _target(pair))]
        done = self._meltano(self.folder, "run", *options, *blocks)
        return [done] * len(playing)

    @staticmethod
    def _meltano(folder: Path, *words: str) -> Done:
        done = subprocess.run(
            [str(BIN / "meltano"), *words],
            cwd=folder,
            env=os.environ | {"MELTANO_ENVIRONMENT": "dev", "NO_COLOR": "1"},
            capture_output=True,
            text=True,
            check=False,
        )
        return Done(done.returncode, done.stdout + done.stderr)


def _tap(pair: Pair) -> str:
    return f"{pair.tap.name}--{pair.target.name}"


def _target(pair: Pair) -> str:
    return f"{pair.target.name}--{pair.tap.name}"


def _extractor(pair: Pair) -> dict[str, Any]:
    return {
        "name": _tap(pair),
        "namespace": _tap(pair).replace("-", "_"),
        "executable": pair.recorded.program,
        "capabilities": ["catalog", "discover", "state"],
        "config": pair.tap.config,
        "metadata": pair.tap.replication,
    }


def _loader(pair: Pair) -> dict[str, Any]:
    return {
        "name": _target(pair),
        "namespace": _target(pair).replace("-", "_"),
        "executable": pair.target.path,
        "config": pair.target.config,
    }


@pytest.fixture(scope="module")
def outcomes(
    tmp_path_factory: pytest.TempPathFactory, postgres: PostgresServer, chats: Sandbox
) -> Iterator[Outcomes]:
    folder = tmp_path_factory.mktemp("meltano")
    project = Project(folder)
    with pairs(folder, postgres, chats, PAIRS) as found:
        yield played(found, project.run)


@pytest.mark.parametrize(("tap", "target", "when"), RUNS)
def test_target_has_the_rows_of_the_source(
    outcomes: Outcomes, tap: str, target: str, when: str
) -> None:
    outcomes[tap, target, when].check()
