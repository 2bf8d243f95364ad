"""Runs at the same time: they wait, are refused, or have nothing in common; no row is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import dlt
import psycopg2
import pytest
from bridge.command_line import TEXT, Command
from bridge.destinations import DATASET
from bridge.target_command import Target, as_bytes
from staging import Stage, bookmark, record, schema

from dlt_bridge import BridgeError, load, singer
from dlt_bridge.destinations.clients import resolve_destination_config
from dlt_bridge.destinations.staging import separate_staging
from dlt_bridge.run.locks import in_turn
from dlt_bridge.run.pipelines import PipelineSpec, make_pipeline

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from postgres import PostgresServer


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    monkeypatch.setenv("DLT_DATA_DIR", str(tmp_path / "dlt"))
    return Target(tmp_path)


def test_second_run_of_a_pipeline_is_refused(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    refused: list[str] = []
    other, source = stage.new_pipeline("pipelines"), stage.source([])

    def lines() -> Iterator[Any]:
        yield schema()
        yield record(id=1)
        # Another process would see the same: the lock's file is opened again.
        with pytest.raises(BridgeError) as caught:
            load(other, source)
        refused.append(str(caught.value))
        yield bookmark(a=1)

    for _ in range(2):
        load(stage.pipeline, singer(map(as_line, lines()), name="lines"))
    assert stage.rows("select count(*) from data.a") == [(1,)]
    [first, _] = refused
    assert f"pipeline test is under way (process {os.getpid()} on " in first
    assert not list((tmp_path / "pipelines").glob("*.lock"))


def as_line(message: Any) -> bytes:
    return as_bytes([message])


HOLDER = """
import sys, dlt
from dlt_bridge.run.locks import exclusive
with exclusive(dlt.pipeline("scripted_tap", pipelines_dir=sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_lock_ends_with_its_holder(tmp_path: Path) -> None:
    command = Command(tmp_path)
    folder = str(tmp_path / "pipelines")
    words = ("singer", "run", command.plays([schema(), record(id=1)]), "--pipelines-dir", folder)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, folder],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=tmp_path,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        refused = command(*words)
        assert refused.returncode != 0
        assert f"is under way (process {holder.pid} on " in refused.stderr
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    done = command(*words)
    assert done.returncode == 0, done.stderr


def test_target_waits_for_a_run_of_its_pipeline_to_the_same_location(target: Target) -> None:
    place = PipelineSpec(
        destination="duckdb",
        pipeline="target_dlt",
        dataset=DATASET,
        credentials=str(target.file),
        folder=str(target.folder / "own"),
    )
    with in_turn(make_pipeline(place)):
        process = subprocess.Popen(
            target.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stderr is not None
        assert any(b"This one waits for its end" in line for line in process.stderr)
        assert not target.file.exists()
    process.communicate(as_bytes([schema(), record(id=1), bookmark(a=1)]))
    assert process.returncode == 0
    assert target.rows("select id from data.a") == [(1,)]


def test_staging_dataset_of_the_user_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def layout(name: str, destination: Any) -> Any:
        pipeline = dlt.pipeline(
            name, pipelines_dir=str(tmp_path), destination=destination, dataset_name="data"
        )
        separate_staging(pipeline)
        return resolve_destination_config(pipeline).staging_dataset_name_layout

    shared = dlt.destinations.duckdb(str(tmp_path / "w.duckdb"))
    assert [layout(name, shared) for name in ("one", "two", "one")] == [
        "%s_staging_one",
        "%s_staging_two",
        "%s_staging_one",
    ]
    # Names that the database would cut off, or dlt write in another way.
    server = dlt.destinations.postgres("postgresql://loader:loader@localhost/nowhere")
    digests = {layout(name, server) for name in ("A-b", "A-c", "a" * 60, "b" * 60)}
    assert len(digests) == 4
    assert max(map(len, digests)) == len("%s_staging_12345678")
    given = dlt.destinations.duckdb(
        str(tmp_path / "w.duckdb"), staging_dataset_name_layout="%s_staging"
    )
    assert layout("one", given) == "%s_staging"
    monkeypatch.setenv("TWO__DESTINATION__DUCKDB__STAGING_DATASET_NAME_LAYOUT", "mine")
    assert layout("two", dlt.destinations.duckdb(str(tmp_path / "w.duckdb"))) == "mine"


WAITING = "select count(*) from pg_locks where not granted and relation = 'data.a'::regclass"
ROWS = 500


def test_pipelines_of_one_table_lose_nothing(postgres: PostgresServer, target: Target) -> None:
    """Both have filled their staging tables before the first of them merges."""

    def lines(name: str) -> bytes:
        rows = (record(id=f"{name}{number}") for number in range(ROWS))
        return as_bytes([schema(id=TEXT), *rows, bookmark(a=name)])

    def started(name: str) -> subprocess.Popen[bytes]:
        command = target.command(destination="postgres", credentials=url, pipeline_name=name)
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdin is not None
        process.stdin.write(lines(name))
        process.stdin.close()
        return process

    with (
        postgres.database() as url,
        closing(psycopg2.connect(url)) as connection,
        connection.cursor() as cursor,
    ):
        place = PipelineSpec(
            destination="postgres", pipeline="zeroth", dataset=DATASET, credentials=url
        )
        load(make_pipeline(place), singer(lines("").splitlines(), name="zeroth"))
        cursor.execute("lock table data.a in exclusive mode")
        runs = []
        for number, name in enumerate(("first", "second"), start=1):
            runs.append(started(name))
            while cursor.execute(WAITING) or cursor.fetchall() != [(number,)]:
                assert runs[-1].poll() is None
        connection.commit()
        assert [run.wait() for run in runs] == [0, 0]
        for run in runs:
            run.stdout.close()  # type: ignore[union-attr]
        cursor.execute("select count(*), count(distinct id) from data.a")
        assert cursor.fetchall() == [(3 * ROWS, 3 * ROWS)]
        cursor.execute("select nspname from pg_namespace where nspname like 'data%' order by 1")
        assert cursor.fetchall() == [
            ("data",),
            *((f"data_staging_{name}",) for name in ("first", "second", "zeroth")),
        ]
