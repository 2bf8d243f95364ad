"""The declaration of a platform, as the registry lists it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tap_chat.config.settings import PlatformSettings
    from tap_chat.streams.stream import ChatStream


@dataclass(frozen=True, kw_only=True)
class FurtherAPI:
    """Another API of a platform: with an address, or with a rate limit of its own.

    Attributes:
        name: Its name, the `api_name` of the streams that it serves.
        url_setting: The setting of the section that has its address.
        rate_setting: The setting of the section that has its rate limit, in requests a minute.
        rate_limit: As for `Platform`.
    """

    name: str
    url_setting: str = "api_url"
    rate_setting: str
    rate_limit: tuple[int, float] | None = None


class Join(Struct, frozen=True, forbid_unknown_fields=True):
    """A reference from the records of a stream to those of another, for the documentation.

    Attributes:
        stream: The stream.
        to: The other stream; it may be the same one.
        fields: The fields that are equal: those of the stream, with those of the other one. Names
            with dots lead into objects, and `[]` stands for each item of an array.
        where: The values of fields that records with the reference have.
        unless: Why a record may lack a partner, as a sentence; empty if each value has one.
    """

    stream: str
    to: str
    fields: dict[str, str]
    where: dict[str, str] = {}
    unless: str = ""


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
        extra_streams: Further streams, which are read only if the setting `extra_streams` of the
            section names them.
        other_streams: The names of the streams that it has with other settings, each with what to
            set for it.
        further_apis: The APIs of the platform besides that of `api_url`.
        rate_limit: The requests, and the seconds, of the rate limit that its API documents; None if
            the tap finds it. The setting `requests_per_minute` takes precedence.
        api_url: The address of the API, if the setting of that name is only a part of it.
        joins: Which fields of its streams refer to which others.
        of_section: Returns the platform with the settings of a section, if its streams depend on
            them; None if they do not.
    """

    name: str
    title: str
    page: str
    description: str
    settings: type[PlatformSettings]
    streams: Sequence[type[ChatStream]]
    extra_streams: Sequence[type[ChatStream]] = ()
    other_streams: Mapping[str, str] = field(default_factory=dict)
    further_apis: Sequence[FurtherAPI] = ()
    rate_limit: tuple[int, float] | None = None
    api_url: str | None = None
    joins: Sequence[Join] = ()
    of_section: Callable[[PlatformSettings], Platform] | None = None

    @property
    def has_windows(self) -> bool:
        """Whether some of its streams are read in windows of time."""
        return any(stream.has_windows for stream in self.streams)
