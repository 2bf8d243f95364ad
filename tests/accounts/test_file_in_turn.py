"""Several processes load into one DuckDB file, one after the other."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from dlt.common.schema import Schema
from dlt.destinations.impl.duckdb.configuration import DuckDbConnectionPool

from dlt_bridge.destinations.clients import make_client
from dlt_bridge.errors import BridgeError
from dlt_bridge.run.failures import sentence
from dlt_bridge.run.pipelines import PipelineSpec, make_pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from dlt import Pipeline

#: Opens a DuckDB file to write it until standard input ends.
OPEN = """
import sys, duckdb
with duckdb.connect(sys.argv[1]):
    print("open", flush=True)
    sys.stdin.read()
"""


def opened(file: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-c", OPEN, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout
    assert process.stdout.readline() == b"open\n"
    return process


def pipeline(file: Path, wait_seconds: float) -> Pipeline:
    return make_pipeline(
        PipelineSpec(
            destination="duckdb",
            credentials=str(file),
            pipeline="acme",
            dataset="raw",
            options={"wait_seconds": wait_seconds},
            folder=str(file.parent / "pipelines"),
        )
    )


def test_a_run_waits_until_the_file_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "chats.duckdb"
    monkeypatch.setattr("dlt_bridge.destinations.duckdb_file.QUIET_SECONDS", 0)
    caplog.set_level("INFO", "dlt_bridge")
    for number in (1, 2):
        with opened(file) as process:
            load = threading.Thread(
                target=pipeline(file, 60).run,
                args=([{"id": number}],),
                kwargs={"table_name": "orders"},
            )
            load.start()
            while "Waiting until duckdb:///" not in caplog.text:
                assert load.is_alive()
            caplog.clear()
            process.kill()
            load.join()
        with duckdb.connect(str(file), read_only=True) as database:
            assert database.execute("from raw.orders select count(*)").fetchall() == [(number,)]


def test_a_signal_comes_when_the_file_is_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise dlt leaves the file open, and the next connection may wait forever."""
    apply, applied = DuckDbConnectionPool._apply_config, []

    def interrupted(*arguments: Any) -> None:
        signal.raise_signal(signal.SIGTERM)
        apply(*arguments)
        applied.append(arguments[0])

    monkeypatch.setattr(DuckDbConnectionPool, "_apply_config", staticmethod(interrupted))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    client = make_client(pipeline(tmp_path / "chats.duckdb", 0), Schema("acme"))
    with pytest.raises(KeyboardInterrupt), client.sql_client:
        pass
    assert applied
    with pytest.raises(duckdb.ConnectionException, match="already closed"):
        applied[0].execute("select 1")


@pytest.mark.parametrize("seconds", [0, 0.2])
def test_a_run_does_not_wait_forever(tmp_path: Path, seconds: float) -> None:
    file = tmp_path / "chats.duckdb"
    with opened(file) as process:
        with pytest.raises(Exception, match="Could not set lock") as failed:
            pipeline(file, seconds).run([{"id": 1}], table_name="orders")
        assert f"is open in another program (process {process.pid})" in sentence(failed.value)
        process.kill()


def test_only_a_duckdb_file_is_waited_for() -> None:
    spec = PipelineSpec(destination="postgres", pipeline="acme", options={"wait_seconds": 1})
    with pytest.raises(BridgeError, match="The destination postgres has no option wait_seconds"):
        make_pipeline(spec)
