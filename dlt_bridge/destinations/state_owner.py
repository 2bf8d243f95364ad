"""Which destination the local state of a pipeline belongs to.

dlt keeps one state in a pipeline's working folder, and replaces it by the state in the destination
only if that has at least the same version. After runs into another destination or dataset, or into
one that was restored from a backup, the tap would continue from bookmarks whose rows are not there,
and rows would be missing without an error. So if the local state does not come from the
destination, the state in the destination is used.
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

# Key of the local state: the location that the last package was made for. Stored, so it stays.
LOCATION_KEY = "dlt_bridge_place"
_SOURCES = "sources"
#: Levels of nested objects from all sources down to a resource: source, `resources`, resource.
LEVELS = 3


def location_id(pipeline: Pipeline) -> str:
    """Return a hash of the destination and dataset of a pipeline.

    Only the address of the credentials counts.
    """
    config = resolve_destination_config(pipeline)
    try:
        location = config.data_location()
    except ConfigurationValueError:
        location = None
    parts = (config.destination_type, location or str(config), str(config), pipeline.dataset_name)
    return sha256("\n".join(map(str, parts)).encode()).hexdigest()[:16]


def set_location(
    pipeline: Pipeline,
    destination: Any = None,  # noqa: ANN401
    dataset_name: str | None = None,
    credentials: Any = None,  # noqa: ANN401
) -> None:
    """Set the destination and dataset of a pipeline, as `pipeline.run` does with these arguments.

    Args:
        pipeline: The pipeline.
        destination: The new destination, if any.
        dataset_name: The new dataset, if any.
        credentials: New credentials of the destination, if any.
    """
    if destination is not None and destination != pipeline.destination:
        new: Any = Destination.from_reference(destination)
        pipeline.destination = new
    if credentials is not None and pipeline.destination is not None:
        pipeline.destination.config_params["credentials"] = credentials
    if dataset_name:
        pipeline.dataset_name = (pipeline.config.dataset_name_layout or "%s") % dataset_name


def drop_foreign_state(pipeline: Pipeline) -> None:
    """Drop the working files of a pipeline if they belong to another location than it loads to.

    Packages that wait belong to the location that they were made for. dlt restores the state from
    the destination, and the tap reads again what was dropped.

    Args:
        pipeline: The pipeline, before it runs.

    Raises:
        PipelineStepFailed: The destination can't be reached.
    """
    destination: Any = pipeline.destination
    if destination is None:
        return
    state: Any = pipeline.state
    local = local_state(state)
    if pipeline.has_pending_data:
        is_foreign = local.get(LOCATION_KEY, here := location_id(pipeline)) != here
    else:
        try:
            is_foreign = _state_to_adopt(pipeline, local) is not None
        except Exception as error:
            # The error that dlt raises when it reads the state from the destination.
            no_step: Any = None
            raise PipelineStepFailed(pipeline, "sync", no_step, error, no_step) from error
    if is_foreign:
        logger.warning(
            "The working files of the pipeline %s belong to another destination or dataset than"
            " %s, or it was loaded from elsewhere or restored since. They are discarded: the tap"
            " continues from the last commit there.",
            pipeline.pipeline_name,
            describe_location(pipeline),
        )
        pipeline.drop()


def adopt_destination_state() -> None:
    """Make the source that is read continue from the state in its destination.

    State that this run has reset stays reset: by dlt's `refresh`, or because a stream is replaced.
    """
    state: Any
    state, is_kept = running_state()
    if not is_kept:
        # The source is iterated without a run.
        return
    pipeline = running_pipeline()
    remote = _state_to_adopt(pipeline, local_state(state))
    local_state(state)[LOCATION_KEY] = location_id(pipeline)
    if remote is None:
        return
    local = state.get(_SOURCES, {})
    base: Any = pipeline.state.get(_SOURCES, {})
    merged = _merged(local, base, remote.get(_SOURCES, {}), LEVELS)
    source = dlt.current.source()
    own = merged.get(source.name, {})
    for name, resource in source.resources.selected.items():
        if resource.write_disposition == "replace":
            own.get("resources", {}).pop(name, None)
    if merged != local:
        logger.warning(
            "The state of the pipeline %s on this machine belongs to another destination or dataset"
            " than %s, or it was loaded from elsewhere or restored since. The tap %s.",
            pipeline.pipeline_name,
            describe_location(pipeline),
            "continues from the state that is committed there" if own else "begins from the start",
        )
        # The same object, because others have a reference to it.
        local.clear()
        local.update(merged)
        state[_SOURCES] = local


def current_state(pipeline: Pipeline) -> Mapping[str, Any]:
    """Return the state from which the next run of a pipeline continues.

    Args:
        pipeline: The pipeline, after `sync_destination`.
    """
    state: Any = pipeline.state
    remote = _state_to_adopt(pipeline, local_state(state))
    current: Mapping[str, Any] = state if remote is None else remote
    return current


def _state_to_adopt(pipeline: Pipeline, local: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return the state in the destination if the local state does not come from it, else None.

    It is empty if the destination keeps no state and the last run loaded to another location.
    """
    schema: str | None = pipeline.default_schema_name
    if schema is None:
        # Nothing was loaded from here.
        return None
    if pipeline.config.restore_from_destination and pipeline.config.use_single_dataset:
        with pipeline.destination_client() as client:
            if isinstance(client, WithStateSync):
                remote: Mapping[str, Any]
                try:
                    remote = (
                        load_pipeline_state_from_destination(pipeline.pipeline_name, client) or {}
                    )
                except DestinationUndefinedEntity:
                    remote = {}
                return None if was_committed(local, remote) else remote
    here = location_id(pipeline)
    return None if local.get(LOCATION_KEY, here) == here else {}


def _merged(
    local: Mapping[str, Any], base: Mapping[str, Any], remote: Mapping[str, Any], levels: int
) -> dict[str, Any]:
    """Return the remote state with the changes that this run has made to the local one.

    Args:
        local: The local state now.
        base: The local state before the run.
        remote: The state in the destination.
        levels: How many levels of nested objects to merge.
    """
    merged = {}
    for name in {**remote, **local, **base}:
        now, before, other = local.get(name), base.get(name), remote.get(name)
        if now == before:
            part = other
        elif levels and isinstance(now, dict):
            part = _merged(now, before or {}, other or {}, levels - 1)
        else:
            part = now
        if part is not None:
            merged[name] = part
    return merged
