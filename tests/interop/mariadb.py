"""A MariaDB server from the system's packages, on a free port."""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from interop.environments import packages

if TYPE_CHECKING:
    from collections.abc import Iterator

    from interop.cells import Row

READY = b"ready for connections"
# The anonymous user on localhost has priority over a user on any host.
USER = b"""
create user loader@localhost identified by 'loader';
grant all on *.* to loader@localhost;
"""


@contextmanager
def mariadb_server() -> Iterator[int]:
    """Yield the port of a server with a temporary data folder."""
    assert shutil.which("mariadbd"), "apt-get install mariadb-server-core"
    with TemporaryDirectory(prefix="mariadb-") as folder:
        data, first = f"--datadir={folder}/data", Path(folder, "first.sql")
        first.write_bytes(USER)
        install = ["mariadb-install-db", "--no-defaults", data, "--user=root", "--skip-test-db"]
        subprocess.run(install, check=True, capture_output=True)
        with closing(socket.create_server(("127.0.0.1", 0))) as probe:
            port: int = probe.getsockname()[1]
        command = ["mariadbd", "--no-defaults", data, "--user=root", f"--port={port}"]
        command += ["--bind-address=127.0.0.1", f"--socket={folder}/socket"]
        command += [f"--init-file={first}", "--character-set-server=utf8mb4"]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
            assert process.stderr is not None
            while READY not in (line := process.stderr.readline()):
                assert line, "MariaDB did not start"
            try:
                yield port
            finally:
                process.kill()


def query(port: int, *statements: str) -> list[Row]:
    """Execute statements, and return the rows of the last."""
    if packages("mariadb") not in sys.path:
        sys.path.append(packages("mariadb"))
    import pymysql.cursors  # noqa: PLC0415 - of an environment of its own

    given: dict[str, Any] = {"host": "127.0.0.1", "port": port, "charset": "utf8mb4"}
    given |= {"user": "loader", "password": "loader", "cursorclass": pymysql.cursors.DictCursor}
    with closing(pymysql.connect(autocommit=True, **given)) as connection:
        cursor = connection.cursor()
        for statement in statements:
            cursor.execute(statement)
        return list(cursor.fetchall())
