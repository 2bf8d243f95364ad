"""The ledger: a table in the dataset with the lease and the last outcome of each account.

An account must never be loaded by two runs at once, not even on two machines. So a run takes a
lease: a row of the ledger that names its process, and until when. The run renews it, and looks at
it before each commit. If the run is gone, its lease ends: at once for a process of the same
machine, otherwise after `LEASE_SECONDS`. All times of leases are those of the database's clock.

A database that is a file belongs to one machine, and only one program can write it at a time. Its
leases are files next to it, which are locked, so that nothing need be renewed.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlt.common.schema import Schema
from dlt.destinations.exceptions import DatabaseException, DatabaseUndefinedRelation
from dlt.destinations.job_client_impl import SqlJobClientBase

from dlt_bridge.accounts.holder import Holder
from dlt_bridge.accounts.leases import FileLease, Lease, RowLease, busy_error
from dlt_bridge.accounts.outcomes import read_outcome, read_time
from dlt_bridge.destinations.clients import make_client, resolve_destination_config
from dlt_bridge.destinations.open_loads import make_table
from dlt_bridge.run.locks import FileLock
from dlt_bridge.run.signals import STOPPED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dlt import Pipeline

    from dlt_bridge.accounts.outcomes import Outcome
    from dlt_bridge.accounts.result import AccountResult

logger = logging.getLogger(__name__)

#: The table.
TABLE = "_singer_accounts"
#: Its columns, with dlt's names of their types.
COLUMNS = {
    "pipeline": "text",
    "account": "text",
    "holder": "text",
    "expires_at": "bigint",
    "started_at": "timestamp",
    "ended_at": "timestamp",
    "loaded_at": "timestamp",
    "failure": "text",
}
#: Seconds after which a lease ends that is not renewed.
LEASE_SECONDS = 60.0


class Ledger:
    """The ledger of a dataset.

    Args:
        pipeline: A pipeline that loads into the dataset.
        name: The name of the lease; by default that of the pipeline.
        lease_seconds: Seconds after which a lease ends that is not renewed.
    """

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        name: str | None = None,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self._pipeline = pipeline
        self._name = name or pipeline.pipeline_name
        self._seconds = lease_seconds

    @contextmanager
    def hold(self, account: str) -> Iterator[Lease]:
        """Hold the lease of an account while the body of the `with` runs.

        Set `lease.result` to write the outcome when the lease is given back. Without one, the run
        counts as failed.

        Args:
            account: The account.

        Raises:
            AccountBusyError: Another run holds the account.
        """
        file = self._file
        with self._file_lease(file, account) if file else self._row_lease(account) as lease:
            yield lease

    def outcomes(self) -> dict[str, Outcome]:
        """Return how the last run of each account has ended, by pipeline.

        It is empty if the destination has no tables, or no run was there before.
        """
        if not self._has_tables or (self._file and not self._file.exists()):
            return {}
        names = ("pipeline", "started_at", "ended_at", "loaded_at", "failure")
        with self._sql() as sql:
            try:
                rows = sql.execute_sql(f"SELECT {', '.join(names)} FROM {_table(sql)}")  # noqa: S608
            except DatabaseUndefinedRelation:
                return {}
        return {pipeline: read_outcome(*row) for pipeline, *row in rows or ()}

    @contextmanager
    def _file_lease(self, file: Path, account: str) -> Iterator[Lease]:
        lock_file = file.with_name(f"{file.name}.{self._name}.lock")
        with FileLock(lock_file) as lock:
            if not lock.acquire():
                raise busy_error(account, lock.holder())
            lease = FileLease()
            started = datetime.now(UTC)
            try:
                yield lease
            finally:
                if self._has_tables:
                    with self._sql_at_end(account) as sql:
                        self._make_row(sql, account)
                        self._write_outcome(sql, lease.result, started)

    @contextmanager
    def _row_lease(self, account: str) -> Iterator[Lease]:
        if not self._has_tables:
            # Files in a bucket: nothing there can be locked.
            yield FileLease()
            return
        holder, started = Holder.current(), datetime.now(UTC)
        with self._sql() as sql:
            self._make_row(sql, account)
            self._take(sql, account, holder, started)
        lease = RowLease(account, self._seconds, lambda: self._renew(holder))
        try:
            with lease.renewing():
                yield lease
        finally:
            with self._sql_at_end(account) as sql:
                self._write_outcome(sql, lease.result, started, holder)

    def _make_row(self, sql: Any, account: str) -> None:  # noqa: ANN401
        """Make the table and the row of the account, if they do not exist."""
        name, table = self._name, _table(sql)
        try:
            found = sql.execute_sql(f"SELECT 1 FROM {table} WHERE pipeline = %s", name)  # noqa: S608
        except DatabaseUndefinedRelation:
            with suppress(DatabaseException):
                # Another run may make it at the same time; without it, the next statement fails.
                sql.create_dataset()
            make_table(sql, TABLE, COLUMNS)
            found = None
        if not found:
            sql.execute_sql(
                f"INSERT INTO {table} (pipeline, account) VALUES (%s, %s)",  # noqa: S608
                name,
                account,
            )

    def _take(self, sql: Any, account: str, holder: Holder, started: datetime) -> None:  # noqa: ANN401
        """Take the lease.

        Raises:
            AccountBusyError: Another run holds it.
        """
        table, name = _table(sql), self._name
        ended = [other for other in self._holders(sql) if Holder.parse(other).has_ended]
        now = _milliseconds(sql)
        is_free = " OR ".join(
            ("holder IS NULL", "expires_at < %s", *("holder = %s" for _ in ended))
        )
        # One statement, so that of two runs only one takes it.
        sql.execute_sql(
            f"UPDATE {table} SET holder = %s, expires_at = %s, started_at = %s,"  # noqa: S608
            f" ended_at = NULL WHERE pipeline = %s AND ({is_free})",
            str(holder),
            now + self._milliseconds,
            started,
            name,
            now,
            *ended,
        )
        # A database without unique keys may have two rows of an account: both must be ours.
        holders = self._holders(sql)
        if others := [other for other in holders if other != str(holder)]:
            if str(holder) in holders:
                self._give_back(sql, holder)
            raise busy_error(account, Holder.parse(others[0]).description)

    def _renew(self, holder: Holder) -> bool:
        """Renew the lease; return whether it is still held."""
        with self._sql() as sql:
            sql.execute_sql(
                f"UPDATE {_table(sql)} SET expires_at = %s"  # noqa: S608
                " WHERE pipeline = %s AND holder = %s",
                _milliseconds(sql) + self._milliseconds,
                self._name,
                str(holder),
            )
            return self._holders(sql) == [str(holder)]

    def _give_back(self, sql: Any, holder: Holder) -> None:  # noqa: ANN401
        sql.execute_sql(
            f"UPDATE {_table(sql)} SET holder = NULL WHERE pipeline = %s AND holder = %s",  # noqa: S608
            self._name,
            str(holder),
        )

    def _write_outcome(
        self,
        sql: Any,  # noqa: ANN401
        result: AccountResult | None,
        started: datetime,
        holder: Holder | None = None,
    ) -> None:
        """Write the outcome of the run, and give the lease back, if it is a row and still ours."""
        now = _parameter(sql, datetime.now(UTC))
        failure = result.failure if result else STOPPED
        is_ours = ("holder IS NULL", ()) if holder is None else ("holder = %s", (str(holder),))
        loaded, when = ("", ()) if failure else (", loaded_at = %s", (now,))
        sql.execute_sql(
            f"UPDATE {_table(sql)} SET holder = NULL, started_at = %s, ended_at = %s,"  # noqa: S608
            f" failure = %s{loaded} WHERE pipeline = %s AND {is_ours[0]}",
            _parameter(sql, started),
            now,
            failure,
            *when,
            self._name,
            *is_ours[1],
        )

    def _holders(self, sql: Any) -> list[str]:  # noqa: ANN401
        rows = sql.execute_sql(
            f"SELECT holder FROM {_table(sql)} WHERE pipeline = %s AND holder IS NOT NULL",  # noqa: S608
            self._name,
        )
        return sorted({str(holder) for (holder,) in rows or ()})

    @property
    def _milliseconds(self) -> int:
        return round(self._seconds * 1000)

    def _client(self) -> Any:  # noqa: ANN401
        return make_client(self._pipeline, Schema(self._pipeline.pipeline_name))

    @property
    def _has_tables(self) -> bool:
        destination: Any = self._pipeline.destination
        return issubclass(destination.client_class, SqlJobClientBase)

    @contextmanager
    def _sql(self) -> Iterator[Any]:
        """Open the database; each use of the ledger opens it again: a run may take hours."""
        with self._client().sql_client as sql:
            yield sql

    @contextmanager
    def _sql_at_end(self, account: str) -> Iterator[Any]:
        """Open the database to write an outcome. Its errors do not replace that of the run."""
        try:
            with self._sql() as sql:
                yield sql
        except Exception as error:  # noqa: BLE001 - it must not hide why the run has ended
            logger.warning(
                "Account %s: how its run has ended can't be written to the table _singer_accounts"
                " (%s), so the next run takes it for a failure.",
                account,
                type(error).__name__,
            )

    @property
    def _file(self) -> Path | None:
        """The database, or the folder of files, if it is on this machine; None if it is not."""
        _, is_local, path = str(resolve_destination_config(self._pipeline)).partition(":///")
        return Path(path) if is_local and Path(path).is_absolute() else None


def _table(sql: Any) -> str:  # noqa: ANN401
    return str(sql.make_qualified_table_name(TABLE))


def _milliseconds(sql: Any) -> int:  # noqa: ANN401
    """Return the time of the database's clock, in milliseconds since 1970."""
    ((now,),) = sql.execute_sql("SELECT CURRENT_TIMESTAMP")
    return round(read_time(now).timestamp() * 1000)


def _parameter(sql: Any, moment: datetime) -> datetime | str:  # noqa: ANN401
    """Return a time as a parameter of a statement; a text for SQLite.

    Python adapts times for SQLite itself, but that is deprecated.
    """
    is_sqlite = getattr(sql, "dialect_name", None) == "sqlite"
    return str(moment) if is_sqlite else moment
