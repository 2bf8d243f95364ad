"""The errors of the bridge. Their texts say what happened and what to do."""

#: The remedy: how to read a stream from its start, into a new table.
RELOAD = (
    "name it in the setting `refresh` of target-dlt, in --full-refresh of `dlt singer run`, or load"
    ' it alone with refresh="drop_resources" in Python.'
)


class BridgeError(Exception):
    """The output of a tap can't be loaded. Nothing after the last committed STATE is loaded."""


class TapError(BridgeError):
    """The tap can't be run, or it failed."""


class MessageError(BridgeError):
    """The tap wrote something that Singer, or its own SCHEMA, does not allow."""
