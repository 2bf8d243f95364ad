"""The destination of the pipeline that runs: what it is, and what it can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dlt
from dlt.common.storages.exceptions import CurrentLoadPackageStateNotAvailable

from dlt_bridge.arrow.limits import Limits
from dlt_bridge.destinations.dlt_private import running_pipeline
from dlt_bridge.destinations.file_formats import CSV, PARQUET

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dlt.common.destination import DestinationCapabilitiesContext

#: Seconds between checkpoints, by default. A package costs about a second, whatever is in it.
CHECKPOINT_SECONDS = 120.0
#: The resource that reads the tap; no stream's.
DRIVER = "_singer"

# PostgreSQL, and what is made of it, stores no NUL, and refuses it in JSON.
POSTGRES_LIKE = frozenset({"postgres", "redshift"})
# Destinations that hold instants of any year, and NaN.
ANY_YEAR = frozenset({"duckdb", "motherduck", "filesystem"})

# The destination that was asked last, and what it said.
_DESTINATION, _CAPABILITIES = "destination", "capabilities"
_asked: dict[str, Any] = {}
#: Where the state of a package says whether a run from an earlier STATE reads the same again.
AGAIN = "dlt_bridge_again"


def capabilities() -> DestinationCapabilitiesContext:
    """Return what the destination of the pipeline that runs can do.

    It is asked once for each destination: to ask takes some 20 ms.
    """
    destination = running_pipeline().destination
    if _asked.get(_DESTINATION) is not destination:
        _asked.update({_DESTINATION: destination, _CAPABILITIES: destination.capabilities()})
    found: DestinationCapabilitiesContext = _asked[_CAPABILITIES]
    return found


def destination_type() -> str:
    """Return what dlt calls the kind of destination, such as `postgres`."""
    return str(running_pipeline().destination.destination_type.rpartition(".")[2])


def adapt_destination(destination: str) -> None:
    """Let dlt load values into a kind of destination as they are, where it would not."""
    if destination == "sqlalchemy":
        # Whoever loads elsewhere need not have it.
        from dlt_bridge.destinations.sqlalchemy_types import take_values_as_they_are  # noqa: PLC0415

        take_values_as_they_are()


def file_format(*, objects: bool) -> str | None:
    """Return the file format that the destination is to be given first; None for dlt's choice.

    Args:
        objects: Rows are objects, which dlt writes as INSERT statements by default: slow, and in
            much memory.
    """
    if objects and PARQUET in (capabilities().supported_loader_file_formats or ()):
        return PARQUET
    return CSV if destination_type() == "postgres" and not objects else None


def has_exact_csv() -> bool:
    """Say whether the destination tells empty texts from nulls in CSV files."""
    return getattr(running_pipeline().destination, "exact_csv", False)


def limits(*, objects: bool) -> Limits:
    """Return what the destination can't hold, or what can't be brought to it.

    Args:
        objects: Rows are objects: dlt makes null of NaN, and Python has no other years.
    """
    name = destination_type()
    return Limits(
        nul=name not in POSTGRES_LIKE,
        non_finite=not objects and name in {"postgres", *ANY_YEAR},
        before_year_1=not objects and name in ANY_YEAR,
        after_year_9999=not objects and name in {"postgres", *ANY_YEAR},
    )


def package_state() -> dict[str, Any]:
    """Return the state of the package that is being extracted; of none if a source is looked at."""
    try:
        package: Any = dlt.current.load_package_state()
    except CurrentLoadPackageStateNotAvailable:
        return {}
    state: dict[str, Any] = package["state"]
    return state


def is_sent_again(package: Mapping[str, Any]) -> bool:
    """Say whether all that a package has comes again in a run from an earlier STATE.

    Args:
        package: The state of the package.
    """
    return bool(package.get(AGAIN))
