"""Reads a declaration: from an object as it came from a file, to a `Source`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from msgspec import UNSET

from tap_chat.config.validators import header_name_problem, header_problem, url_problem
from tap_chat.declarations import format as declared
from tap_chat.declarations.document import check_document
from tap_chat.declarations.endpoints import complete_endpoint, merged_endpoint
from tap_chat.declarations.model import Reading, Source
from tap_chat.declarations.parents import parent_of, parents_first
from tap_chat.declarations.plain import plain
from tap_chat.declarations.problems import Problems
from tap_chat.declarations.secrets import Secrets
from tap_chat.declarations.shapes import inside

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def read_declaration(
    raw: Mapping[str, Any],
    *,
    name: str,
    environ: Mapping[str, str],
    settings: Mapping[str, str] | None = None,
    public: Collection[str] = (),
) -> Source:
    """Read a declaration in dlt's `rest_api` format.

    Args:
        raw: The declaration, as it came from a file or from Python.
        name: Its name in sentences: `rest.matrix`.
        environ: The environment variables that `${NAME}` stands for, those of `.env` included.
        settings: The settings of its section that `${NAME}` stands for; they win.
        public: The names of those settings that are not secret.

    Returns:
        The source, in which nothing is left to be filled in but the placeholders of requests.

    Raises:
        ConfigValidationError: The declaration is wrong. It has a sentence for each problem, with
            its place, and what to write instead; none shows a value of a secret.
    """
    problems = Problems(name)
    secrets = Secrets(settings or {}, environ, public)
    checked = check_document(plain(raw, "", problems), problems)
    client = _client(checked.get("client", {}), secrets, problems)
    resources = _resources(checked, client, secrets, problems)
    parents = {
        name: parent_of(resource, resources, problems) for name, resource in resources.items()
    }
    order = parents_first(parents, problems)
    problems.raise_if_any()
    source = Source(
        declared.Client(**client),
        tuple(Reading(_typed(resources[name]), parents[name]) for name in order),
        problems.warnings,
    )
    # A host is not a secret: a message without it says little.
    of_host = Secrets(secrets.settings, secrets.environ)
    of_host.fill(urlsplit(checked["client"]["base_url"]).netloc, "client.base_url", problems)
    return replace(source, secrets=_secrets(source, secrets.filled_in - of_host.filled_in))


def _secrets(source: Source, filled_in: set[str]) -> frozenset[str]:
    """Return the texts that no message may show: what was filled in, and credentials as given."""
    auths = [source.client.auth, *(reading.endpoint.auth for reading in source.readings)]
    credentials = {
        text
        for auth in auths
        if auth
        for name in declared.SECRET_FIELDS
        if isinstance(text := getattr(auth, name, None), str)
    }
    return frozenset(credentials | filled_in) - {""}


def _client(client: dict[str, Any], secrets: Secrets, problems: Problems) -> dict[str, Any]:
    """Return the client with its secrets, checked."""
    filled: dict[str, Any] = {
        key: secrets.fill(client[key], f"client.{key}", problems)
        for key in ("base_url", "headers")
        if key in client
    }
    if client.get("auth"):
        filled["auth"] = secrets.fill(client["auth"], "client.auth", problems)
    is_url_known = "base_url" in filled and not problems.has_problem("client.base_url")
    if is_url_known and (problem := url_problem(filled["base_url"])):
        problems.tell("client.base_url", f"{problem}.")
    for name, value in filled.get("headers", {}).items():
        if problem := header_name_problem(name) or header_problem(value):
            problems.tell(inside("client.headers", name), f"{problem}.")
    return client | filled


def _resources(
    checked: dict[str, Any], client: Mapping[str, Any], secrets: Secrets, problems: Problems
) -> dict[str, dict[str, Any]]:
    """Return the resources by their names, complete."""
    defaults = checked.get("resource_defaults", {})
    if "path" in defaults.get("endpoint", {}):
        problems.warn(
            "resource_defaults.endpoint.path",
            "is not used: the path of a resource is its own, or its name.",
        )
    resources: dict[str, dict[str, Any]] = {}
    for own in checked.get("resources", []):
        name, place = own["name"], own["place"]
        if name in resources:
            problems.tell(
                f"{place}.name", f"`{name}` is the name of an earlier resource. Write another one."
            )
            continue
        endpoint = merged_endpoint(defaults.get("endpoint", {}), own.get("endpoint", {}), name)
        resources[name] = {
            **defaults,
            **own,
            "endpoint": complete_endpoint(endpoint, client, secrets, f"{place}.endpoint", problems),
            "columns": _columns(defaults.get("columns"), own.get("columns")),
        }
    return resources


def _columns(
    defaults: dict[str, dict[str, Any]] | None, own: dict[str, dict[str, Any]] | None
) -> Any:  # noqa: ANN401
    """Return columns with their defaults, hint by hint."""
    if defaults is None or own is None:
        return UNSET if (columns := own if defaults is None else defaults) is None else columns
    return defaults | {name: defaults.get(name, {}) | hints for name, hints in own.items()}


def _typed(resource: Mapping[str, Any]) -> declared.Resource:
    """Return a resource as its type; the columns may have the key, too."""
    columns = resource["columns"]
    hinted = (
        []
        if columns is UNSET
        else [name for name, hints in columns.items() if hints.get("primary_key")]
    )
    key = dict.fromkeys([*resource.get("primary_key", []), *hinted])
    own = {key: value for key, value in resource.items() if key != "place"}
    endpoint = dict(own["endpoint"])
    endpoint["params"] = {
        name: value for name, value in endpoint["params"].items() if not isinstance(value, dict)
    }
    if incremental := endpoint.get("incremental"):
        endpoint["incremental"] = declared.Incremental(**incremental)
    own["endpoint"] = declared.Endpoint(**endpoint)
    own["primary_key"] = list(key)
    return declared.Resource(**own)
