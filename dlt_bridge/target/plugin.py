"""target-dlt as a plugin of the SDK: its `--about`, and the log of `SINGER_SDK_LOG_CONFIG`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk.helpers.capabilities import PluginCapabilities, TargetCapabilities
from singer_sdk.plugin_base import PluginBase

import tap_chat.config.about  # noqa: F401 - takes the place of the SDK's text
from dlt_bridge.target.settings import SETTINGS

if TYPE_CHECKING:
    from singer_sdk.helpers.capabilities import CapabilitiesEnum


class Plugin(PluginBase):
    """Loads the output of any Singer tap into any destination of dlt."""

    name = "target-dlt"
    package_name = "tap-chat"
    config_jsonschema: ClassVar[dict[str, Any]] = SETTINGS
    capabilities: ClassVar[list[CapabilitiesEnum]] = [
        PluginCapabilities.ABOUT,
        PluginCapabilities.STRUCTURED_LOGGING,
        TargetCapabilities.HARD_DELETE,
        TargetCapabilities.TARGET_SCHEMA,
        TargetCapabilities.VALIDATE_RECORDS,
    ]


def set_up_sdk_log() -> None:
    """Set up the log as the SDK does, with the file that `SINGER_SDK_LOG_CONFIG` names."""
    _ = Plugin.cli  # it sets up the log
