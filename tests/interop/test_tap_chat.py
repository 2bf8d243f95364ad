"""tap-chat with targets of other projects: two runs, every stream of every platform."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest
from interop.cells import differences
from interop.chats import Chats
from interop.targets import (
    Csv,
    DuckDB,
    Jsonl,
    MeltanoLabsPostgres,
    PipelineWisePostgres,
    SingerJsonl,
    Target,
)
from running import BIN

if TYPE_CHECKING:
    from pathlib import Path

    from interop.cells import Row
    from postgres import PostgresServer

    from tap_chat.sandbox import Sandbox

FOLDERS = [Jsonl, SingerJsonl, DuckDB]
DATABASES = [MeltanoLabsPostgres, PipelineWisePostgres]


@dataclass(frozen=True)
class Written:
    """A run of the tap.

    Attributes:
        lines: The messages.
        truth: The rows of the source at that time.
    """

    lines: bytes
    truth: dict[str, list[Row]]

    @cached_property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(line, parse_float=Decimal) for line in self.lines.splitlines()]

    def records(self, stream: str) -> list[Row]:
        return [
            line["record"]
            for line in self.messages
            if line["type"] == "RECORD" and line["stream"] == stream
        ]


@pytest.fixture(scope="module")
def source(chats: Sandbox) -> Chats:
    return Chats(chats)


@pytest.fixture(scope="module")
def runs(source: Chats, tmp_path_factory: pytest.TempPathFactory) -> list[Written]:
    """Two runs. The second continues where the first ended."""
    folder = tmp_path_factory.mktemp("tap-chat")
    state = folder / "state.json"
    found: list[Written] = []
    words: list[str] = []
    for happens in (source.begin, source.move_on):
        happens()
        (folder / "config.json").write_text(json.dumps(source.config))
        command = [str(BIN / "tap-chat"), "--config", "config.json", *words]
        done = subprocess.run(command, cwd=folder, capture_output=True, check=True)
        run = Written(done.stdout, source.truth)
        states = [line["value"] for line in run.messages if line["type"] == "STATE"]
        state.write_text(json.dumps(states[-1]))
        words = ["--state", str(state)]
        found.append(run)
    return found


def check(target: Target, runs: list[Written], keys: dict[str, Any], folder: Path) -> None:
    for run in runs:
        states = target.load(run.lines, folder)
        assert all("bookmarks" in state for state in states), states
        for stream, rows in run.truth.items():
            expected = [target.kept(row) for row in rows]
            of_target = target.keys(keys[stream])
            held = target.newest(stream, of_target)
            assert differences(of_target, expected, held) == [], stream


@pytest.mark.parametrize("kind", FOLDERS)
def test_target_into_files_holds_every_row(
    source: Chats, runs: list[Written], kind: type[Any], tmp_path: Path
) -> None:
    check(kind(tmp_path / "out"), runs, source.keys, tmp_path)


@pytest.mark.parametrize("kind", DATABASES)
def test_target_into_postgres_holds_every_row(
    source: Chats, runs: list[Written], kind: type[Any], tmp_path: Path, postgres: PostgresServer
) -> None:
    with postgres.database() as url:
        check(kind(url), runs, source.keys, tmp_path)


def test_target_csv_holds_the_records_of_the_last_run(runs: list[Written], tmp_path: Path) -> None:
    target = Csv(tmp_path / "out")
    for run in runs:
        target.load(run.lines, tmp_path)
        for stream in run.truth:
            records, held = run.records(stream), target.held(stream)
            assert len(held) == len(records), stream
            for record, row in zip(records, held, strict=True):
                told = {name: row[name] for name, value in record.items()}
                assert all(map(spells, told.values(), record.values())), (stream, told)


def spells(text: str, value: Any) -> bool:
    """Return whether a text is Python's form of a value; a time may get a time zone."""
    if isinstance(value, str) and value != text:
        return datetime.fromisoformat(text) == datetime.fromisoformat(value)
    return text == ("" if value is None else str(value))
