"""The streams that a section chooses: further ones, and those that a run may leave out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tap_chat.config.errors import config_error

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
    if not extra.keys() >= set(named):
        raise config_error(
            f"The setting `{platform.name}.extra_streams` names a stream that it can't. It can name"
            f" {', '.join(extra) or 'none'}."
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
    if not set(alone) >= set(section.optional):
        raise config_error(
            f"The setting `{platform.name}.optional` names a stream that can't be left out. It can"
            f" name {', '.join(alone) or 'none'}."
        )
