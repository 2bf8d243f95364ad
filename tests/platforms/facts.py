"""What the tests of all platforms know of each: a module for each platform, by its name."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from tap_chat.platforms.registry import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True)
class Place:
    """The requests of a platform that a fault strikes: in the middle of a stream.

    Attributes:
        title: The heading of its column in the table of faults.
        stream: The stream.
        path: A part of their path.
        query: Parameters that they have.
        after: How many such requests are answered well first.
        fields: Fields of its records by what they hold: key, mark, text, integer, number, object.
        records: The name of the list of records in a body; empty if the body is the list.
    """

    title: str
    stream: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    after: int = 0
    fields: Mapping[str, str] = field(default_factory=dict)
    records: str = ""


@dataclass(frozen=True)
class Probe:
    """The request of `tap-chat --test`, with some settings.

    Attributes:
        config: The config without the address.
        body: A body that is right.
        path: The path of the request.
        query: Its parameters, each as `name=value`.
    """

    config: dict[str, Any]
    body: Any
    path: str
    query: str = ""


@dataclass(frozen=True)
class Facts:
    """What is true of one platform.

    Attributes:
        place: Where faults strike.
        quick: Settings with which a run of a small account has several pages or windows.
        address: What an error names if something else than the API answers.
        unknown: What it names after a 401.
        forbidden: What it names after a 403.
        probes: The requests of `tap-chat --test`.
        bad_request: What it names after a 400, if that is not the address.
    """

    place: Place
    address: Sequence[str]
    unknown: Sequence[str]
    forbidden: Sequence[str]
    probes: Sequence[Probe]
    quick: Mapping[str, Any] = field(default_factory=dict)
    bad_request: Sequence[str] | None = None


FACTS: dict[str, Facts] = {
    platform.name: import_module(f"platforms.{platform.name}").FACTS for platform in BUILT_IN
}
SECTIONS = list(FACTS)
