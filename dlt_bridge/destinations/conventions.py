"""The naming convention of a source: one of dlt's, or the bridge's own."""

from __future__ import annotations

import dlt
from dlt.common.normalizers.naming.exceptions import NormalizersException
from dlt.common.normalizers.naming.snake_case import NamingConvention as SnakeCase
from dlt.common.schema import Schema
from dlt.common.schema.normalizers import naming_from_reference

from dlt_bridge import naming
from dlt_bridge.destinations.dlt_private import running_pipeline
from dlt_bridge.errors import BridgeError

#: The module of the bridge's own convention.
OURS = naming.__name__


def new_schema(source: str, convention: str | None) -> Schema:
    """Return an empty schema for a source.

    Args:
        source: The name of the source.
        convention: The naming convention that the user asks for. dlt's configuration and the
            destination may override it.

    Raises:
        BridgeError: There is no such naming convention.
    """
    try:
        return Schema(source, normalizers={"names": convention or OURS})
    except (ImportError, NormalizersException):
        raise BridgeError(
            "There is no such naming convention. dlt has snake_case, duck_case, direct, sql_cs_v1"
            f" and sql_ci_v1; that of the bridge is {OURS}."
        ) from None


def refuse_other_convention(convention: str | None) -> None:
    """Refuse another naming convention than the pipeline has, before anything is read.

    Args:
        convention: The naming convention that the user asks for, if any.

    Raises:
        BridgeError: The pipeline has another one, or dlt would not find the dataset again.
    """
    running = dlt.current.source_schema().naming
    if convention and not is_current_convention(convention):
        raise BridgeError(
            f"The naming convention `{convention}` is set, but the pipeline names its tables by"
            f" `{running.name()}`. It began with that, or dlt's configuration sets it. Remove the"
            " setting `naming`, or load into another dataset with another pipeline name."
        )
    dataset = running_pipeline().dataset_name
    if type(running) is naming.NamingConvention and dataset and not has_portable_name(dataset):
        # Before the first load, dlt looks for the dataset by its name in snake_case.
        raise BridgeError(
            f"dlt would not find the dataset `{dataset}` again. On another machine, the state of"
            " the tap would be lost: give it a name of English letters, digits and underscores."
        )


def is_current_convention(convention: str | None) -> bool:
    """Return whether the pipeline that runs has a naming convention; by default the bridge's."""
    running = dlt.current.source_schema().naming
    return type(naming_from_reference(convention or OURS)) is type(running)


def has_portable_name(dataset: str) -> bool:
    """Return whether a dataset has the same name in snake_case and in the bridge's convention."""
    ours = naming.NamingConvention().normalize_table_identifier(dataset)
    return bool(ours == SnakeCase().normalize_table_identifier(dataset))


def portable_dataset_name(dataset: str) -> str:
    """Return the name of a dataset, in snake_case unless it is the same in both conventions."""
    return (
        dataset
        if has_portable_name(dataset)
        else str(SnakeCase().normalize_table_identifier(dataset))
    )
