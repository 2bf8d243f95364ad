"""dlt's destination `duckdb`, for a file that is named by its path.

dlt parses the path as a URL, which imports SQLAlchemy, and works out the capabilities some twenty
times in a run. Both take longer than a small load.

Only one process can open the file to write it. Here, a process can wait until the file is closed
elsewhere, so that several can load into it in turn. Everything else is dlt's.
"""

from __future__ import annotations

import logging
import random
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from dlt.common.configuration import configspec
from dlt.destinations import duckdb as dlt_duckdb
from dlt.destinations.impl.duckdb.configuration import (
    DuckDbClientConfiguration,
    DuckDbConnectionPool,
    DuckDbCredentials,
)
from duckdb import DuckDBPyConnection, IOException
from pathvalidate import is_valid_filepath
from typing_extensions import override

from dlt_bridge.destinations import duckdb_merge
from dlt_bridge.interrupts import held_signals

if TYPE_CHECKING:
    from collections.abc import Callable

    from dlt.common.destination import Destination, DestinationCapabilitiesContext
    from dlt.common.normalizers.naming import NamingConvention


logger = logging.getLogger(__name__)

#: The most seconds between two attempts to open a file, and the seconds after which waiting for it
#: is logged.
LONGEST_PAUSE = 0.1
QUIET_SECONDS = 5.0
_LOCKED = "Could not set lock on file"


class WaitingPool(DuckDbConnectionPool):
    """Connections to a file, which are opened when no other process has it open.

    Attributes:
        wait_seconds: How long to wait for that. Then DuckDB's error is raised.
    """

    wait_seconds: float = 0.0

    @override
    def borrow_conn(self, *args: Any, **options: Any) -> DuckDBPyConnection:
        start, is_logged = time.monotonic(), False
        while True:
            try:
                return self._open(partial(super().borrow_conn, *args, **options))
            except IOException as error:
                waited = time.monotonic() - start
                if _LOCKED not in str(error) or waited >= self.wait_seconds:
                    raise
                if waited >= QUIET_SECONDS and not is_logged:
                    is_logged = True
                    logger.info(
                        "Waiting until %s is closed by another process (at most %.0f s).",
                        self.credentials,
                        self.wait_seconds,
                    )
            # Processes that wait together should not all try at the same time.
            time.sleep(random.uniform(0, LONGEST_PAUSE))  # noqa: S311

    def _open(self, borrow: Callable[[], DuckDBPyConnection]) -> DuckDBPyConnection:
        """Open a connection, without a signal in between.

        dlt would leave the file open, and DuckDB (1.5) may then never open it again.
        """
        with held_signals() as release:
            connection = borrow()
            try:
                release()
            except BaseException:
                self.return_conn(connection)
                raise
            return connection


@configspec(init=False)
class FileCredentials(DuckDbCredentials):
    """Credentials that read and show the path of a file without SQLAlchemy."""

    @override
    def parse_native_representation(self, native_value: Any) -> None:
        is_path = isinstance(native_value, str) and "://" not in native_value
        if is_path and is_valid_filepath(native_value, platform="auto"):
            self.database = native_value
        else:
            super().parse_native_representation(native_value)

    @override
    def on_resolved(self) -> None:
        super().on_resolved()
        self.conn_pool = WaitingPool(self)

    @override
    def __str__(self) -> str:
        if not self.database or self.username or self.password or self.host or self.port:
            return super().__str__()
        # As a URL, without its query, which may hold secrets.
        return f"{self.drivername}:///{self.database}"


@configspec(init=False)
class Configuration(DuckDbClientConfiguration):
    """The configuration of a client, with these credentials.

    Attributes:
        wait_seconds: How long to wait while another process has the file open.
    """

    credentials: FileCredentials = None  # type: ignore[assignment]  # dlt resolves it
    wait_seconds: float = 0.0

    @override
    def on_resolved(self) -> None:
        super().on_resolved()
        if isinstance(pool := self.credentials.conn_pool, WaitingPool):
            pool.wait_seconds = self.wait_seconds


class duckdb(duckdb_merge.duckdb):  # noqa: N801 - the name of the destination
    """dlt's destination `duckdb`, which takes the same arguments."""

    spec = Configuration

    @override
    def capabilities(
        self,
        config: DuckDbClientConfiguration | None = None,
        naming: NamingConvention | None = None,
    ) -> DestinationCapabilitiesContext:
        if config is not None:
            return super().capabilities(config, naming)
        given = (self.config_params, self.caps_params, type(naming))
        found = vars(self).get("_found")
        if found is None or found[0] != given:
            given = (dict(self.config_params), dict(self.caps_params), type(naming))
            found = self._found = given, super().capabilities(config, naming)
        # A copy, because dlt changes some values.
        return found[1].copy()


def with_quick_paths(destination: Destination[Any, Any]) -> Destination[Any, Any]:
    """Return this destination for dlt's `duckdb`; others as they are."""
    if type(destination) is dlt_duckdb:
        return duckdb(**destination.config_params, **destination.caps_params)
    return destination
