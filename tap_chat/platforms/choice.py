"""The streams that a section chooses: further ones, and those that a run may leave out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tap_chat.config.errors import config_error
from tap_chat.escapes import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_chat.config.settings import PlatformSettings
    from tap_chat.platforms.platform import Platform


def with_extra_streams(platform: Platform, section: PlatformSettings) -> Platform:
    """Return a platform with the streams that the setting `extra_streams` names.

    Raises:
        ConfigValidationError: The setting names a stream that there is not.
    """
    named: Sequence[str] = getattr(section, "extra_streams", ())
    extra = {stream.name: stream for stream in platform.extra_streams}
    if unknown := [name for name in named if name not in extra]:
        raise config_error(
            f"The setting `{platform.name}.extra_streams` names {printable(unknown[0])}, which it"
            f" can't. It can name {', '.join(extra)}."
        )
    added = [stream for name, stream in extra.items() if name in named]
    return replace(platform, streams=(*platform.streams, *added)) if added else platform


def check_optional(platform: Platform, section: PlatformSettings) -> None:
    """Check the setting `optional` of a section.

    A stream that others are read through can't be left out, nor one that is read through another:
    their bookmarks belong together.

    Raises:
        ConfigValidationError: It names a stream that there is not, or that can't be left out.
    """
    if not section.optional:
        return
    streams = {stream.name: stream for stream in platform.streams}
    parents = {stream.parent_stream_type for stream in streams.values()}
    alone = [
        name
        for name, stream in streams.items()
        if stream.parent_stream_type is None and stream not in parents
    ]
    if wrong := [name for name in section.optional if name not in alone]:
        raise config_error(
            f"The setting `{platform.name}.optional` names {printable(wrong[0])}, which can't be"
            f" left out. It can name {', '.join(alone)}."
        )
