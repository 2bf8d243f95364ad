"""The PostgreSQL server of the tests leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from postgres import PostgresServer, ServerError, postgres_server, program

HOLD = """
import sys
from postgres import postgres_server
with postgres_server() as server:
    print(server.port, flush=True)
    sys.stdin.read()
"""


def test_database_is_dropped_in_the_end() -> None:
    with postgres_server() as server:
        with server.database() as url, closing(psycopg2.connect(url)) as connection:
            connection.cursor().execute("create table t (x int)")
        with pytest.raises(psycopg2.OperationalError, match="does not exist"):
            psycopg2.connect(url)
    with pytest.raises(psycopg2.OperationalError, match="refused"):
        psycopg2.connect(url)


def test_server_stops_when_the_tests_fail() -> None:
    with pytest.raises(ZeroDivisionError), postgres_server() as server:
        raise ZeroDivisionError
    with pytest.raises(psycopg2.OperationalError, match="refused"):
        psycopg2.connect(server.url("postgres"))


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child of its parent's end")
def test_server_stops_when_the_tests_are_killed() -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": folder}
        with subprocess.Popen(
            [sys.executable, "-c", HOLD],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as tests:
            assert tests.stdout is not None
            server = PostgresServer(int(tests.stdout.readline()))
            psycopg2.connect(server.url("postgres")).close()
            tests.kill()
            # The server shares standard output, which closes when both have ended.
            assert tests.stdout.read() == b""
        with pytest.raises(psycopg2.OperationalError, match="refused"):
            psycopg2.connect(server.url("postgres"))


def test_error_names_the_package_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("postgres.DEBIAN", Path("/nowhere"))
    with pytest.raises(ServerError, match="apt-get install postgresql"):
        program("initdb")
