"""Templates of other tools, such as Airbyte's `{{ stream_partition['user_id'] }}`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tap_chat.declarations.problems import Problems

_TEMPLATE = re.compile(r"\{\{[^{}]*\}\}")
_WORD = re.compile(r"\w+")

#: What the first word of a template in another tool stands for.
_PARENTS = frozenset({"stream_partition", "stream_slice", "parent", "partition", "context"})
_SETTINGS = frozenset({"config", "settings", "parameters", "env", "secrets"})
_TIMES = frozenset({"stream_interval", "stream_state", "now_utc", "today_utc", "state"})
_PAGES = frozenset({"next_page_token", "response", "last_record", "last_page_size"})


def other_template_problem(text: str, place: str, problems: Problems) -> str | None:
    """Return what is wrong with a text that has a template of another tool; None for others.

    Args:
        text: A text with placeholders, in which `{{` and `}}` stand for braces.
        place: Its place in the declaration. Braces in a path are always of a template.
        problems: Know the names of the resources.
    """
    for found in _TEMPLATE.findall(text):
        words = _WORD.findall(found)
        kind = words[0] if words else ""
        if kind in _PARENTS or (
            place.endswith(".path") and kind not in _SETTINGS | _TIMES | _PAGES
        ):
            advice = _parent_advice(words[-1] if words else "id", place, problems)
        elif kind in _SETTINGS:
            advice = f"Write `${{{words[-1].upper()}}}` for an environment variable."
        elif kind in _TIMES:
            advice = "Write `{incremental.start_value}`, and `incremental` next to it."
        elif kind in _PAGES:
            advice = "The paginator sends what leads to the next page."
        else:
            continue
        return f"has a template of another tool, `{found}`. {advice}"
    return None


def _parent_advice(field: str, place: str, problems: Problems) -> str:
    """Return how to write the value of a parent's record.

    Args:
        field: The name of the value in the other tool: `user_id`.
        place: The place of the template.
        problems: Know the names of the resources.
    """
    entity, _, key = field.rpartition("_")
    own = problems.resource_of(place)
    for name in problems.resources.values():
        if entity and name != own and name.rpartition("_")[2] in {entity, f"{entity}s"}:
            return f"Write `{{resources.{name}.{key}}}`: the `{key}` of each record of `{name}`."
    return (
        f"Write `{{resources.<parent>.{field}}}`: the name of another resource, and of a field of"
        " its records."
    )
