"""The made-up accounts behind the sandbox: the same seed always gives the same rows."""

from __future__ import annotations

import random
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from tap_chat.sandbox.dialects.dixa.account import DixaWorld
from tap_chat.sandbox.dialects.freshchat.account import FreshchatWorld
from tap_chat.sandbox.dialects.livechat.account import LiveChatWorld
from tap_chat.sandbox.drifts import Drifted
from tap_chat.sandbox.samples import API_KEY, NOW, sentence, shown, timestamp

__all__ = ["API_KEY", "World"]

#: Messages of a block are listed newest first.
BLOCK = 50
EPOCH = datetime(2025, 1, 1, tzinfo=UTC)

Size = Annotated[int, Meta(ge=0)]


@dataclass(frozen=True)
class World:
    """The data of one sandbox.

    Time moves on with `dataclasses.replace(world, now=later)`: what existed still exists under the
    same ids, some of it has changed, and there is more of it. The sizes of Freshchat, Dixa and
    LiveChat are those of 2026-01-31T12:00Z, whatever `now` is.

    Attributes:
        seed: Decides every value.
        messages: The number of messages of the messages API, in rows.
        users: The users of the Freshchat account.
        conversations: The conversations of these users.
        deleted: The part of them that is listed but gone, from 0 to 1.
        dixa_conversations: The conversations of the Dixa organisation.
        chats: The ended or missed chats of the LiveChat account.
        livechat_timezone: The time zone of this account.
        now: The moment at which the accounts are seen.
        hidden: Of about so many rows of the messages API and of Freshchat's lists one has its place
            in a page, and is not shown; 0 for none.
        dixa_odd: One conversation of Dixa has an `updated_at` in seconds, or far ahead of its time,
            and is listed where it belongs; None if there is none.
        drifted: What has happened since the world was made.
    """

    seed: int = 7
    messages: Size = 1000
    users: Size = 20
    conversations: Size = 60
    deleted: Annotated[float, Meta(ge=0, le=1)] = 0.0
    dixa_conversations: Size = 200
    chats: Size = 150
    livechat_timezone: str = "Europe/Berlin"
    now: Annotated[datetime, Meta(tz=True)] = NOW
    hidden: Size = 0
    dixa_odd: Literal["seconds", "ahead"] | None = None
    drifted: Drifted = field(default_factory=Drifted)

    def __post_init__(self) -> None:
        """Refuse a time zone that does not exist."""
        try:
            ZoneInfo(self.livechat_timezone)
        except ZoneInfoNotFoundError as error:
            raise ValueError(f"livechat_timezone: {error}") from None

    @classmethod
    def names(cls) -> set[str]:
        """Return the names of the settings."""
        return {one.name for one in fields(cls)}

    @property
    def settings(self) -> dict[str, Any]:
        """The settings by name."""
        return asdict(self)

    def changed(self, changes: dict[str, object]) -> Self:
        """Return this world with other settings, as JSON has them; raises `ValidationError`."""
        return msgspec.convert(self.settings | changes, type(self)) if changes else self

    @cached_property
    def chat_messages(self) -> list[dict[str, Any]]:
        """The messages in the API's order, which is not that of time, but roughly.

        A larger world of the same seed has the same messages first, and then newer ones if the
        smaller one had whole blocks.
        """
        drifted, dice = self.drifted, random.Random(f"{self.seed} messages")
        rows = [_message(dice, number) for number in range(self.messages + drifted.end)]
        front = [_message_in_front(self.messages, number) for number in range(drifted.front)]
        gone = set(drifted.removed)
        return [row for row in [*reversed(front), *rows] if row["id"] not in gone]

    @cached_property
    def freshchat(self) -> FreshchatWorld:
        """The Freshchat account."""
        sizes = self.users, self.conversations
        return FreshchatWorld(self.seed, *sizes, self.now, self.deleted, self.hidden, self.drifted)

    @cached_property
    def dixa(self) -> DixaWorld:
        """The Dixa organisation."""
        return DixaWorld(self.seed, self.dixa_conversations, self.now, self.dixa_odd)

    @cached_property
    def livechat(self) -> LiveChatWorld:
        """The LiveChat account."""
        settings = self.seed, self.chats, self.now, self.livechat_timezone
        return LiveChatWorld(*settings, self.drifted.removed)

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows that each stream must bring."""
        chat = {"chat_messages": len(self._shown_messages)}
        return chat | self.freshchat.rows | self.dixa.rows | self.livechat.rows

    @property
    def truth(self) -> dict[str, list[dict[str, Any]]]:
        """The rows that each stream must bring, as the API gives them, with what the tap adds."""
        chat = {"chat_messages": self._shown_messages}
        return chat | self.freshchat.truth | self.dixa.truth | self.livechat.truth

    @property
    def _shown_messages(self) -> list[dict[str, Any]]:
        return [row for row in self.chat_messages if shown(row["id"], self.hidden)]


def _message_in_front(others: int, number: int) -> dict[str, Any]:
    """Return a message that is newer than so many others, the later ones still newer."""
    moment = EPOCH + timedelta(seconds=37 * (others + 1000 * BLOCK + number))
    message = _message(random.Random(f"front {number}"), number)
    return message | {"id": f"m-front-{number:06d}", "timestamp": timestamp(moment)}


def _message(dice: random.Random, number: int) -> dict[str, Any]:
    block, place = divmod(number, BLOCK)
    moment = EPOCH + timedelta(seconds=37 * (block * BLOCK + BLOCK - place))
    return {
        "id": f"m-{number:09d}",
        "message": sentence(dice) if place else None,
        "timestamp": timestamp(moment + timedelta(milliseconds=dice.randrange(1000))),
        "user_id": f"u-{dice.randrange(1 + number // 10):06d}",
    }
