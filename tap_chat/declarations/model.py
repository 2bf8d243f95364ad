"""A declaration, ready to be read: its resources in the order of parents before children."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tap_chat.declarations.format import Client, Endpoint, JSONPath, Resource


@dataclass(frozen=True, slots=True)
class Parent:
    """The parent of a resource, for each of whose records the resource is read.

    Attributes:
        name: The name of the parent resource.
        fields: The JSONPath of each value that the requests take from a record of the parent, by
            the name of its placeholder: `resources.rooms.room_id`, or the name of a parameter of
            the type `resolve`.
        included: The property of the parent's record, by the property of the child's record that
            gets its value: `{"_rooms_room_id": "room_id"}`, as dlt names it.
    """

    name: str
    fields: Mapping[str, JSONPath]
    included: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reading:
    """How one resource is read.

    Attributes:
        resource: The resource. Its path, params, json and headers may have placeholders:
            `{resources.<parent>.<field>}`, `{incremental.start_value}`.
        parent: Its parent; None if it has none.
    """

    resource: Resource
    parent: Parent | None

    @property
    def endpoint(self) -> Endpoint:
        """The requests of the resource."""
        return self.resource.endpoint


@dataclass(frozen=True, slots=True)
class Source:
    """A declaration that is ready to be read.

    Attributes:
        client: What all requests share.
        readings: How each resource is read; parents come before their children.
        warnings: Sentences about keys that have no effect.
        secrets: The texts that no message may show.
    """

    client: Client
    readings: Sequence[Reading]
    warnings: Sequence[str] = ()
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
