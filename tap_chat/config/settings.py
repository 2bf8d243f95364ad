"""Settings as types: one declaration gives checks, defaults and the JSON Schema of `--about`."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from singer_sdk.exceptions import ConfigValidationError
from typing_extensions import override

from tap_chat.config.errors import is_section, misnamed, part_of, wrong
from tap_chat.config.validators import url_problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ConfigT = TypeVar("ConfigT", bound=Struct)

#: Ends of what settings may be: far from what anyone wants, and so that times can be counted with.
MOST_A_MINUTE = 1_000_000
MOST_RETRIES = 100
MOST_ON_A_PAGE = 1_000_000
DAY_OF_SECONDS = 24 * 60 * 60
LONGEST_LOOKBACK = 100 * 365
EARLIEST_YEAR = 1900

RequestRate = Annotated[float, Meta(gt=0, le=MOST_A_MINUTE)]
RetryCount = Annotated[int, Meta(ge=0, le=MOST_RETRIES)]


def about(
    title: str,
    description: str,
    *,
    secret: bool = False,
    form: str | None = None,
    **limits: Any,  # noqa: ANN401
) -> Meta:
    """Describe a setting.

    Args:
        title: A few words, as a label.
        description: One or two sentences for the settings table.
        secret: True for a credential: Meltano then hides its value.
        form: The `format` of a text, such as `date-time`.
        limits: What `msgspec.Meta` knows besides: `ge`, `gt`, `examples`, ...

    Returns:
        The annotation of the setting's type.
    """
    extra: dict[str, Any] = {"secret": True, "writeOnly": True} if secret else {}
    if form:
        extra["format"] = form
    return Meta(title=title, description=description, extra_json_schema=extra, **limits)


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Settings that have more to be checked than types."""

    def problems(self) -> Iterator[tuple[str, str | None]]:
        """Yield names of settings with what is wrong, as the predicate of a sentence, or None."""
        yield from ()


class PlatformSettings(Settings, frozen=True, kw_only=True):
    """What every platform's section takes."""

    api_url: Annotated[
        str,
        about(
            "API URL",
            "Where the API is, without the path of a stream.",
            examples=["https://api.example.com"],
        ),
    ]
    requests_per_minute: Annotated[
        RequestRate | None,
        about(
            "Requests a minute",
            "The most requests in any minute; unset, the tap finds the rate limit itself.",
            examples=[60],
        ),
    ] = None
    request_timeout: Annotated[
        float,
        about(
            "Request timeout",
            "Seconds to wait for an answer to begin, and for each 64 KiB of it then.",
            gt=0,
            le=DAY_OF_SECONDS,
        ),
    ] = 60.0
    connect_timeout: Annotated[
        float,
        about(
            "Connect timeout",
            "Seconds to wait for a connection, TLS included.",
            gt=0,
            le=DAY_OF_SECONDS,
        ),
    ] = 15.0
    max_wait: Annotated[
        float,
        about(
            "Longest wait",
            "Seconds for which a run waits while the rate limit lets no request pass; what the"
            " server asks to wait first does not count.",
            ge=0,
            le=DAY_OF_SECONDS,
        ),
    ] = 900.0
    max_outage: Annotated[
        float,
        about(
            "Longest outage",
            "Seconds for which a request may fail before the run ends: by a status such as 503, a"
            " broken connection, no answer.",
            ge=0,
            le=DAY_OF_SECONDS,
        ),
    ] = 300.0
    max_retries: Annotated[
        RetryCount | None,
        about(
            "Retries",
            "How often such a request is sent again at most; unset, as often as `max_outage` has"
            " time for.",
            examples=[3],
        ),
    ] = None
    backoff_factor: Annotated[
        float,
        about(
            "Backoff factor",
            "Seconds before the first retry; each further wait is twice as long. A Retry-After"
            " of the server wins.",
            ge=0,
            le=DAY_OF_SECONDS,
        ),
    ] = 2.0

    @override
    def problems(self) -> Iterator[tuple[str, str | None]]:
        yield "api_url", url_problem(self.api_url)


