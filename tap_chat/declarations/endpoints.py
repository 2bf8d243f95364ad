"""Endpoints: merged with their defaults, secrets filled in, placeholders checked."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tap_chat.declarations import format as declared
from tap_chat.declarations.other_templates import other_template_problem
from tap_chat.declarations.problems import did_you_mean
from tap_chat.declarations.templates import Placeholder, escaped, template, texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_chat.declarations.problems import Problems
    from tap_chat.declarations.secrets import Secrets

#: A placeholder in the last part of a path: the path of one entity, as dlt tells it.
_ENTITY = re.compile(r"\{[a-zA-Z0-9.\-_]+\}")
#: The values of `incremental` that a placeholder can name, as in dlt.
INCREMENTAL = ("start_value", "initial_value", "last_value", "end_value")
#: The contexts of placeholders.
_RESOURCES = "resources."
_INCREMENTAL = "incremental."
#: The parts of a request that may have placeholders.
TEMPLATES = ("path", "params", "json", "data", "headers")


def merged_endpoint(
    defaults: Mapping[str, Any], own: Mapping[str, Any], name: str
) -> dict[str, Any]:
    """Return an endpoint with the defaults of all resources.

    As in dlt, each key replaces the default, but `params` and `json` are merged.

    Args:
        defaults: The endpoint of `resource_defaults`.
        own: The endpoint of the resource.
        name: The name of the resource, which is the path if the endpoint has none.
    """
    endpoint = {**defaults, "path": name, **own}
    for key in ("params", "json"):
        if key in endpoint:
            endpoint[key] = {**defaults.get(key, {}), **own.get(key, {})}
    return endpoint


def complete_endpoint(
    endpoint: dict[str, Any],
    client: Mapping[str, Any],
    secrets: Secrets,
    place: str,
    problems: Problems,
) -> dict[str, Any]:
    """Return an endpoint that needs nothing else: no defaults, references or parameters in it.

    Args:
        endpoint: The endpoint, merged with its defaults.
        client: The client, whose authentication and paginator are the defaults.
        secrets: The values of references.
        place: The place of the endpoint in the declaration.
        problems: Gets a sentence for each thing that is wrong.
    """
    endpoint = dict(endpoint)
    path = endpoint["path"]
    if _ENTITY.search(PurePosixPath(path).name):
        endpoint.setdefault("data_selector", "$")
        endpoint.setdefault("paginator", declared.SinglePagePaginator())
    own = endpoint.get("paginator")
    if own is None or isinstance(own, declared.AutoPaginator):
        # dlt takes `auto` for no paginator, too.
        endpoint["paginator"] = client.get("paginator") or declared.AutoPaginator()
    endpoint.setdefault("auth", client.get("auth"))
    if endpoint["auth"] is not None:
        endpoint["auth"] = secrets.fill(endpoint["auth"], f"{place}.auth", problems)
    for key in TEMPLATES:
        if endpoint.get(key) is not None:
            escape = quoted if key == "path" else escaped
            endpoint[key] = secrets.fill(endpoint[key], f"{place}.{key}", problems, escape)
    if endpoint.get("json") and endpoint.get("data"):
        problems.tell(place, "must have either `json` or `data`, not both.")
    _take_incremental(endpoint, place, problems)
    _bind_path(endpoint, place, problems)
    return endpoint


def quoted(text: str) -> str:
    """Return a text as a part of a path."""
    return quote(text, safe="")


def _take_incremental(endpoint: dict[str, Any], place: str, problems: Problems) -> None:
    """Make `incremental` of a parameter of this type."""
    params = endpoint.get("params", {})
    names = [name for name, value in params.items() if _is_bound(value, "incremental")]
    if len(names) > 1:
        problems.tell(
            f"{place}.params",
            f"has several parameters of the type `incremental`: {', '.join(names)}. Write one.",
        )
    elif names and endpoint.get("incremental"):
        problems.warn(
            f"{place}.incremental",
            f"is not used: the parameter `{names[0]}` has the type `incremental`.",
        )
    for name in names:
        value = {key: inner for key, inner in params[name].items() if key != "type"}
        endpoint["incremental"] = value | {"start_param": name}
    endpoint["params"] = {name: value for name, value in params.items() if name not in names}


def _bind_path(endpoint: dict[str, Any], place: str, problems: Problems) -> None:
    """Write parameters with fixed values into the path that names them."""
    params = endpoint["params"]
    at = f"{place}.path"
    parts = []
    for part in parsed(endpoint["path"], at, problems):
        if isinstance(part, str):
            parts.append(escaped(part))
        elif part.name.startswith((_RESOURCES, _INCREMENTAL)) or _is_bound(
            params.get(part.name), "resolve"
        ):
            parts.append(f"{{{part.name}}}")
        elif part.name in params:
            parts.append(str(params[part.name]))
        else:
            problems.tell(at, _unbound_problem(part.name))
    bound = {
        part.name
        for part in parsed(endpoint["path"], at, problems)
        if isinstance(part, Placeholder)
    }
    endpoint["path"] = "".join(parts)
    for name, value in params.items():
        if _is_bound(value, "resolve") and name not in bound:
            problems.tell(
                f"{place}.params.{name}",
                f"has the type `resolve`, but the path has no `{{{name}}}`. Elsewhere, write"
                f" `{{resources.{value['resource']}.{value['field']}}}`.",
            )
    endpoint["params"] = {
        name: value
        for name, value in params.items()
        if name not in bound or _is_bound(value, "resolve")
    }


def _unbound_problem(name: str) -> str:
    if "." in name or not name:
        return (
            f"has a placeholder `{{{name}}}` that stands for nothing. Write"
            " `{resources.<parent>.<field>}` or `{incremental.start_value}`."
        )
    return (
        f"has a placeholder `{{{name}}}` without a value. Write it in `params`, or take it from a"
        f" parent: `{{resources.<parent>.{name}}}`."
    )


def parsed(text: str, place: str, problems: Problems) -> tuple[str | Placeholder, ...]:
    """Return the parts of a text with placeholders; none if it is wrong.

    Args:
        text: The text.
        place: Its place in the declaration.
        problems: Gets a sentence if it is wrong.
    """
    if problem := other_template_problem(text, place, problems):
        problems.tell(place, problem)
        return ()
    try:
        return template(text).parts
    except ValueError:
        problems.tell(
            place,
            "has a brace that is not closed, or closes nothing. Write `{{` and `}}` for a brace.",
        )
        return ()


def placeholder_names(
    endpoint: Mapping[str, Any], place: str, problems: Problems
) -> Iterator[tuple[str, str]]:
    """Yield the names of the placeholders of an endpoint, with their places.

    Args:
        endpoint: The endpoint.
        place: Its place in the declaration.
        problems: Gets a sentence for each placeholder that stands for nothing.
    """
    for key in TEMPLATES:
        for at, text in texts(endpoint.get(key), f"{place}.{key}"):
            for part in parsed(text, at, problems):
                if isinstance(part, Placeholder):
                    yield at, part.name
                    _check_name(part.name, at, endpoint, problems)


def _check_name(name: str, place: str, endpoint: Mapping[str, Any], problems: Problems) -> None:
    if name.startswith(_RESOURCES):
        return
    if not name.startswith(_INCREMENTAL):
        if not place.endswith(".path"):
            problems.tell(
                place,
                f"has a placeholder `{{{name}}}` that stands for nothing. Write"
                " `{resources.<parent>.<field>}` or `{incremental.start_value}`, or `{{` and `}}`"
                " for braces.",
            )
    elif not endpoint.get("incremental"):
        problems.tell(
            place,
            f"has a placeholder `{{{name}}}`, but the endpoint has no `incremental`. Write"
            " `incremental: {cursor_path: ...}` next to it.",
        )
    elif (value := name.removeprefix(_INCREMENTAL)) not in INCREMENTAL:
        problems.tell(
            place,
            f"has a placeholder `{{{name}}}` that stands for nothing."
            f" {did_you_mean(value, INCREMENTAL)}",
        )


def _is_bound(value: Any, kind: str) -> bool:  # noqa: ANN401
    return isinstance(value, dict) and value.get("type") == kind
