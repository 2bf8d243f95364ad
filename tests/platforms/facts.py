"""Facts about each platform for the tests of all platforms: one module per platform."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tap_chat.platforms.registry import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Place:
    """The requests of a platform that fail, in the middle of a stream.

    Attributes:
        title: The heading of its column in the table of faults.
        stream: The stream.
        path: A part of the path of these requests.
        query: The parameters of these requests.
        content: A part of the body of these requests.
        after: The number of such requests that succeed first.
        fields: Fields of the records by content: key, mark, text, integer, number, object; a path
            with dots leads to a field of an object in a record.
        records: The name of the list of records in a body; empty if the body is the list.
    """

    title: str
    stream: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    content: str = ""
    after: int = 0
    fields: Mapping[str, str] = field(default_factory=dict)
    records: str = ""


@dataclass(frozen=True)
class Probe:
    """The request of `tap-chat --test`, with some settings.

    Attributes:
        config: The config without the address.
        body: A valid body.
        path: The path of the request.
        query: The parameters, each as `name=value`.
        others: Valid bodies of the other requests of the platform, by their paths.
        url_settings: The settings with the addresses of the platform's APIs.
    """

    config: dict[str, Any]
    body: Any
    path: str
    query: str = ""
    others: Mapping[str, Any] = field(default_factory=dict)
    url_settings: Sequence[str] = ("api_url",)


@dataclass(frozen=True)
class Facts:
    """Facts about a platform.

    Attributes:
        place: The requests that fail.
        quick: Settings with which a run of a small account has several pages or windows.
        address: The setting in an error if another server than the API responds.
        unknown: The setting in an error after a 401.
        forbidden: The text in an error after a 403.
        probes: The requests of `tap-chat --test`.
        further_requests: How many further requests `tap-chat --test` sends after a success.
        bad_request: The setting in an error after a 400, if it is not the address.
    """

    place: Place
    address: Sequence[str]
    unknown: Sequence[str]
    forbidden: Sequence[str]
    probes: Sequence[Probe]
    further_requests: int = 0
    quick: Mapping[str, Any] = field(default_factory=dict)
    bad_request: Sequence[str] | None = None


FACTS: dict[str, Facts] = {
    platform.name: import_module(f"platforms.{platform.name}").FACTS for platform in BUILT_IN
}
SECTIONS = list(FACTS)