def json_schema(config: type[Struct]) -> dict[str, Any]:
    """Return the JSON Schema of a config, with its sections in place of references.

    Args:
        config: The type of the whole config.

    Returns:
        A schema closed against unknown settings, required settings first in every object.
    """
    (reference,), definitions = msgspec.json.schema_components([config])

    def resolved(node: Any) -> Any:  # noqa: ANN401
        if isinstance(node, list):
            return [resolved(item) for item in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            target = definitions[node["$ref"].rpartition("/")[2]]
            node = target | {key: value for key, value in node.items() if key != "$ref"}
        node = {key: resolved(value) for key, value in node.items()}
        required = node.get("required", ())
        if "properties" in node:
            names = sorted(node["properties"], key=lambda name: name not in required)
            node["properties"] = {name: node["properties"][name] for name in names}
        return node

    schema: dict[str, Any] = resolved(reference)
    return schema


def parse(raw: Mapping[str, Any], config: type[ConfigT], *, complete: bool = True) -> ConfigT:
    """Check a config and give it its types.

    Args:
        raw: The config as it was read.
        config: The type to read it as.
        complete: False to let required text settings be missing, as discovery may.

    Returns:
        The typed config.

    Raises:
        ConfigValidationError: Settings are unknown, missing or of a wrong type. The messages name
            them and never show a value.
    """
    schema = json_schema(config)
    values = dict(raw) if complete else _with_blanks(raw, schema)
    if errors := list(misnamed(values, schema, "tap-chat")):
        raise invalid(*errors)
    try:
        typed = msgspec.convert(values, config)
    except msgspec.ValidationError as error:
        # What msgspec says before it may hold the value.
        _, _, path = str(error).rpartition(" - at ")
        name = path.strip("`").removeprefix("$.").partition("[")[0]
        raise invalid(wrong(name, part_of(schema, name.split(".")))) from None
    if complete and (errors := list(_problems(typed))):
        raise invalid(*errors)
    return typed


def invalid(*errors: str) -> ConfigValidationError:
    """Return the SDK's error for a config with these problems, one sentence each."""
    return ConfigValidationError(" ".join(errors), errors=list(errors))


def moment(name: str, value: str | UnsetType) -> datetime | None:
    """Read a setting that is a time.

    Args:
        name: The setting's name.
        value: ISO 8601, taken for UTC if it names no offset; or unset.

    Raises:
        ConfigValidationError: It is no time.
    """
    if value is UNSET:
        return None
    try:
        time = datetime.fromisoformat(value)
        time = (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise invalid(f"The setting `{name}` is wrong: it is no ISO 8601 date-time.") from None
    if time.year < EARLIEST_YEAR:
        raise invalid(f"The setting `{name}` is wrong: it is before the year {EARLIEST_YEAR}.")
    return time


def merged(
    config: Mapping[str, Any], over: Mapping[str, Any], schema: Mapping[str, Any]
) -> dict[str, Any]:
    """Lay one config over another: a setting of the upper one counts, sections are joined.

    Args:
        config: The lower config.
        over: The upper config.
        schema: The JSON Schema of the upper one, which says what is a section.
    """
    joined = dict(config)
    for name, value in over.items():
        below = joined.get(name)
        if isinstance(below, dict) and isinstance(value, dict):
            joined[name] = below | value if is_section(schema["properties"][name]) else value
        else:
            joined[name] = value
    return joined


def without_nulls(config: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out settings that are null, which are unset, and those of sections likewise.

    Args:
        config: The config as it was read.
        schema: Its JSON Schema, which says what is a section; other objects stay as they are.
    """
    return {
        name: without_nulls(value, schema["properties"][name])
        if isinstance(value, dict) and is_section(schema["properties"].get(name, {}))
        else value
        for name, value in config.items()
        if value is not None
    }


def _problems(settings: Struct, at: str = "") -> Iterator[str]:
    if isinstance(settings, Settings):
        for name, problem in settings.problems():
            if problem:
                yield f"The setting `{at}{name}` {problem}."
    for name in settings.__struct_fields__:
        if isinstance(section := getattr(settings, name), Struct):
            yield from _problems(section, f"{at}{name}.")


def _with_blanks(values: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in "" for what is required and missing; all required settings are texts."""
    filled = {
        name: _with_blanks(value, schema["properties"][name])
        if isinstance(value, dict) and is_section(schema["properties"].get(name, {}))
        else value
        for name, value in values.items()
    }
    return dict.fromkeys(schema.get("required", ()), "") | filled
