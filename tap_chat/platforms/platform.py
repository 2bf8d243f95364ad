"""The declaration of a platform, as the registry lists it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tap_chat.config.settings import PlatformSettings
    from tap_chat.streams.stream import ChatStream


@dataclass(frozen=True)
class Platform:
    """A chat platform.

    Attributes:
        name: The name of its section in the config, and the prefix of its streams.
        title: Its name for people.
        page: The name of its page in `docs/`.
        description: What the section configures, as a sentence.
        settings: The type of the section.
        streams: The streams in the order in which they are read: those that take many requests
            before those that take many pages, which the tap fetches at the same time.
        rate_limit: The requests, and the seconds, of the rate limit that its API documents; None if
            the tap finds it. The setting `requests_per_minute` takes precedence.
        has_windows: Whether its streams are read in windows of time, from `start_date` to
            `end_date`, so that any window can be read alone.
        api_url: The address of the API, if the setting of that name is only a part of it.
        of_section: Returns the platform with the settings of a section, if its streams depend on
            them; None if they do not.
    """

    name: str
    title: str
    page: str
    description: str
    settings: type[PlatformSettings]
    streams: Sequence[type[ChatStream]]
    rate_limit: tuple[int, float] | None = None
    has_windows: bool = False
    api_url: str | None = None
    of_section: Callable[[PlatformSettings], Platform] | None = None
