"""Drifts: what leaves, enters or moves in the lists while a client pages through them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta, Struct

if TYPE_CHECKING:
    from tap_chat.sandbox.world import World

Kind = Literal["delete", "insert", "update"]
Of = Literal["messages", "users", "conversations", "chats"]

#: What can happen to which list.
POSSIBLE: dict[Kind, set[Of]] = {
    "delete": {"messages", "users", "conversations", "chats"},
    "insert": {"messages", "users", "chats"},
    "update": {"users"},
}


@dataclass(frozen=True)
class Drifted:
    """What has happened to a world since it was made.

    Attributes:
        removed: The ids of messages, users, conversations and chats that are gone.
        front: The number of messages that stand before the others.
        end: The number of messages after them.
        users: The number of users that have come, later than all others.
        updated: The ids of users that have changed, in this order.
    """

    removed: tuple[str, ...] = ()
    front: int = 0
    end: int = 0
    users: int = 0
    updated: tuple[str, ...] = ()


class Drift(Struct, kw_only=True, forbid_unknown_fields=True):
    """One way of a list to change while it is read.

    Attributes:
        kind: What happens to rows: `delete`, `insert`, or `update`, which gives Freshchat's users a
            newer `updated_time`.
        of: Rows of which list: `messages` (of the messages API), `users` or `conversations` (of
            Freshchat) or `chats` (of LiveChat).
        path: Only requests whose path contains this are counted.
        after: It happens when so many of them are answered,
        every: again after so many more,
        times: and so often in all; None for ever.
        place: The place of the first such row in the list as it is then, from 0; from the end, if
            negative. Messages are inserted at the front (0) or at the end (anything else), users
            and chats where their time has its place.
        rows: The number of rows.
    """

    kind: Kind
    of: Of
    path: str = ""
    after: Annotated[int, Meta(ge=1)] = 1
    every: Annotated[int, Meta(ge=1)] = 1
    times: Annotated[int, Meta(ge=0)] | None = 1
    place: int = 0
    rows: Annotated[int, Meta(ge=1)] = 1

    def __post_init__(self) -> None:
        """Refuse what can't happen."""
        if self.of not in POSSIBLE[self.kind]:
            message = f"{self.kind} is not possible of {self.of}"
            raise ValueError(message)

    def strikes(self, path: str) -> bool:
        """Count a request that is answered, and say whether something happens now."""
        if self.path not in path or self.times == 0:
            return False
        if self.after > 1:
            self.after -= 1
            return False
        self.after = self.every
        if self.times is not None:
            self.times -= 1
        return True

    def changed(self, world: World, order: str) -> World:
        """Return a world in which it has happened.

        Args:
            world: The world.
            order: The one of Freshchat's users, in which they have their places.
        """
        drifted = world.drifted
        if self.kind == "insert" and self.of == "chats":
            for _ in range(self.rows):
                world = replace(world, now=world.livechat.next_end or world.now)
            return world
        if self.kind == "insert":
            name = "users" if self.of == "users" else "end" if self.place else "front"
            more = {name: getattr(drifted, name) + self.rows}
            return replace(world, drifted=replace(drifted, **more))
        ids = self._ids(world, order)
        start = max(len(ids) + self.place, 0) if self.place < 0 else self.place
        struck = tuple(ids[start : start + self.rows])
        if self.kind == "delete":
            return replace(world, drifted=replace(drifted, removed=drifted.removed + struck))
        others = tuple(key for key in drifted.updated if key not in struck)
        return replace(world, drifted=replace(drifted, updated=others + struck))

    def _ids(self, world: World, order: str) -> list[str]:
        """Return the ids of its list, in the order in which they are listed."""
        match self.of:
            case "messages":
                return [row["id"] for row in world.chat_messages]
            case "users":
                return [user.id for user in world.freshchat.in_order(order)]
            case "conversations":
                return [talk.id for talk in world.freshchat.talks]
            case "chats":
                return [chat.id for chat in reversed(world.livechat.kept)]
