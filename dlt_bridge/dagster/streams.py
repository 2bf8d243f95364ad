"""What is known of the streams of a config before any request is sent."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from singer_sdk.exceptions import ConfigValidationError

from dlt_bridge.errors import BridgeError
from tap_chat.config.parsing import parse
from tap_chat.platforms.configured import ConfiguredPlatforms
from tap_chat.platforms.registry import Config

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tap_chat.platforms.platform import Platform


#: The setting of platforms whose records come late, in minutes.
LAG = "lag_minutes"


@dataclass(frozen=True)
class PlatformFacts:
    """A platform.

    Attributes:
        name: Its name; `rest.<name>` if it is declared in a config.
        streams: Its streams.
    """

    name: str
    streams: Sequence[StreamFacts]


@dataclass(frozen=True)
class StreamFacts:
    """A stream, as an asset shows it.

    Attributes:
        name: Its name.
        title: What its rows are, as a sentence.
        keys: Its key properties.
        parent: The stream whose records it is read for; None if there is none.
        has_windows: Whether any window of time can be read alone.
    """

    name: str
    title: str
    keys: tuple[str, ...]
    parent: str | None
    has_windows: bool


def platforms_of(configs: Iterable[Mapping[str, Any]]) -> list[PlatformFacts]:
    """Return the platforms of some configs.

    Args:
        configs: Configs of tap-chat, which may lack credentials.

    Raises:
        BridgeError: A setting or a declaration is wrong.
    """
    streams: dict[str, dict[str, StreamFacts]] = {}
    for config in configs:
        for platform in _platforms(config):
            known = streams.setdefault(platform.name, {})
            known |= {stream.name: _facts(stream, platform.title) for stream in platform.streams}
    return [PlatformFacts(name, list(known.values())) for name, known in streams.items()]


def streams_of(config: Mapping[str, Any], platform: str) -> set[str] | None:
    """Return the names of the streams of a platform in one config.

    Args:
        config: The config of tap-chat.
        platform: The name of the platform.

    Returns:
        The names; None if the settings are wrong, which a run says.
    """
    try:
        found = [known for known, _ in _configured(config).to_read() if known.name == platform]
    except BridgeError:
        return None
    return {stream.name for known in found for stream in known.streams}


def _platforms(config: Mapping[str, Any]) -> list[Platform]:
    """Return the platforms of a config; with its usual streams if the settings of them are wrong.

    Raises:
        BridgeError: A declaration is wrong.
    """
    try:
        configured = _configured(config)
    except BridgeError:
        usual = {name: part if name == "rest" else {} for name, part in config.items()}
        configured = _configured(usual)
    return [platform for platform, _ in configured.to_read()]


def window_lag(config: Mapping[str, Any], platform: str) -> timedelta:
    """Return how long the records of a window may come late, by the settings of a platform.

    Args:
        config: The config of tap-chat.
        platform: The name of the platform.

    Raises:
        BridgeError: The setting is wrong.
    """
    # The other settings may have variables that are not filled in.
    own = {name: value for name, value in config[platform].items() if name == LAG}
    [(_, section)] = _configured({platform: own}).to_read()
    return timedelta(minutes=getattr(section, LAG, 0.0))


def _configured(config: Mapping[str, Any]) -> ConfiguredPlatforms:
    """Return the platforms of a config, which may lack credentials."""
    try:
        return ConfiguredPlatforms.of(parse(config, Config, complete=False), complete=False)
    except ConfigValidationError as error:
        raise BridgeError(str(error)) from None


def _facts(stream: Any, platform: str) -> StreamFacts:  # noqa: ANN401 - the class of a stream
    parent = stream.parent_stream_type
    # A declared stream has no text of its own.
    own = inspect.cleandoc(stream.__doc__) if stream.__doc__ else f"The list `{stream.path}`."
    return StreamFacts(
        name=stream.name,
        title=f"{platform}: {own[0].lower()}{own[1:]}",
        keys=tuple(stream.primary_keys),
        parent=parent.name if parent else None,
        has_windows=stream.has_windows,
    )
