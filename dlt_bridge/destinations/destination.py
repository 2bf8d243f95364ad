"""What a run of a pipeline asks of a tap, and what is refused before anything is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dlt
from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext
from dlt.common.storages.exceptions import CurrentLoadPackageStateNotAvailable

from dlt_bridge.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from dlt.common.destination import DestinationCapabilitiesContext

#: Seconds between checkpoints, by default. A package costs about a second, whatever is in it.
CHECKPOINT_SECONDS = 120.0
#: The resource that reads the tap; no stream's.
DRIVER = "_singer"

#: Where dlt's load packages say which tables are dropped before they are loaded.
DROPPED = "dropped_tables"

# The destination that was asked last, and what it said.
_DESTINATION, _CAPABILITIES = "destination", "capabilities"
_asked: dict[str, Any] = {}
# Where the state of a package says which streams were read into it, by source.
_READ = "dlt_bridge"
# Where it says whether what was read comes again, in a run from an earlier STATE.
_AGAIN = "dlt_bridge_again"


def pipeline() -> Any:  # noqa: ANN401
    """Return the pipeline that runs.

    `dlt.current.pipeline()` looks up its whole configuration at each call, which for thousands of
    streams takes longer than to read them.
    """
    return Container()[PipelineContext].pipeline()


def capabilities() -> DestinationCapabilitiesContext:
    """Return what the destination of the pipeline that runs can do.

    It is asked once for each destination: to ask takes some 20 ms.
    """
    destination = pipeline().destination
    if _asked.get(_DESTINATION) is not destination:
        _asked.update({_DESTINATION: destination, _CAPABILITIES: destination.capabilities()})
    found: DestinationCapabilitiesContext = _asked[_CAPABILITIES]
    return found


def streams_to_read(known: Collection[str], *, again: bool) -> set[str]:
    """Return the streams that the run wants, of the source that is being read.

    Args:
        known: The resources that the source was made with.
        again: What is read now comes again in a run from an earlier STATE.

    Raises:
        BridgeError: There is no destination, a resource has another name or takes rows from a
            stream, or another source of the same name was read into the package.
    """
    if dlt.current.pipeline().destination is None:
        raise BridgeError(
            "The pipeline has no destination. What it can do decides how rows are extracted, so"
            " name it first: dlt.pipeline(..., destination=...)."
        )
    resources = dlt.current.source().resources
    # A resource that is given another name takes a copy of the driver along, with that name, too.
    takers = {taker for giver, taker in resources.selected_dag if giver.startswith(DRIVER)}
    if strange := sorted(takers - set(known)):
        raise BridgeError(
            f"The resource {strange[0]} takes rows from a tap, but is no stream of it. Give"
            " pipeline.run the sources of several taps, not their resources; and to name a table,"
            " say apply_hints(table_name=...), not with_name."
        )
    if piped := sorted(takers - set(resources.selected)):
        raise BridgeError(
            f"A transformer takes rows from the stream {piped[0]}, which is not loaded then. Change"
            " rows with add_map or add_yield_map, or transform them in the destination."
        )
    _refuse_second_reading(takers, again=again)
    return takers


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
    return bool(package.get(_AGAIN))


def _refuse_second_reading(streams: Collection[str], *, again: bool) -> None:
    """Refuse a stream that was read into the package: its bookmark may be of another account."""
    source, package = dlt.current.source().name, package_state()
    read = package.setdefault(_READ, {})
    before = read.setdefault(source, [])
    if twice := sorted(set(before).intersection(streams)):
        raise BridgeError(
            f"Two sources with the name {source} read the stream {twice[0]}, so the second would go"
            " on from the bookmark of the first. Give them different names: singer(..., name=...)."
        )
    before.extend(sorted(streams))
    package[_AGAIN] = package.get(_AGAIN, True) and again
