"""The platforms that the tap reads, and the config with a section for each."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Annotated, cast

from msgspec import UNSET, UnsetType, defstruct

from tap_chat.config.settings import TapSettings, about
from tap_chat.platforms import dixa, freshchat, livechat, messages
from tap_chat.platforms.rest.shipped import shipped_platforms

if TYPE_CHECKING:
    from tap_chat.config.settings import PlatformSettings
    from tap_chat.platforms.platform import Platform

#: In the order in which they are read.
BUILT_IN: tuple[Platform, ...] = (
    messages.PLATFORM,
    freshchat.PLATFORM,
    dixa.PLATFORM,
    livechat.PLATFORM,
)

#: Those that are declarations in files.
SHIPPED: tuple[Platform, ...] = shipped_platforms()

#: The entry points by which a package adds a platform: each leads to a `Platform`.
ENTRY_POINTS = "tap_chat.platforms"

# By name: the platform of a package takes the place of a file with the same name.
PLATFORMS: tuple[Platform, ...] = tuple(
    {
        platform.name: platform
        for platform in (
            *BUILT_IN,
            *SHIPPED,
            *(point.load() for point in entry_points(group=ENTRY_POINTS)),
        )
    }.values()
)

Config = cast(
    "type[TapSettings]",
    defstruct(
        "Config",
        [
            (
                platform.name,
                Annotated[
                    platform.settings | UnsetType, about(platform.title, platform.description)
                ],
                UNSET,
            )
            for platform in PLATFORMS
        ],
        bases=(TapSettings,),
        namespace={"__doc__": "The whole config. A platform is read when its section is there."},
        frozen=True,
        kw_only=True,
        forbid_unknown_fields=True,
    ),
)


def sections_of(settings: TapSettings) -> dict[str, PlatformSettings]:
    """Return the sections of the platforms that a config has, by the names of the platforms."""
    sections = ((platform.name, getattr(settings, platform.name)) for platform in PLATFORMS)
    return {name: section for name, section in sections if section is not UNSET}
