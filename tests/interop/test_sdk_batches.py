"""BATCH messages between this project and programs on the SDK 0.55, which has Arrow files."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from interop.environments import program
from running import BIN, Runner, full_config

from tap_chat.sandbox import Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS = str(Path(__file__).with_name("sdk_programs.py"))
FORMS = [{"format": "jsonl", "compression": "gzip"}, {"format": "arrow", "compression": "none"}]


def piped(command: list[str], text: bytes = b"") -> bytes:
    done = subprocess.run(command, input=text, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return done.stdout


def config(folder: Path, name: str, values: dict[str, Any]) -> str:
    path = folder / f"{name}.json"
    path.write_text(json.dumps(values))
    return str(path)


@pytest.mark.parametrize("encoding", [*FORMS, {"format": "parquet", "compression": "none"}])
def test_target_dlt_loads_batches_of_the_sdk(tmp_path: Path, encoding: dict[str, str]) -> None:
    database = tmp_path / "rows.duckdb"
    target = {"destination": "duckdb", "dataset_name": "d", "credentials": str(database)}
    storage = {"root": tmp_path.as_uri()}
    for count in (2500, 2500, 3100):
        batches = {"encoding": encoding, "storage": storage, "batch_size": 1200}
        tap = config(tmp_path, "tap", {"count": count, "batch_config": batches})
        python = program("singer-sdk", "python")
        lines = piped([python, PROGRAMS, "tap", "--config", tap])
        assert b'"BATCH"' in lines
        assert b'"RECORD"' not in lines
        piped([str(BIN / "target-dlt"), "--config", config(tmp_path, "target", target)], lines)
        with duckdb.connect(str(database)) as connection:
            rows = connection.sql(
                "select count(*), max(id), min(t), max(n), count(s), count(*) filter (b), max(d),"
                " max(o::varchar) filter (id = 7), max(l::varchar) filter (id = 7) from d.a"
            ).fetchall()
        last = count - 1
        texts = sum(number % 3 > 0 for number in range(count))
        even = sum(number % 2 == 0 for number in range(count))
        [(*found, exact, nested, items)] = rows
        moment = datetime(2026, 1, 1, 10, 0, 0, 123456, UTC)
        assert found == [count, last, moment, last / 8, texts, even]
        assert str(exact).rstrip("0") == "12345678901234567.89"
        assert json.loads(nested) == {"x": 7, "y": [1, None]}
        assert json.loads(items) == [1, 7]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(World(messages=700, users=10, conversations=30, chats=60)) as served:
        yield served


@pytest.mark.parametrize("encoding", FORMS)
def test_target_of_the_sdk_reads_batches_of_tap_chat(
    tmp_path: Path, sandbox: Sandbox, encoding: dict[str, str]
) -> None:
    lines = full_config(sandbox)
    storage = {"root": str(tmp_path / "files")}
    files = lines | {"batch_config": {"encoding": encoding, "storage": storage}}
    found = []
    for settings in (lines, files):
        run = Runner(tmp_path)(settings)
        assert run.code == 0, run.err
        out = tmp_path / "out"
        out.unlink(missing_ok=True)
        target = config(tmp_path, "target", {"out": str(out)})
        python = program("singer-sdk", "python")
        piped([python, PROGRAMS, "target", "--config", target], run.out)
        found.append([comparable(*json.loads(row)) for row in out.read_text().splitlines()])
    assert sorted(found[0]) == sorted(found[1])
    assert len(found[0]) > 1000


def comparable(stream: str, record: dict[str, Any]) -> str:
    """Return a record as text: the SDK reads date-times of RECORD messages alone as times."""
    values = {name: moment(value) for name, value in record.items() if value is not None}
    return json.dumps(
        [stream, {name: v for name, v in values.items() if not name.startswith("_sdc")}],
        sort_keys=True,
    )


def moment(value: Any) -> Any:
    if not isinstance(value, str) or value[4:8:3] != "--":
        return value
    try:
        return datetime.fromisoformat(value).isoformat()
    except ValueError:
        return value
