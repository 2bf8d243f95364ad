"""Makes a platform of a declaration: a class of streams for each resource."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET
from msgspec.structs import replace

from tap_chat.declarations.additions import Additions, read_additions
from tap_chat.declarations.problems import Problems
from tap_chat.platforms.platform import Platform
from tap_chat.platforms.rest.children import DeclaredChild
from tap_chat.platforms.rest.columns import declared_properties
from tap_chat.platforms.rest.contexts import child_fields
from tap_chat.platforms.rest.incremental import replication_key_of
from tap_chat.platforms.rest.responses import remedies_of
from tap_chat.platforms.rest.settings import RestSettings
from tap_chat.platforms.rest.streams import DeclaredStream

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_chat.declarations.model import Reading, Source
    from tap_chat.http.failures import Remedies


def declared_platform(  # noqa: PLR0913 - what a declaration needs with it
    name: str,
    section: str,
    source: Source,
    *,
    additions: Mapping[str, Any],
    next_link_hosts: Sequence[str] = (),
    rate_limit: tuple[int, float] | None = None,
    is_configured: bool = True,
    remedies: Remedies | None = None,
) -> Platform:
    """Return the platform of a declaration.

    Args:
        name: The name of the declaration, with which the names of its streams begin.
        section: Its section in the config, for errors: `rest.matrix`.
        source: The declaration.
        additions: What the format can't say, by the name of the resource.
        next_link_hosts: The hosts, besides that of the API, that links to a next page of any
            resource may lead to.
        rate_limit: The requests, and the seconds, of the rate limit that the API documents.
        is_configured: Whether all its settings are there. If not, no request is sent.
        remedies: What to do about failed requests; None if the declaration is the user's own.

    Raises:
        ConfigValidationError: An addition is wrong.
    """
    problems = Problems(section)
    resources = [reading.resource.name for reading in source.readings]
    read = read_additions(additions, resources, problems)
    problems.raise_if_any()
    common: dict[str, Any] = {
        "__module__": __name__,
        "section": section,
        "remedies": remedies or remedies_of(section),
        "declared_client": source.client,
        "is_configured": is_configured,
        "secrets": source.secrets,
    }
    streams: dict[str, type[DeclaredStream]] = {}
    for reading in source.readings:
        resource = reading.resource.name
        children = [
            child.parent
            for child in source.readings
            if child.parent and child.parent.name == resource
        ]
        own = read.get(resource, Additions())
        own = replace(own, next_link_hosts=[*next_link_hosts, *own.next_link_hosts])
        attributes = common | _attributes(reading, name, section, streams)
        attributes |= {
            "__doc__": own.description,
            "child_fields": child_fields(children),
            "additions": own,
        }
        base: type[DeclaredStream] = DeclaredChild if reading.parent else DeclaredStream
        streams[resource] = type(attributes["name"], (base,), attributes)
    return Platform(
        name=section,
        title=name,
        page="your-own-api",
        description=f"The declaration of {section}.",
        settings=RestSettings,
        streams=tuple(streams.values()),
        rate_limit=rate_limit,
    )


def _attributes(
    reading: Reading, name: str, section: str, streams: dict[str, type[DeclaredStream]]
) -> dict[str, Any]:
    """Return the attributes of the class of a resource.

    Args:
        reading: How the resource is read.
        name: The name of the declaration.
        section: Its section in the config, for errors.
        streams: The classes of the resources before it, by their names.
    """
    resource, endpoint, parent = reading.resource, reading.endpoint, reading.parent
    disposition, incremental = resource.write_disposition, endpoint.incremental
    columns = {} if resource.columns is UNSET else resource.columns
    # Loaders append the records of a stream without a key.
    keys = () if disposition == "append" else tuple(resource.primary_key)
    cursor = replication_key_of(incremental, section) if incremental else None
    if disposition == "replace":
        cursor = None  # each run has all records of the table
    return {
        "reading": reading,
        "name": f"{name}_{resource.name}",
        "path": endpoint.path,
        "primary_keys": keys,
        "replication_key": cursor,
        "parent_stream_type": streams[parent.name] if parent else None,
        "parent_keys": tuple(parent.included) if parent else (),
        "selected_by_default": resource.selected and disposition != "skip",
        "is_probed": parent is None and not streams,
        "declared_properties": declared_properties(columns, keys),
        "key_descriptions": {
            key: columns[key]["description"]
            for key in keys
            if columns.get(key, {}).get("description")
        },
    }
