"""The made-up LiveChat account in the two versions of LiveChat's API: the same conversations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tap_chat.sandbox.dialects.livechat.account import LiveChatAccount
from tap_chat.sandbox.dialects.livechat.archive import Archive

if TYPE_CHECKING:
    from tap_chat.sandbox.dialects.livechat.people import Row
    from tap_chat.sandbox.dialects.livechat.settings import LiveChatData

#: The list of threads, as drifts name it.
THREADS = "threads"


@dataclass(frozen=True)
class LiveChat:
    """A LiveChat account at one time. A chat of v2 is a thread of v3, with the same id.

    Attributes:
        data: The settings of the world.
    """

    data: LiveChatData

    @cached_property
    def chats(self) -> LiveChatAccount:
        """The chats of v2."""
        return LiveChatAccount.of(self.data)

    @cached_property
    def archive(self) -> Archive:
        """The threads of v3."""
        return Archive(self.data)

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows that each stream of the version of the world must bring."""
        return self.chats.rows if self.data.livechat_version == "2" else self.archive.rows

    @property
    def truth(self) -> dict[str, list[Row]]:
        """The rows that each stream of the version of the world must bring."""
        return self.chats.truth if self.data.livechat_version == "2" else self.archive.truth

    def listed(self, name: str, options: object) -> list[str]:
        """Return the ids of a list: v2 lists the newest chats first, v3 the oldest threads."""
        account = self.archive if name == THREADS else self.chats
        return account.listed(name, options)

    def insert(self, name: str, place: int) -> dict[str, Any]:
        """Return the settings of the world in which a list has one more row, if there is one."""
        account = self.archive if name == THREADS else self.chats
        return account.insert(name, place)
