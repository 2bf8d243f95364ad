"""The errors of settings as sentences, without a value."""

from __future__ import annotations

import sys
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator

from tap_chat.escapes import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from singer_sdk.exceptions import ConfigValidationError

KINDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "object": "an object",
    "array": "a list",
}
NULL = ("null", ["null"])
LIMITS = {
    "exclusiveMinimum": "above {}",
    "minimum": "not below {}",
    "exclusiveMaximum": "below {}",
    "maximum": "not above {}",
}


def config_error(*errors: str) -> ConfigValidationError:
    """Return the SDK's error for a config with these problems, one sentence each."""
    # Here, because target-dlt does not need the SDK otherwise, and its import takes long.
    from singer_sdk.exceptions import ConfigValidationError  # noqa: PLC0415

    return ConfigValidationError(" ".join(errors), errors=list(errors))


def config_problems(error: Exception) -> list[str]:
    """Return the sentences of an error that `config_error` made; none for another error."""
    if "singer_sdk.exceptions" not in sys.modules:
        return []
    from singer_sdk.exceptions import ConfigValidationError  # noqa: PLC0415 - as in config_error

    return list(error.errors) if isinstance(error, ConfigValidationError) else []


def schema_errors(
    values: Mapping[str, Any], schema: Mapping[str, Any], program: str
) -> Iterator[str]:
    """Yield the errors of settings, as sentences.

    Args:
        values: The settings.
        schema: Their JSON Schema.
        program: The program whose `--about` lists the settings.
    """
    yield from name_errors(values, schema, program)
    for error in Draft202012Validator(schema).iter_errors(values):
        if error.validator not in {"required", "additionalProperties"}:
            yield value_error(".".join(map(str, error.absolute_path)), error.schema)


def name_errors(
    values: Mapping[str, Any], schema: Mapping[str, Any], program: str, at: str = ""
) -> Iterator[str]:
    """Yield the errors of unknown and missing settings, as sentences.

    Args:
        values: The settings of a section, or of the whole.
        schema: Its JSON Schema.
        program: The program whose `--about` lists the settings.
        at: The prefix of their names.
    """
    known = schema["properties"]
    for name in sorted(values.keys() - known.keys()):
        near = get_close_matches(name, known, n=1)
        hint = f"Did you mean `{at}{near[0]}`?" if near else f"`{program} --about` lists them all."
        yield f"There is no setting `{printable(at + name)}`. {hint}"
    missing = [f"`{at}{name}`" for name in schema.get("required", ()) if name not in values]
    if len(missing) > 1:
        yield f"The settings {', '.join(missing[:-1])} and {missing[-1]} are missing."
    elif missing:
        yield f"The setting {missing[0]} is missing."
    for name, value in values.items():
        if isinstance(value, dict) and is_section(known.get(name, {})):
            yield from name_errors(value, known[name], program, f"{at}{name}.")


def value_error(name: str, schema: Mapping[str, Any]) -> str:
    """Return the error of a setting that does not fit its JSON Schema.

    Args:
        name: The name of the setting, with its sections.
        schema: The JSON Schema of the setting.
    """
    return f"The setting `{printable(name)}` is wrong: it must be {describe_type(schema)}."


def describe_type(schema: Mapping[str, Any]) -> str:
    """Return what a JSON Schema allows, apart from null, in words: `a whole number not below 1`."""
    if "const" in schema:
        return f"`{schema['const']}`"
    if choices := schema.get("enum"):
        return " or ".join(f"`{choice}`" for choice in choices if choice is not None)
    if parts := schema.get("anyOf") or schema.get("oneOf"):
        options = [describe_type(part) for part in parts if part.get("type") not in NULL]
        return " or ".join(dict.fromkeys(options))
    declared = schema.get("type", ())
    kinds = [declared] if isinstance(declared, str) else declared
    words = " or ".join(KINDS[kind] for kind in kinds if kind in KINDS) or "something else"
    if schema.get("minLength"):
        words += " that is not empty"
    if isinstance(of_each := schema.get("additionalProperties"), dict) and "type" in of_each:
        words += f", in which each value is {describe_type(of_each)}"
    if schema.keys() >= {"minimum", "maximum"}:
        return f"{words} from {schema['minimum']} to {schema['maximum']}"
    limits = [text.format(schema[name]) for name, text in LIMITS.items() if name in schema]
    return " ".join([words, " and ".join(limits)]).rstrip()


def subschema(schema: Mapping[str, Any], path: Sequence[str]) -> Mapping[str, Any]:
    """Return the JSON Schema of a setting.

    Args:
        schema: The JSON Schema of the whole config.
        path: The names of its sections, and its own name.
    """
    for name in path:
        schema = schema["properties"][name]
    return schema


def is_section(setting: Mapping[str, Any]) -> bool:
    """Return whether a setting is a section: an object of known settings."""
    return setting.get("additionalProperties") is False
