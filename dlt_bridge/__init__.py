"""dlt_bridge: the output of any Singer tap, in any dlt destination."""

from dlt_bridge.checkpoints import load
from dlt_bridge.errors import BridgeError, MessageError, TapError
from dlt_bridge.source import singer

__all__ = ["BridgeError", "MessageError", "TapError", "load", "singer"]
