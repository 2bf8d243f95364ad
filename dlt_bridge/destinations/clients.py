"""Clients of the destination of a pipeline, and its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dlt.common.configuration.resolve import inject_section
from dlt.common.configuration.specs import ConfigSectionContext

if TYPE_CHECKING:
    from dlt import Pipeline, Schema


def describe_location(pipeline: Pipeline) -> str:
    """Return where a pipeline loads to, for people to read."""
    # As text, the configuration is the address without what is secret in it.
    return f"{resolve_destination_config(pipeline)}, dataset {pipeline.dataset_name}"


def make_client(pipeline: Pipeline, schema: Schema) -> Any:  # noqa: ANN401
    """Return a client of a pipeline's destination for a schema.

    The pipeline makes one itself, but not if it has no such schema yet, and its own name is no name
    of a schema.

    Args:
        pipeline: The pipeline.
        schema: The schema.
    """
    if schema.name in pipeline.schemas:
        return pipeline.destination_client(schema.name)
    destination: Any = pipeline.destination
    return destination.client(schema, resolve_destination_config(pipeline))


def resolve_destination_config(pipeline: Pipeline) -> Any:  # noqa: ANN401
    """Return the configuration of a pipeline's destination; of what is missing, without it.

    A client of the pipeline has it, too; but dlt makes none where the pipeline's name is no name of
    a schema.
    """
    destination = pipeline.destination
    begun = destination.spec()
    if "dataset_name" in begun:
        begun["dataset_name"] = pipeline.dataset_name
    with inject_section(ConfigSectionContext(pipeline_name=pipeline.pipeline_name, sections=())):
        return destination.configuration(begun, accept_partial=True)
