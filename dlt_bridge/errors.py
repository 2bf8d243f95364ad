"""What can go wrong between a tap and dlt, as sentences for who must act."""


class BridgeError(Exception):
    """The output of a tap can't be loaded; nothing after the last checkpoint is."""


class TapError(BridgeError):
    """The tap is not there, or it failed."""


class MessageError(BridgeError):
    """The tap wrote something that is not what Singer, or its own SCHEMA, promises."""
