"""The settings of targets of the Meltano SDK, as those of `target-dlt`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dlt_bridge.errors import BridgeError
from dlt_bridge.run.pipelines import VALIDATED

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The write dispositions of load methods. The SDK's `upsert` is what target-dlt does by default.
DISPOSITIONS = {"append-only": "append", "upsert": None}


def translated(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a config in which the SDK's settings have become those of target-dlt.

    Args:
        config: The settings, as they are given.

    Raises:
        BridgeError: Two settings contradict each other, or what one asks for can't be had.
    """
    settings = dict(config)
    dataset = settings.pop("default_target_schema", None)
    if dataset is not None and settings.setdefault("dataset_name", dataset) != dataset:
        raise _contradiction("dataset_name", "default_target_schema")
    method = settings.pop("load_method", None)
    if method is not None:
        if method not in DISPOSITIONS:
            raise BridgeError(
                "The setting `load_method` can't be `overwrite`: a target does not know whether the"
                " tap sends all rows. Name the streams to replace in the setting `refresh`, and let"
                " the tap send everything."
            )
        disposition = DISPOSITIONS[method]
        given = settings.get("write_disposition")
        if given is not None and given != (disposition or "merge"):
            raise _contradiction("write_disposition", "load_method")
        if disposition is not None:
            settings["write_disposition"] = disposition
    if settings.pop("validate_records", None):
        if "schema_contract" in settings:
            raise _contradiction("schema_contract", "validate_records")
        settings["schema_contract"] = VALIDATED
    return settings


def _contradiction(name: str, other: str) -> BridgeError:
    return BridgeError(
        f"The settings `{name}` and `{other}` contradict each other. Remove one of them."
    )
