"""Checks the keys and types of a whole declaration, before anything is merged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import UNSET

from tap_chat.declarations import format as declared
from tap_chat.declarations.parts import auth, json_path, paginator
from tap_chat.declarations.problems import did_you_mean
from tap_chat.declarations.shapes import Shape, of_fields, of_type

if TYPE_CHECKING:
    from tap_chat.declarations.problems import Problems
    from tap_chat.declarations.shapes import Check

#: The types of columns in dlt.
DATA_TYPES = (
    *("text", "double", "bool", "timestamp", "bigint", "binary", "json", "decimal", "wei"),
    *("date", "time"),
)


def list_of(check: Check) -> Check:
    """Return the check of a list, whose items have a check of their own."""

    def check_list(value: Any, place: str, problems: Problems) -> Any:  # noqa: ANN401
        if not isinstance(value, list):
            problems.tell(place, "must be a list.")
            return UNSET
        items = [
            check(item, f"{place}[{number}]", problems)
            for number, item in enumerate(value)
            if item is not UNSET
        ]
        return [item for item in items if item is not UNSET]

    return check_list


def text_or(name: str, check: Check) -> Check:
    """Return the check of an object, for which a text may stand.

    Args:
        name: The key of the object whose value the text is.
        check: The check of the object.
    """

    def check_either(value: Any, place: str, problems: Problems) -> Any:  # noqa: ANN401
        return check({name: value} if isinstance(value, str) else value, place, problems)

    return check_either


def _incremental(value: Any, place: str, problems: Problems) -> Any:  # noqa: ANN401
    checks = of_fields(declared.Incremental) | {"cursor_path": json_path}
    checked = Shape("incremental", checks, ["cursor_path"]).check(value, place, problems)
    return checked if "cursor_path" in checked else UNSET


def _params(value: Any, place: str, problems: Problems) -> Any:  # noqa: ANN401
    if not isinstance(value, dict):
        problems.tell(place, "must be an object.")
        return UNSET
    checked = {
        name: _bound_param(inner, f"{place}.{name}", problems) if isinstance(inner, dict) else inner
        for name, inner in value.items()
    }
    return {name: inner for name, inner in checked.items() if inner is not UNSET}


def _bound_param(value: dict[str, Any], place: str, problems: Problems) -> Any:  # noqa: ANN401
    """Check a parameter whose value comes from a parent or a bookmark."""
    inner = {key: item for key, item in value.items() if key != "type"}
    match value.get("type"):
        case "incremental":
            for key in {"end_value", "end_param", "start_param"} & inner.keys():
                problems.tell(
                    f"{place}.{key}",
                    "is not a key of a parameter. Write `incremental` in `endpoint`.",
                )
                del inner[key]
            checked = _incremental(inner, place, problems)
        case "resolve":
            checks = {"resource": of_type(str), "field": json_path}
            checked = Shape("parameter", checks, list(checks)).check(inner, place, problems)
            if len(checked) < len(checks):
                return UNSET
        case _:
            problems.tell(
                place,
                "must be a value, `{type: resolve, resource: ..., field: ...}` or"
                " `{type: incremental, cursor_path: ...}`.",
            )
            return UNSET
    return checked if checked is UNSET else checked | {"type": value["type"]}


def _status(value: Any, place: str, problems: Problems) -> Any:  # noqa: ANN401
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return of_type(int)(value, place, problems)


def _response_action(value: Any, place: str, problems: Problems) -> Any:  # noqa: ANN401
    checks = of_fields(declared.ResponseAction) | {"status_code": _status}
    checked = Shape("response action", checks, ["action"]).check(value, place, problems)
    if not checked.keys() & {"status_code", "content"}:
        problems.tell(place, "needs a `status_code`, or a text in `content`.")
        return UNSET
    return declared.ResponseAction(**checked) if "action" in checked else UNSET


def _endpoint(value: Any, place: str, problems: Problems) -> Any:  # noqa: ANN401
    checks = of_fields(declared.Endpoint) | {
        "params": _params,
        "json": of_type(dict[str, Any]),
        "data_selector": json_path,
        "paginator": paginator,
        "auth": auth,
        "incremental": _incremental,
        "response_actions": list_of(_response_action),
    }
    return Shape("endpoint", checks, nullable=["auth"]).check(value, place, problems)


def _columns(value: Any, place: str, problems: Problems) -> Any:  # noqa: ANN401
    """Check the columns, and return them by their names."""
    if isinstance(value, list):
        named = list_of(_named_column)(value, place, problems)
        value = {column["name"]: column for column in named}
    if not isinstance(value, dict):
        problems.tell(place, "must be an object or a list.")
        return UNSET
    return {
        name: _COLUMN.check(
            {hint: item for hint, item in column.items() if hint != "name"}
            if isinstance(column, dict)
            else column,
            f"{place}.{name}",
            problems,
        )
        for name, column in value.items()
    }


def _data_type(value: Any, place: str, problems: Problems) -> Any:  # noqa: ANN401
    if value in DATA_TYPES:
        return value
    problems.tell(place, f"is not a type of dlt. {did_you_mean(str(value), DATA_TYPES)}")
    return UNSET


_COLUMN = Shape(
    "column",
    {
        "data_type": _data_type,
        "nullable": of_type(bool),
        "primary_key": of_type(bool),
        "precision": of_type(int),
        "scale": of_type(int),
        "description": of_type(str),
    },
)


def _named_column(value: Any, place: str, problems: Problems) -> Any:  # noqa: ANN401
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        return value
    problems.tell(place, "must be an object with a `name`.")
    return UNSET


def _names(value: Any, place: str, problems: Problems) -> Any:  # noqa: ANN401
    names = of_type(str | list[str])(value, place, problems)
    return [names] if isinstance(names, str) else names


def _write_disposition(value: Any, place: str, problems: Problems) -> Any:  # noqa: ANN401
    if not isinstance(value, dict):
        return of_type(declared.WriteDisposition)(value, place, problems)
    checks = {"disposition": of_type(declared.WriteDisposition)}
    checked = Shape("disposition", checks, ["disposition"]).check(value, place, problems)
    return checked.get("disposition", UNSET)


_DEFAULTS: dict[str, Check] = {
    "endpoint": text_or("path", _endpoint),
    "primary_key": _names,
    "include_from_parent": of_type(list[str]),
    "write_disposition": _write_disposition,
    "columns": _columns,
    "selected": of_type(bool),
}


def _defaults(value: Any, place: str, problems: Problems) -> Any:  # noqa: ANN401
    return Shape("resource", _DEFAULTS | {"endpoint": _endpoint}).check(value, place, problems)


def _resource(value: Any, place: str, problems: Problems) -> Any:  # noqa: ANN401
    if isinstance(value, dict) and isinstance(name := value.get("name"), str):
        problems.resources[place] = name
    checks = {"name": of_type(str)} | _DEFAULTS
    checked = Shape("resource", checks, ["name"]).check(value, place, problems)
    return checked | {"place": place} if "name" in checked else UNSET


def _client(value: Any, place: str, problems: Problems) -> Any:  # noqa: ANN401
    checks = of_fields(declared.Client) | {"auth": auth, "paginator": paginator}
    return Shape("client", checks, ["base_url"]).check(value, place, problems)


_DECLARATION: dict[str, Check] = {
    "client": _client,
    "resources": list_of(text_or("name", _resource)),
    "resource_defaults": _defaults,
}


def check_document(document: dict[str, Any], problems: Problems) -> dict[str, Any]:
    """Check the keys and types of a declaration.

    Args:
        document: The declaration as plain JSON.
        problems: Gets a sentence for each key that is unknown, missing or wrong.

    Returns:
        What is right of it. Authentication, paginators and response actions are typed; endpoints
        and resources are objects, columns objects by name; each resource has its `place`.
    """
    shape = Shape("declaration", _DECLARATION, ["client", "resources"])
    checked = shape.check(document, "", problems)
    if checked.get("resources") == [] and document.get("resources") == []:
        problems.tell("resources", "is empty. Write at least one: `resources: [users]`.")
    return checked
