"""Makes dlt pipelines and destinations from the settings of a command or a config."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field, replace
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
from dlt_bridge.destinations.dlt_private import START_FOLDER, make_package_folder
from dlt_bridge.errors import BridgeError
from dlt_bridge.run.locks import exclusive
from dlt_bridge.run.recovery import damage_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dlt import Pipeline


#: Arguments that the bridge's destination `duckdb` has and dlt's has not.
OWN_OPTIONS = frozenset({"wait_seconds"})
#: The schema contract under which a value that does not fit its column ends the run.
VALIDATED = {"data_type": "freeze"}


@dataclass(frozen=True, kw_only=True)
class PipelineSpec:
    """The settings of a pipeline and its destination.

    Attributes:
        destination: The name of a dlt destination, or of one in dlt's configuration.
        pipeline: The name of the pipeline.
        dataset: The dataset, which most databases call a schema. By default
            `<pipeline>_dataset`, as with dlt.
        credentials: A path, a URL or an object, as dlt takes them. For `filesystem`, the URL of
            the bucket or folder. None to use dlt's configuration.
        options: Other arguments of the destination, such as `location` of BigQuery.
        folder: The folder for working files of pipelines; None for dlt's default.
    """

    destination: str
    pipeline: str
    dataset: str | None = None
    credentials: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)
    folder: str | None = None


def make_pipeline(spec: PipelineSpec, *, progress: Any = None) -> Pipeline:  # noqa: ANN401
    """Make a pipeline, without connecting to its destination.

    Args:
        spec: The settings of the pipeline.
        progress: The argument `progress` of `dlt.pipeline`.

    Raises:
        BridgeError: There is no such destination, it needs packages that are not installed, or the
            pipeline's working files can't be read.
    """
    destination = make_destination(spec)
    try:
        return dlt.pipeline(
            spec.pipeline,
            pipelines_dir=spec.folder,  # type: ignore[arg-type]  # None is dlt's own place
            destination=destination,
            dataset_name=_dataset(spec),  # type: ignore[arg-type]  # None is allowed
            progress=progress,
        )
    except json.JSONDecodeError as error:
        folder = Path(spec.folder or get_dlt_pipelines_dir(), spec.pipeline)
        raise damage_error(spec.pipeline, str(folder), error) from error


def make_local_pipeline(spec: PipelineSpec, *, progress: Any = None) -> Pipeline:  # noqa: ANN401
    """Make a pipeline whose relative paths start from the current folder.

    dlt resolves them from the folder of the pipeline's first run, and keeps the dataset of its last
    run in whichever folder. If the pipeline loads to another location than before, its working
    files are dropped, because each location has its own state. Those of a run that is under way,
    and packages that wait, are left to the next run, which says so.

    Args:
        spec: The settings of the pipeline.
        progress: The argument `progress` of `dlt.pipeline`.

    Raises:
        BridgeError: As for `make_pipeline`.
    """
    pipeline = make_pipeline(spec, progress=progress)
    here = str(Path(current.run_context().local_dir).absolute())
    if pipeline.get_local_state_val(START_FOLDER) == here:
        return pipeline
    before = describe_location(pipeline)
    pipeline.set_local_state_val(START_FOLDER, here)
    # Made again, because a destination keeps the paths that it has resolved.
    spec = replace(spec, dataset=spec.dataset or f"{spec.pipeline}_dataset")
    pipeline = make_pipeline(spec, progress=progress)
    if describe_location(pipeline) != before:
        with suppress(BridgeError), exclusive(pipeline):
            make_package_folder(pipeline)
            if not pipeline.has_pending_data:
                pipeline.drop()
    return pipeline


def _dataset(spec: PipelineSpec) -> str | None:
    """Return the name of the dataset; None for dlt's default."""
    if spec.dataset is None and has_portable_name(spec.pipeline):
        return None
    return portable_dataset_name(spec.dataset or f"{spec.pipeline}_dataset")


def make_destination(spec: PipelineSpec) -> Destination[Any, Any]:
    """Make a destination, without connecting to it.

    Args:
        spec: The settings of the pipeline.

    Raises:
        BridgeError: There is no such destination, or it needs packages that are not installed.
    """
    options = dict(spec.options)
    if spec.credentials is not None:
        files = spec.destination == "filesystem" and isinstance(spec.credentials, str)
        options["bucket_url" if files else "credentials"] = spec.credentials
    # Arguments that dlt's own destination would warn of.
    of_bridge = {name: options.pop(name) for name in OWN_OPTIONS & options.keys()}
    try:
        destination = Destination.from_reference(spec.destination, **options)
    except UnknownDestinationModule:
        known = [name for name in destinations.__all__ if name != "destination"]
        near = get_close_matches(spec.destination, known, n=1)
        hint = f"Did you mean `{near[0]}`?" if near else f"dlt has: {', '.join(sorted(known))}."
        raise BridgeError(f"There is no such destination. {hint}") from None
    except TypeError as error:
        raise BridgeError(f"The destination {spec.destination}: {error}.") from None
    if not isinstance(destination, Destination):
        raise BridgeError("The name of the destination leads to something else.")
    try:
        # This imports the packages that the destination needs.
        _ = destination.client_class
    except (MissingDependencyException, ImportError) as error:
        raise BridgeError(
            f"The destination {spec.destination} needs packages that are not installed"
            f" ({_missing(error)}). Install them: pip install 'dlt[{spec.destination}]'."
        ) from None
    if destination.destination_type == "dlt.destinations.postgres" and not of_bridge:
        # Here, because it imports the packages of PostgreSQL.
        from dlt_bridge.postgres import with_exact_copy  # noqa: PLC0415

        return with_exact_copy(destination)
    if destination.destination_type == "dlt.destinations.duckdb":
        # Here, because it imports what DuckDB's destination needs.
        from dlt_bridge.destinations.duckdb_file import with_quick_paths  # noqa: PLC0415

        destination = with_quick_paths(destination)
        destination.config_params.update(of_bridge)
        return destination
    if of_bridge:
        raise BridgeError(
            f"The destination {spec.destination} has no option {', '.join(of_bridge)}: only the"
            " destination duckdb has it."
        )
    return destination


def _missing(error: MissingDependencyException | ImportError) -> str:
    if isinstance(error, MissingDependencyException):
        return ", ".join(error.dependencies)
    return error.name or type(error).__name__
