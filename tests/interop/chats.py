"""The accounts of the sandbox, which change between the runs of tap-chat."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from running import full_config

from tap_chat.sandbox import World
from tap_chat.tap import TapChat

if TYPE_CHECKING:
    from interop.cells import Row

    from tap_chat.sandbox import Sandbox

MESSAGES = "chat_messages"
SMALL = World(messages=200, users=12, conversations=24, dixa_conversations=40, chats=30)


ACTIVE_CHATS = "livechat_active_chats"


@dataclass
class Chats:
    """The accounts, and the platforms that tap-chat reads.

    Attributes:
        sandbox: The APIs.
        sections: The platforms; empty for all.
    """

    sandbox: Sandbox
    sections: tuple[str, ...] = ()
    _maps: dict[str, Any] = field(default_factory=dict)
    _before: World = SMALL

    @property
    def config(self) -> dict[str, Any]:
        by_time = {"replication_key": "timestamp", "filter_param": "since"}
        config = full_config(self.sandbox, *self.sections, chat=by_time)
        if "livechat" in config:
            # Chats that have ended stay in a table of the active ones.
            extra = [name for name in config["livechat"]["extra_streams"] if name != ACTIVE_CHATS]
            config["livechat"]["extra_streams"] = extra
        return config | ({"stream_maps": self._maps} if self._maps else {})

    @property
    def keys(self) -> dict[str, tuple[str, ...]]:
        streams = TapChat(config=self.config).catalog_dict["streams"]
        return {stream["tap_stream_id"]: tuple(stream["key_properties"]) for stream in streams}

    def begin(self) -> None:
        """Start with the first state of the accounts."""
        self.sandbox.world = self._before = SMALL

    def stay(self) -> None:
        """Change nothing."""
        self._before = self.sandbox.world

    def move_on(self) -> None:
        """Advance the accounts by ten days, with new and changed messages and chats."""
        self._before = world = self.sandbox.world
        later = world.now + timedelta(days=10)
        self.sandbox.world = replace(world, now=later, messages=world.messages + 100)

    def add_column(self) -> None:
        """Add a column to the messages."""
        self.move_on()
        self._maps = {MESSAGES: {"user_of_message": "user_id"}}

    @property
    def truth(self) -> dict[str, list[Row]]:
        """The current rows of each stream."""
        truth = self.sandbox.world.truth
        found = {stream: truth[stream] for stream in self.keys}
        if self._maps:
            begin = self._begin
            found[MESSAGES] = [
                # Rows that were read before have no value in the new column.
                row | {"user_of_message": row["user_id"] if row["timestamp"] >= begin else None}
                for row in found[MESSAGES]
            ]
        return found

    @property
    def due(self) -> dict[str, int]:
        """The number of records that the tap must write after the last change."""
        begin = self._begin
        messages = self.sandbox.world.chat.messages
        return {MESSAGES: sum(row["timestamp"] >= begin for row in messages)}

    @property
    def _begin(self) -> str:
        """The time of the first message that the tap must write after the last change."""
        if self._before is self.sandbox.world and self._before is SMALL:
            return ""
        newest: str = max(row["timestamp"] for row in self._before.chat.messages)
        return newest
