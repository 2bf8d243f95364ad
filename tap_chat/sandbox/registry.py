"""The dialects that the sandbox serves: a line each, and those of installed packages."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from tap_chat.sandbox.dialects import (
    chatwoot,
    dixa,
    freshchat,
    front,
    gorgias,
    intercom,
    livechat,
    messages,
)

if TYPE_CHECKING:
    from tap_chat.sandbox.dialect import Dialect

#: The entry points by which a package adds a dialect: each leads to a `Dialect`.
ENTRY_POINTS = "tap_chat.sandbox.dialects"

DIALECTS: tuple[Dialect, ...] = (
    messages.DIALECT,
    freshchat.DIALECT,
    dixa.DIALECT,
    livechat.DIALECT,
    gorgias.DIALECT,
    front.DIALECT,
    intercom.DIALECT,
    chatwoot.DIALECT,
    *(point.load() for point in entry_points(group=ENTRY_POINTS)),
)
