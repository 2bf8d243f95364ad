"""dlt's destination `duckdb`, for a file that is named by its path.

dlt parses the path as a URL, which imports SQLAlchemy, and works out the capabilities some twenty
times in a run. Both take longer than a small load. Everything else is dlt's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dlt.common.configuration import configspec
from dlt.destinations import duckdb as dlt_duckdb
from dlt.destinations.impl.duckdb.configuration import (
    DuckDbClientConfiguration,
    DuckDbCredentials,
)
from pathvalidate import is_valid_filepath
from typing_extensions import override

from dlt_bridge.destinations import duckdb_merge

if TYPE_CHECKING:
    from dlt.common.destination import Destination, DestinationCapabilitiesContext
    from dlt.common.normalizers.naming import NamingConvention


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
    def __str__(self) -> str:
        if not self.database or self.username or self.password or self.host or self.port:
            return super().__str__()
        # As a URL, without its query, which may hold secrets.
        return f"{self.drivername}:///{self.database}"


@configspec(init=False)
class Configuration(DuckDbClientConfiguration):
    """The configuration of a client, with these credentials."""

    credentials: FileCredentials = None  # type: ignore[assignment]  # dlt resolves it


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
