"""What is known of the streams of a config before any request is sent."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import ConfigValidationError

from dlt_bridge.errors import BridgeError
from tap_chat.config.parsing import parse
from tap_chat.platforms.configured import ConfiguredPlatforms
from tap_chat.platforms.registry import Config

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class StreamFacts:
    """A stream, as an asset shows it.

    Attributes:
        name: Its name.
        title: What its rows are, as a sentence.
        keys: Its key properties.
        parent: The stream whose records it is read for; None if there is none.
    """

    name: str
    title: str
    keys: tuple[str, ...]
    parent: str | None


def platforms_of(configs: Iterable[Mapping[str, Any]]) -> dict[str, list[StreamFacts]]:
    """Return the streams of the platforms of some configs, by the names of the platforms.

    Args:
        configs: Configs of tap-chat, which may lack credentials.

    Raises:
        BridgeError: A setting or a declaration is wrong.
    """
    found: dict[str, dict[str, StreamFacts]] = {}
    for config in configs:
        try:
            configured = ConfiguredPlatforms.of(
                parse(config, Config, complete=False), complete=False
            )
        except ConfigValidationError as error:
            raise BridgeError(str(error)) from None
        for platform, _ in configured.to_read():
            facts = found.setdefault(platform.name, {})
            facts |= {stream.name: _facts(stream, platform.title) for stream in platform.streams}
    return {platform: list(facts.values()) for platform, facts in found.items()}


def _facts(stream: Any, platform: str) -> StreamFacts:  # noqa: ANN401 - the class of a stream
    parent = stream.parent_stream_type
    # A declared stream has no text of its own.
    own = inspect.cleandoc(stream.__doc__) if stream.__doc__ else f"The list `{stream.path}`."
    return StreamFacts(
        name=stream.name,
        title=f"{platform}: {own[0].lower()}{own[1:]}",
        keys=tuple(stream.primary_keys),
        parent=parent.name if parent else None,
    )
