"""The place that the state of a pipeline belongs to: where it loads, and what is there.

dlt has one state in a pipeline's working folder, and takes that of the destination only if its
version is not less. So after runs into another destination or dataset, or into one that was set
back to a backup, the tap would go on from bookmarks whose rows are not there: a gap that nobody
sees. Here the destination decides: its own state counts wherever the working folder's does not come
from it.
"""

from __future__ import annotations

import logging
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import dlt
from dlt.common.configuration.exceptions import ConfigurationValueError
from dlt.common.destination import Destination
from dlt.common.destination.client import WithStateSync
from dlt.common.destination.exceptions import DestinationUndefinedEntity
from dlt.pipeline.exceptions import PipelineStepFailed
from dlt.pipeline.state_sync import load_pipeline_state_from_destination

from dlt_bridge.destinations.clients import describe_location, resolve_destination_config
from dlt_bridge.destinations.dlt_private import (
    local_state,
    running_pipeline,
    running_state,
    was_committed,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dlt import Pipeline

logger = logging.getLogger(__name__)

# Value in the local state: which place the last package was made for.
LOCATION_KEY = "dlt_bridge_place"
_SOURCES = "sources"
#: From all sources down to what is kept of a resource: source, `resources`, resource.
LEVELS = 3


def location_id(pipeline: Pipeline) -> str:
    """Return a short text that stands for the destination and the dataset of a pipeline.

    It can't be read back, and has nothing of the credentials but where they lead.
    """
    config = resolve_destination_config(pipeline)
    try:
        location = config.data_location()
    except ConfigurationValueError:
        location = None
    named = (config.destination_type, location or str(config), str(config), pipeline.dataset_name)
    return sha256("\n".join(map(str, named)).encode()).hexdigest()[:16]


def set_location(
    pipeline: Pipeline,
    destination: Any = None,  # noqa: ANN401
    dataset_name: str | None = None,
    credentials: Any = None,  # noqa: ANN401
) -> None:
    """Point a pipeline to where it is to load, as `pipeline.run` does with these arguments.

    Args:
        pipeline: The pipeline.
        destination: Its destination from now on, if it is given.
        dataset_name: Its dataset, likewise.
        credentials: Those of its destination, likewise.
    """
    if destination is not None and destination != pipeline.destination:
        found: Any = Destination.from_reference(destination)
        pipeline.destination = found
    if credentials is not None and pipeline.destination is not None:
        pipeline.destination.config_params["credentials"] = credentials
    if dataset_name:
        pipeline.dataset_name = (pipeline.config.dataset_name_layout or "%s") % dataset_name


def drop_foreign_state(pipeline: Pipeline) -> None:
    """Give the working files of a pipeline up if they belong to another place than it loads to now.

    Packages that wait are of the place that they were made for. What is given up, dlt takes from
    the destination, and the tap reads again.

    Args:
        pipeline: The pipeline, before it runs.

    Raises:
        PipelineStepFailed: The destination can't be asked.
    """
    destination: Any = pipeline.destination
    if destination is None:
        return
    state: Any = pipeline.state
    local = local_state(state)
    if pipeline.has_pending_data:
        foreign = local.get(LOCATION_KEY, here := location_id(pipeline)) != here
    else:
        try:
            foreign = _state_to_adopt(pipeline, local) is not None
        except Exception as error:
            # As dlt raises it of its own look at the destination, which comes next.
            nothing: Any = None
            raise PipelineStepFailed(pipeline, "sync", nothing, error, nothing) from error
    if foreign:
        logger.warning(
            "The working files of the pipeline %s belong to another place than %s, or it was loaded"
            " or set back from elsewhere since. They are given up: the tap goes on from what is"
            " committed there.",
            pipeline.pipeline_name,
            describe_location(pipeline),
        )
        pipeline.drop()


def adopt_destination_state() -> None:
    """Let the source that is being read go on from what the destination keeps, not from elsewhere.

    What the run itself has reset stays so: by dlt's `refresh`, or as it empties the table.
    """
    state: Any
    state, loading = running_state()
    if not loading:
        # The source is looked at.
        return
    pipeline = running_pipeline()
    theirs = _state_to_adopt(pipeline, local_state(state))
    local_state(state)[LOCATION_KEY] = location_id(pipeline)
    if theirs is None:
        return
    mine = state.get(_SOURCES, {})
    base: Any = pipeline.state.get(_SOURCES, {})
    found = _merged(mine, base, theirs.get(_SOURCES, {}), LEVELS)
    source = dlt.current.source()
    own = found.get(source.name, {})
    for name, resource in source.resources.selected.items():
        if resource.write_disposition == "replace":
            own.get("resources", {}).pop(name, None)
    if found != mine:
        logger.warning(
            "The state of the pipeline %s on this machine belongs to another place than %s, or that"
            " was loaded or set back from elsewhere since. The tap %s.",
            pipeline.pipeline_name,
            describe_location(pipeline),
            "goes on from the state that is committed there" if own else "begins anew",
        )
        # In its place, where others hold it.
        mine.clear()
        mine.update(found)
        state[_SOURCES] = mine


def current_state(pipeline: Pipeline) -> Mapping[str, Any]:
    """Return the state from which the next run of a pipeline goes on.

    Args:
        pipeline: The pipeline, after `sync_destination`.
    """
    state: Any = pipeline.state
    theirs = _state_to_adopt(pipeline, local_state(state))
    found: Mapping[str, Any] = state if theirs is None else theirs
    return found


def _state_to_adopt(pipeline: Pipeline, local: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the state of the destination if the local one does not come from it, else None.

    Where the destination keeps no state, and was not loaded last, it is an empty one.
    """
    schema: str | None = pipeline.default_schema_name
    if schema is None:
        # Nothing was loaded from here.
        return None
    if pipeline.config.restore_from_destination and pipeline.config.use_single_dataset:
        with pipeline.destination_client() as client:
            if isinstance(client, WithStateSync):
                kept: Mapping[str, Any]
                try:
                    kept = (
                        load_pipeline_state_from_destination(pipeline.pipeline_name, client) or {}
                    )
                except DestinationUndefinedEntity:
                    kept = {}
                return None if was_committed(local, kept) else kept
    here = location_id(pipeline)
    return None if local.get(LOCATION_KEY, here) == here else {}


def _merged(
    mine: Mapping[str, Any], base: Mapping[str, Any], theirs: Mapping[str, Any], levels: int
) -> dict[str, Any]:
    """Return their state, but for what this run has made of its own."""
    found = {}
    for name in {**theirs, **mine, **base}:
        own, before, other = mine.get(name), base.get(name), theirs.get(name)
        if own == before:
            part = other
        elif levels and isinstance(own, dict):
            part = _merged(own, before or {}, other or {}, levels - 1)
        else:
            part = own
        if part is not None:
            found[name] = part
    return found
