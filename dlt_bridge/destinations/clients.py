"""The configuration of a pipeline's destination, and clients of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dlt.common.configuration.resolve import inject_section
from dlt.common.configuration.specs import ConfigSectionContext

if TYPE_CHECKING:
    from dlt import Pipeline, Schema


def describe_location(pipeline: Pipeline) -> str:
    """Return the destination and dataset of a pipeline, for people to read."""
    # The configuration as text is the address without secrets.
    return f"{resolve_destination_config(pipeline)}, dataset {pipeline.dataset_name}"


def make_client(pipeline: Pipeline, schema: Schema) -> Any:  # noqa: ANN401
    """Return a client of a pipeline's destination.

    `Pipeline.destination_client` fails if the pipeline does not have the schema yet and its own
    name is not a valid name of a schema.

    Args:
        pipeline: The pipeline.
        schema: The schema that the client works with.
    """
    if schema.name in pipeline.schemas:
        return pipeline.destination_client(schema.name)
    destination: Any = pipeline.destination
    return destination.client(schema, resolve_destination_config(pipeline))


def resolve_destination_config(pipeline: Pipeline) -> Any:  # noqa: ANN401
    """Return the configuration of a pipeline's destination, with missing values left out."""
    destination = pipeline.destination
    initial = destination.spec()
    if "dataset_name" in initial:
        initial["dataset_name"] = pipeline.dataset_name
    with inject_section(ConfigSectionContext(pipeline_name=pipeline.pipeline_name, sections=())):
        return destination.configuration(initial, accept_partial=True)
