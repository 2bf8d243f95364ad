"""Parents and children: what a resource takes from the records of another one."""

from __future__ import annotations

import graphlib
from typing import TYPE_CHECKING, Any

from tap_chat.declarations.endpoints import placeholder_names
from tap_chat.declarations.model import Parent
from tap_chat.declarations.problems import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_chat.declarations.problems import Problems

_PARTS_OF_PLACEHOLDER = 3


def included_property(parent: str, field: str) -> str:
    """Return the property of a child's record that gets a property of its parent's, as in dlt."""
    return f"_{parent}_{field}"


def parent_of(
    resource: Mapping[str, Any], names: Iterable[str], problems: Problems
) -> Parent | None:
    """Return the parent of a resource; None if it has none, or if it is wrong.

    Args:
        resource: The resource, its endpoint complete.
        names: The names of all resources.
        problems: Gets a sentence for each thing that is wrong.
    """
    place = f"{resource['place']}.endpoint"
    endpoint = resource["endpoint"]
    fields: dict[str, tuple[str, str]] = {}
    for at, name in placeholder_names(endpoint, place, problems):
        if not name.startswith("resources."):
            continue
        parts = name.strip().split(".", _PARTS_OF_PLACEHOLDER - 1)
        if len(parts) == _PARTS_OF_PLACEHOLDER and all(parts):
            fields[name] = (parts[1], parts[2])
            _check_parent(parts[1], at, names, problems)
        else:
            problems.tell(
                at, f"has a placeholder `{{{name}}}`. Write `{{resources.<parent>.<field>}}`."
            )
    for param, value in endpoint["params"].items():
        if isinstance(value, dict):
            fields[param] = (value["resource"], value["field"])
            _check_parent(value["resource"], f"{place}.params.{param}", names, problems)
    included = resource.get("include_from_parent", [])
    parents = dict.fromkeys(parent for parent, _ in fields.values())
    if len(parents) > 1:
        problems.tell(
            place, f"takes values from several parents: {', '.join(parents)}. Only one can be read."
        )
    elif not parents and included:
        problems.tell(
            f"{resource['place']}.include_from_parent",
            "needs a parent. Take a value of it in the path: `{resources.<parent>.<field>}`.",
        )
    for parent in parents:
        return Parent(
            parent,
            {name: field for name, (_, field) in fields.items()},
            {included_property(parent, field): field for field in included},
        )
    return None


def _check_parent(parent: str, place: str, names: Iterable[str], problems: Problems) -> None:
    if parent not in names:
        problems.tell(
            place,
            f"takes a value from the resource `{parent}`, which does not exist."
            f" {did_you_mean(parent, names)}",
        )


def parents_first(parents: Mapping[str, Parent | None], problems: Problems) -> list[str]:
    """Return the names of resources in the order of parents before children.

    Args:
        parents: The parent of each resource.
        problems: Gets a sentence if a resource is an ancestor of itself.
    """
    graph = {
        name: [parent.name] if parent and parent.name in parents else []
        for name, parent in parents.items()
    }
    try:
        return list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError as error:
        loop = " -> ".join(error.args[1])
        problems.tell(
            "resources",
            f"has a loop of parents: {loop}. One of them must take nothing from another.",
        )
        return []
