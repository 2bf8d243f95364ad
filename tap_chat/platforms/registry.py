"""The platforms that the tap reads: a line each, and those of installed packages."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from tap_chat.platforms import dixa, freshchat, livechat, messages

if TYPE_CHECKING:
    from tap_chat.platforms.platform import Platform

#: In the order in which they are read.
BUILT_IN: tuple[Platform, ...] = (
    messages.PLATFORM,
    freshchat.PLATFORM,
    dixa.PLATFORM,
    livechat.PLATFORM,
)

#: The entry points by which a package adds a platform: each leads to a `Platform`.
ENTRY_POINTS = "tap_chat.platforms"

PLATFORMS: tuple[Platform, ...] = (
    *BUILT_IN,
    *(point.load() for point in entry_points(group=ENTRY_POINTS)),
)
