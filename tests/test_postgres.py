"""The PostgreSQL server of the tests leaves nothing behind."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from postgres import PACKAGE, PROGRAMS, PostgresServer, postgres_server

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


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has folders that the server cannot read")
def test_root_has_a_server_whose_programs_are_in_a_private_folder(tmp_path: Path) -> None:
    (private := tmp_path / "private").mkdir(mode=0o700)
    for part in PACKAGE.parent.glob(f"{PACKAGE.name}*"):
        shutil.copytree(part, private / part.name)
    with (
        postgres_server(programs=private / PROGRAMS.relative_to(PACKAGE.parent)) as server,
        closing(psycopg2.connect(server.url("postgres"))) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("show data_directory")
        [[data]] = cursor.fetchall()
        assert Path(data).owner() == "nobody"


def test_server_is_that_of_the_package() -> None:
    with (
        postgres_server() as server,
        closing(psycopg2.connect(server.url("postgres"))) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("select setting from pg_config where name = 'BINDIR'")
        [[programs]] = cursor.fetchall()
        assert Path(programs) == PROGRAMS
