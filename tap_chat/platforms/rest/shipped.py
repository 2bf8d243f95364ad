"""The platforms that are declarations in files of this package.

A file has the facts of a platform, its settings, its declaration, and the additions:

    title: Example
    page: example
    description: Example's API.
    settings:
      access_token: {title: Access token, description: A token., secret: true}
    declaration:
      client: {base_url: https://api.example.com, auth: {type: bearer, token: "${access_token}"}}
      resources: [...]
    streams: {<resource>: {<addition>: ...}}
    joins:
    - {stream: <resource>, to: <resource>, fields: {<field>: <field>}}
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Annotated, Any, cast, overload

import msgspec
from msgspec import UNSET, Struct, UnsetType, defstruct, structs
from typing_extensions import override

from tap_chat.config.settings import PlatformSettings, about
from tap_chat.declarations.files import load_file
from tap_chat.platforms.platform import Join, Platform

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tap_chat.streams.stream import ChatStream

FOLDER = Path(__file__).parent.parent

#: Stands for a setting that is not there. No request is sent then.
NO_URL, NO_VALUE = "https://example.com", "unset"


class Setting(Struct, frozen=True, forbid_unknown_fields=True):
    """A setting of a platform; a text.

    Attributes:
        title: A few words, as a label.
        description: One or two sentences for the settings table.
        secret: Whether it is a credential.
        default: Its value if it is not set; without one, it is required.
        examples: Examples of values.
    """

    title: str
    description: str
    secret: bool = False
    default: str | UnsetType = UNSET
    examples: list[str] = []


class RateLimit(Struct, frozen=True, forbid_unknown_fields=True):
    """The rate limit that an API documents: so many requests in so many seconds."""

    requests: int
    seconds: float


class ShippedFile(Struct, frozen=True, forbid_unknown_fields=True):
    """A file with a declaration. The declaration is as dlt takes it; the rest is ours."""

    title: str
    page: str
    description: str
    settings: dict[str, Setting]
    declaration: dict[str, Any]
    streams: dict[str, dict[str, Any]] = {}
    next_link_hosts: list[str] = []
    rate_limit: RateLimit | None = None
    joins: list[Join] = []


class LazyStreams(Sequence["type[ChatStream]"]):
    """Classes of streams, made when they are first needed: most runs need those of few platforms.

    Args:
        make: Makes them.
    """

    def __init__(self, make: Callable[[], Sequence[type[ChatStream]]]) -> None:
        self._make = make

    @cached_property
    def _streams(self) -> Sequence[type[ChatStream]]:
        return self._make()

    @overload
    def __getitem__(self, index: int) -> type[ChatStream]: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[type[ChatStream]]: ...

    @override
    def __getitem__(self, index: int | slice) -> type[ChatStream] | Sequence[type[ChatStream]]:
        return self._streams[index]

    @override
    def __len__(self) -> int:
        return len(self._streams)


def shipped_platforms(folder: Path = FOLDER) -> tuple[Platform, ...]:
    """Return the platforms whose declarations are files in a folder, in the order of their names.

    Args:
        folder: The folder.
    """
    return tuple(shipped_platform(path) for path in sorted(folder.glob("*.yaml")))


def shipped_platform(path: Path) -> Platform:
    """Return the platform of a file, whose name is that of the platform.

    Args:
        path: The path of the file.

    Raises:
        ConfigValidationError: The file is not YAML.
        msgspec.ValidationError: The file has unknown keys, or values of a wrong type.
    """
    file = msgspec.convert(load_file(path), ShippedFile)
    of_section = partial(_platform, file, path.stem)
    return Platform(
        name=path.stem,
        title=file.title,
        page=file.page,
        description=file.description,
        settings=_settings_type(file, path.stem),
        streams=LazyStreams(lambda: of_section(None).streams),
        rate_limit=_rate_limit(file),
        joins=[_prefixed(join, path.stem) for join in file.joins],
        of_section=of_section,
    )


def _platform(file: ShippedFile, name: str, section: PlatformSettings | None) -> Platform:
    """Return the platform of a file with the settings of a section, or without settings."""
    # Most runs read no declaration, and these modules take long to import.
    from tap_chat.declarations.reading import read_declaration  # noqa: PLC0415
    from tap_chat.platforms.rest.platform import declared_platform  # noqa: PLC0415
    from tap_chat.platforms.rest.responses import remedies_of_shipped  # noqa: PLC0415

    given: Mapping[str, str] = {
        setting: getattr(section, setting, "") for setting in ("api_url", *file.settings)
    }
    values = {
        setting: value or (NO_URL if setting == "api_url" else NO_VALUE)
        for setting, value in given.items()
    }
    source = read_declaration(
        file.declaration,
        name=name,
        environ={},
        settings=values,
        public=[key for key in values if key not in file.settings or not file.settings[key].secret],
    )
    base_url = file.declaration["client"]["base_url"]
    platform = declared_platform(
        name,
        name,
        source,
        additions=file.streams,
        next_link_hosts=[Template(host).substitute(values) for host in file.next_link_hosts],
        rate_limit=_rate_limit(file),
        is_configured=all(given.values()),
        remedies=remedies_of_shipped(
            name,
            [
                "api_url",
                *(key for key in file.settings if key != "api_url" and f"${{{key}}}" in base_url),
            ],
            [key for key, setting in file.settings.items() if setting.secret],
        ),
    )
    is_built_on = section and "${api_url}" in base_url
    return replace(platform, api_url=source.client.base_url) if is_built_on else platform


def _prefixed(join: Join, platform: str) -> Join:
    """Return a join of resources as one of streams."""
    return structs.replace(join, stream=f"{platform}_{join.stream}", to=f"{platform}_{join.to}")


def _rate_limit(file: ShippedFile) -> tuple[int, float] | None:
    return (file.rate_limit.requests, file.rate_limit.seconds) if file.rate_limit else None


def _settings_type(file: ShippedFile, name: str) -> type[PlatformSettings]:
    """Return the type of the section of a platform."""
    fields: list[Any] = [_field(key, setting) for key, setting in file.settings.items()]
    if "api_url" not in file.settings:
        base_url = file.declaration["client"]["base_url"]
        fields.append(
            _field("api_url", Setting("API URL", "The address of the API.", default=base_url))
        )
    made = defstruct(
        f"{name.title()}Settings",
        fields,
        bases=(PlatformSettings,),
        namespace={"__doc__": f"The section `{name}`."},
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    )
    return cast("type[PlatformSettings]", made)


def _field(name: str, setting: Setting) -> tuple[Any, ...]:
    limits: dict[str, Any] = {"examples": setting.examples} if setting.examples else {}
    described = Annotated[
        str, about(setting.title, setting.description, secret=setting.secret, **limits)
    ]
    default = () if setting.default is UNSET else (setting.default,)
    return (name, described, *default)
