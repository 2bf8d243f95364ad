"""The destination of the pipeline that runs: what it can do, and the state of its load package."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dlt
from dlt.common.storages.exceptions import CurrentLoadPackageStateNotAvailable

from dlt_bridge.arrow.limits import Limits
from dlt_bridge.destinations.dlt_private import running_pipeline
from dlt_bridge.destinations.file_formats import CSV, PARQUET

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dlt import Pipeline
    from dlt.common.destination import Destination, DestinationCapabilitiesContext

#: Seconds between checkpoints, by default. Each package takes about a second, even a small one.
CHECKPOINT_SECONDS = 120.0
#: The name of the resource that reads the tap, which is not a stream.
DRIVER = "_singer"

# Databases that are based on PostgreSQL: they store no NUL, and refuse it in JSON.
POSTGRES_LIKE = frozenset({"postgres", "redshift"})
# Destinations that store timestamps of any year, and NaN.
ANY_YEAR = frozenset({"duckdb", "motherduck", "filesystem"})

# The last destination, and its capabilities.
_DESTINATION, _CAPABILITIES = "destination", "capabilities"
_cache: dict[str, Any] = {}
#: Key of a package's state: whether a run from an earlier STATE reads the same records again.
AGAIN = "dlt_bridge_again"
#: Key of a package's state: the tables without a key whose rows have its load id.
KEYLESS = "dlt_bridge_keyless"


def capabilities() -> DestinationCapabilitiesContext:
    """Return what the destination of the pipeline that runs can do.

    The result is cached, because dlt takes some 20 ms for it.
    """
    destination = running_pipeline().destination
    if _cache.get(_DESTINATION) is not destination:
        _cache.update({_DESTINATION: destination, _CAPABILITIES: destination.capabilities()})
    cached: DestinationCapabilitiesContext = _cache[_CAPABILITIES]
    return cached


def destination_type() -> str:
    """Return dlt's name for the type of the destination, such as `postgres`."""
    return str(running_pipeline().destination.destination_type.rpartition(".")[2])


def adapt_destination(pipeline: Pipeline) -> None:
    """Make dlt load values unchanged, or in less time, where it does not do so itself.

    Args:
        pipeline: A pipeline before it loads.
    """
    destination: Destination[Any, Any] | None = pipeline.destination
    kind = destination.destination_type.rpartition(".")[2] if destination else ""
    # Imported here, because their packages are installed only for these destinations.
    if kind == "sqlalchemy":
        from dlt_bridge.destinations.sqlalchemy_types import register_exact_types  # noqa: PLC0415

        register_exact_types()
    elif kind == "duckdb" and destination:
        from dlt_bridge.destinations.duckdb_merge import with_direct_merge  # noqa: PLC0415

        pipeline.destination = with_direct_merge(destination)


def file_format(*, objects: bool) -> str | None:
    """Return the file format to load with at first; None for dlt's choice.

    Args:
        objects: Whether rows are Python objects. By default, dlt writes them as INSERT statements,
            which are slow and take much memory.
    """
    if objects and PARQUET in (capabilities().supported_loader_file_formats or ()):
        return PARQUET
    if objects or destination_type() != "postgres":
        return None
    # dlt's own destination copies Parquet files only with a driver, and not into `jsonb`.
    return PARQUET if getattr(running_pipeline().destination, "copies_parquet", False) else CSV


def limits(*, objects: bool) -> Limits:
    """Return which values the destination can store, and dlt can bring there.

    Args:
        objects: Whether rows are Python objects. dlt turns their NaN into null, and Python has
            the years 1 to 9999 only.
    """
    name = destination_type()
    return Limits(
        nul=name not in POSTGRES_LIKE,
        non_finite=not objects and name in {"postgres", *ANY_YEAR},
        before_year_1=not objects and name in ANY_YEAR,
        after_year_9999=not objects and name in {"postgres", *ANY_YEAR},
    )


def package_state() -> dict[str, Any]:
    """Return the state of the package that is extracted; an empty one if there is no package."""
    try:
        package: Any = dlt.current.load_package_state()
    except CurrentLoadPackageStateNotAvailable:
        return {}
    state: dict[str, Any] = package["state"]
    return state


def package_load_id() -> str:
    """Return the load id of the package that is extracted."""
    load_id: str = dlt.current.load_package_state()["load_id"]
    return load_id


def add_keyless_table(table: str) -> None:
    """Keep in the package that is extracted that it has rows without a key, with load ids.

    Args:
        table: Their table.
    """
    # An object, because a package may have thousands of tables.
    package_state().setdefault(KEYLESS, {})[table] = True


def is_sent_again(package: Mapping[str, Any]) -> bool:
    """Return whether a run from an earlier STATE reads all records of a package again.

    Args:
        package: The state of the package.
    """
    return bool(package.get(AGAIN))
