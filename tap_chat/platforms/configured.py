"""The platforms of a run: those of the registry, and the declared ones of its config."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from msgspec import UNSET
from msgspec.structs import replace

from tap_chat.config import parsing
from tap_chat.config.errors import config_error
from tap_chat.platforms.choice import check_optional, with_extra_streams
from tap_chat.platforms.registry import PLATFORMS, Config, sections_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tap_chat.config.settings import PlatformSettings, TapSettings
    from tap_chat.platforms.platform import Platform


@dataclass(frozen=True)
class ConfiguredPlatforms:
    """The platforms of a run.

    Attributes:
        platforms: All platforms that the run knows, in the order in which they are read.
        sections: The sections of those that are configured, by the names of the platforms.
    """

    platforms: Sequence[Platform]
    sections: Mapping[str, PlatformSettings]

    @classmethod
    def of(cls, settings: TapSettings, *, complete: bool) -> ConfiguredPlatforms:
        """Return the platforms of a config.

        Args:
            settings: The settings of the whole tap.
            complete: False if required texts may be missing, as for discovery.

        Raises:
            ConfigValidationError: A declaration is wrong.
        """
        sections = sections_of(settings)
        platforms = [
            platform.of_section(sections[platform.name])
            if platform.of_section and platform.name in sections
            else platform
            for platform in PLATFORMS
        ]
        sections |= {
            platform.name: replace(sections[platform.name], api_url=platform.api_url)
            for platform in platforms
            if platform.api_url
        }
        platforms = [
            with_extra_streams(platform, sections[platform.name])
            if platform.name in sections
            else platform
            for platform in platforms
        ]
        if settings.rest is not UNSET:
            # Most runs have no declaration, and this module takes long to import.
            from tap_chat.platforms.rest.sections import declared_platforms  # noqa: PLC0415

            for platform, section in declared_platforms(settings.rest, complete=complete):
                platforms.append(platform)
                sections[platform.name] = section
            _check_names(platforms)
        for platform in platforms:
            if platform.name in sections:
                check_optional(platform, sections[platform.name])
        return cls(platforms, sections)

    def to_read(self) -> Iterator[tuple[Platform, PlatformSettings]]:
        """Yield each configured platform with its section; all if none is configured."""
        sections = self.sections
        if not sections:
            blank: dict[str, Any] = {platform.name: {} for platform in self.platforms}
            sections = sections_of(parsing.parse(blank, Config, complete=False))
        for platform in self.platforms:
            if platform.name in sections:
                yield platform, sections[platform.name]

    def accounts(self, default: str | None) -> dict[str, str]:
        """Return the account of each platform that has one, by the name of the platform.

        Args:
            default: The account of platforms whose section names none.
        """
        named = {name: section.account or default for name, section in self.sections.items()}
        return {name: account for name, account in named.items() if account}

    @cached_property
    def stream_names(self) -> dict[str, str]:
        """The names of the streams to read, in their order, with the names of their platforms."""
        return _stream_names(platform for platform, _ in self.to_read())

    def check(self, selected: Sequence[str]) -> None:
        """Check that the platforms of a run are configured.

        Args:
            selected: The names of the streams that the catalog selects.

        Raises:
            ConfigValidationError: No platform is configured, the platform of a selected stream is
                not configured, or a selected stream does not exist.
        """
        platform_of = self.stream_names
        if not platform_of.keys() >= set(selected):
            platform_of = _stream_names(self.platforms)
        self._check_chosen(selected, platform_of)
        if unknown := [name for name in selected if name not in platform_of]:
            raise config_error(
                f"The catalog selects {', '.join(unknown)}, which tap-chat does not have. Its"
                f" streams are {', '.join(platform_of)}."
            )
        if not self.sections:
            names = ", ".join((*(platform.name for platform in self.platforms), "rest"))
            raise config_error(f"No platform is configured. Add a section: {names}.")
        unconfigured: dict[str, list[str]] = {}
        for name in selected:
            if platform_of[name] not in self.sections:
                unconfigured.setdefault(platform_of[name], []).append(name)
        if unconfigured:
            raise config_error(
                *(
                    f"The catalog selects {', '.join(names)}, but the setting `{section}` is"
                    " missing."
                    for section, names in unconfigured.items()
                )
            )

    def _check_chosen(self, selected: Sequence[str], platform_of: Mapping[str, str]) -> None:
        """Check that the settings choose the streams that are selected.

        Args:
            selected: The names of the streams that the catalog selects.
            platform_of: The platform of each stream that there is.

        Raises:
            ConfigValidationError: Other settings would choose one of them.
        """
        for platform in self.platforms:
            extra = {stream.name for stream in platform.extra_streams}
            if left_out := sorted(extra.intersection(selected) - platform_of.keys()):
                raise config_error(
                    f"The catalog selects {', '.join(left_out)}: name them in the setting"
                    f" `{platform.name}.extra_streams`, too."
                )
            for name, setting in platform.other_streams.items():
                if name in selected and platform.name in self.sections:
                    raise config_error(
                        f"The catalog selects {name}: set {setting} to read it, or discover the"
                        " streams again."
                    )


def _stream_names(platforms: Iterable[Platform]) -> dict[str, str]:
    return {stream.name: platform.name for platform in platforms for stream in platform.streams}


def _check_names(platforms: Iterable[Platform]) -> None:
    """Check that no two platforms, or streams, have the same name.

    Raises:
        ConfigValidationError: A name is taken.
    """
    taken = {platform.name for platform in PLATFORMS}
    owners: dict[str, str] = {}
    for platform in platforms:
        if platform.name.removeprefix("rest.") in taken and platform.name not in taken:
            raise config_error(
                f"The setting `{platform.name}` has the name of a platform that tap-chat reads"
                " without a declaration. Give the declaration another name."
            )
        for stream in platform.streams:
            owner = owners.setdefault(stream.name, platform.name)
            if owner != platform.name:
                raise config_error(
                    f"The stream {stream.name} is in {owner} and in {platform.name}. Give the"
                    f" declaration another name than `{platform.name}`."
                )
