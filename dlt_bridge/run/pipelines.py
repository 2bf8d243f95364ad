"""Where to load, as a command or a config says it: a dlt pipeline with its destination."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt
from dlt import current, destinations
from dlt.common.destination import Destination
from dlt.common.destination.exceptions import UnknownDestinationModule
from dlt.common.exceptions import MissingDependencyException
from dlt.common.pipeline import get_dlt_pipelines_dir

from dlt_bridge.destinations.clients import describe_location
from dlt_bridge.destinations.conventions import has_portable_name, portable_dataset_name
from dlt_bridge.destinations.dlt_private import START_FOLDER
from dlt_bridge.errors import BridgeError
from dlt_bridge.run.recovery import damage_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dlt import Pipeline


@dataclass(frozen=True, kw_only=True)
class PipelineSpec:
    """A destination, and the pipeline that loads there.

    Attributes:
        destination: The name of a dlt destination, or of one that dlt's configuration names.
        pipeline: The pipeline's name.
        dataset: The dataset, which most databases call a schema; by default `<pipeline>_dataset`,
            as with dlt.
        credentials: As dlt takes them: a path, a URL, an object. Of `filesystem`, the URL of the
            bucket or folder. None if dlt's configuration has them.
        options: What the destination takes besides, such as `location` of BigQuery.
        folder: Where pipelines keep their working files; None for dlt's own place.
    """

    destination: str
    pipeline: str
    dataset: str | None = None
    credentials: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)
    folder: str | None = None


def make_pipeline(place: PipelineSpec, *, progress: Any = None) -> Pipeline:  # noqa: ANN401
    """Make the pipeline that loads to a place; nothing is connected yet.

    Args:
        place: The place.
        progress: As `dlt.pipeline` takes it.

    Raises:
        BridgeError: There is no such destination, it needs packages that are not installed, or the
            pipeline's working files can't be read.
    """
    destination = make_destination(place)
    try:
        return dlt.pipeline(
            place.pipeline,
            pipelines_dir=place.folder,  # type: ignore[arg-type]  # None is dlt's own place
            destination=destination,
            dataset_name=_dataset(place),  # type: ignore[arg-type]  # likewise
            progress=progress,
        )
    except json.JSONDecodeError as error:
        folder = Path(place.folder or get_dlt_pipelines_dir(), place.pipeline)
        raise damage_error(place.pipeline, str(folder), error) from error


def make_local_pipeline(place: PipelineSpec, *, progress: Any = None) -> Pipeline:  # noqa: ANN401
    """Make a pipeline whose relative paths are of the working folder.

    dlt takes them for those of the folder of the pipeline's first run. What is known of another
    place is forgotten: each has its own state.

    Args:
        place: The place.
        progress: As `dlt.pipeline` takes it.

    Raises:
        BridgeError: As for `make_pipeline`.
    """
    pipeline = make_pipeline(place, progress=progress)
    here = str(Path(current.run_context().local_dir).absolute())
    if pipeline.get_local_state_val(START_FOLDER) == here:
        return pipeline
    before = describe_location(pipeline)
    pipeline.set_local_state_val(START_FOLDER, here)
    # Made anew, as a destination keeps what it has looked up.
    pipeline = make_pipeline(place, progress=progress)
    if describe_location(pipeline) != before:
        pipeline.drop()
    return pipeline


def _dataset(place: PipelineSpec) -> str | None:
    """Return the name of the dataset; None for dlt's own choice."""
    if place.dataset is None and has_portable_name(place.pipeline):
        return None
    return portable_dataset_name(place.dataset or f"{place.pipeline}_dataset")


def make_destination(place: PipelineSpec) -> Destination[Any, Any]:
    """Make the destination of a place; nothing is connected yet.

    Args:
        place: The place.

    Raises:
        BridgeError: As for `make_pipeline`.
    """
    options = dict(place.options)
    if place.credentials is not None:
        files = place.destination == "filesystem" and isinstance(place.credentials, str)
        options["bucket_url" if files else "credentials"] = place.credentials
    try:
        found = Destination.from_reference(place.destination, **options)
    except UnknownDestinationModule:
        known = [name for name in destinations.__all__ if name != "destination"]
        near = get_close_matches(place.destination, known, n=1)
        hint = f"Did you mean `{near[0]}`?" if near else f"dlt has: {', '.join(sorted(known))}."
        raise BridgeError(f"There is no such destination. {hint}") from None
    except TypeError as error:
        raise BridgeError(f"The destination {place.destination}: {error}.") from None
    if not isinstance(found, Destination):
        raise BridgeError("What is named as the destination is none.")
    try:
        # What it imports, it needs before anything else.
        _ = found.client_class
    except (MissingDependencyException, ImportError) as error:
        raise BridgeError(
            f"The destination {place.destination} needs packages that are not installed"
            f" ({_missing(error)}). Install them: pip install 'dlt[{place.destination}]'."
        ) from None
    if found.destination_type == "dlt.destinations.postgres":
        # Here, because its packages are there only now.
        from dlt_bridge.postgres import with_exact_csv  # noqa: PLC0415

        return with_exact_csv(found)
    return found


def _missing(error: MissingDependencyException | ImportError) -> str:
    if isinstance(error, MissingDependencyException):
        return ", ".join(error.dependencies)
    return error.name or type(error).__name__
