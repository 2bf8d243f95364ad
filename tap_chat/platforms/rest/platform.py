"""Makes a platform of a declaration: a class of streams for each resource."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_chat.platforms.platform import Platform
from tap_chat.platforms.rest.contexts import child_fields
from tap_chat.platforms.rest.responses import remedies_of
from tap_chat.platforms.rest.settings import RestSettings
from tap_chat.platforms.rest.streams import DeclaredChild, DeclaredStream

if TYPE_CHECKING:
    from tap_chat.declarations.model import Reading, Source


def declared_platform(name: str, section: str, source: Source) -> Platform:
    """Return the platform of a declaration.

    Args:
        name: The name of the declaration, with which the names of its streams begin.
        section: Its section in the config, for errors: `rest.matrix`.
        source: The declaration.
    """
    common: dict[str, Any] = {
        "__module__": __name__,
        "section": section,
        "remedies": remedies_of(section),
        "declared_client": source.client,
    }
    streams: dict[str, type[DeclaredStream]] = {}
    for reading in source.readings:
        resource = reading.resource.name
        children = [
            child.parent
            for child in source.readings
            if child.parent and child.parent.name == resource
        ]
        attributes = common | _attributes(reading, name, streams)
        attributes["child_fields"] = child_fields(children)
        base: type[DeclaredStream] = DeclaredChild if reading.parent else DeclaredStream
        streams[resource] = type(attributes["name"], (base,), attributes)
    return Platform(
        name=section,
        title=name,
        page="rest",
        description=f"The declaration of {section}.",
        settings=RestSettings,
        streams=tuple(streams.values()),
    )


def _attributes(
    reading: Reading, name: str, streams: dict[str, type[DeclaredStream]]
) -> dict[str, Any]:
    """Return the attributes of the class of a resource.

    Args:
        reading: How the resource is read.
        name: The name of the declaration.
        streams: The classes of the resources before it, by their names.
    """
    resource, endpoint, parent = reading.resource, reading.endpoint, reading.parent
    appends = resource.write_disposition == "append"
    incremental = endpoint.incremental
    return {
        "reading": reading,
        "name": f"{name}_{resource.name}",
        "path": endpoint.path,
        "primary_keys": () if appends else tuple(resource.primary_key),
        "replication_key": incremental.cursor_path if incremental else None,
        "records_path": (endpoint.data_selector or "").removeprefix("$").removeprefix("."),
        "parent_stream_type": streams[parent.name] if parent else None,
        "parent_keys": tuple(parent.included) if parent else (),
        "selected_by_default": resource.selected,
    }
