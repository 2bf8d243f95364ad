"""What can go wrong between a tap and dlt, as sentences for who must act."""

#: How to read streams anew, into new tables.
ANEW = (
    "name it in the setting `refresh` of target-dlt, in --full-refresh of `dlt singer run`, or load"
    ' it alone with refresh="drop_resources" in Python.'
)


class BridgeError(Exception):
    """The output of a tap can't be loaded; nothing after the last STATE is."""


class TapError(BridgeError):
    """The tap is not there, or it failed."""


class MessageError(BridgeError):
    """The tap wrote something that is not what Singer, or its own SCHEMA, promises."""
