"""dlt_bridge: load the output of any Singer tap into any destination of dlt."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dlt_bridge.chat_source import chat
    from dlt_bridge.errors import BridgeError, MessageError, TapError
    from dlt_bridge.run.checkpoints import load
    from dlt_bridge.run.failures import sentence
    from dlt_bridge.source import singer

__all__ = ["BridgeError", "MessageError", "TapError", "chat", "load", "sentence", "singer"]

_MODULES = {
    "load": "run.checkpoints",
    "chat": "chat_source",
    "sentence": "run.failures",
    "singer": "source",
}


def __getattr__(name: str) -> object:
    """Import a name when it is first used, because processes that decode records need no dlt."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        module = import_module(f"{__name__}.{_MODULES.get(name, 'errors')}")
    except ModuleNotFoundError as error:
        if error.name != "dlt":
            raise
        raise ModuleNotFoundError(
            "dlt_bridge needs dlt, which is not installed: pip install 'tap-chat[duckdb]', or"
            " 'tap-chat[dlt]' 'dlt[<destination>]'.",
            name=error.name,
        ) from None
    return getattr(module, name)
