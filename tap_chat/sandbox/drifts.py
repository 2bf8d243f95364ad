"""Drifts: rows that leave, enter or move in the lists while a client pages through them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, cast

from msgspec import Meta, Struct

from tap_chat.sandbox.dialect import Event
from tap_chat.sandbox.registry import DIALECTS

if TYPE_CHECKING:
    from tap_chat.sandbox.dialect import ChangingAccount, Dialect, DialectOptions
    from tap_chat.sandbox.world import World

#: The dialects that have lists which can change, by the names of the lists.
DIALECT_OF: dict[str, Dialect] = {name: dialect for dialect in DIALECTS for name in dialect.events}


class Drift(Struct, kw_only=True, forbid_unknown_fields=True):
    """A change of a list while it is read.

    Attributes:
        kind: What happens to rows: `delete`, `insert`, or `update`, which gives Freshchat's users a
            newer `updated_time`.
        of: The list: `messages` (of the messages API), `users` or `conversations` (of Freshchat) or
            `chats` (of LiveChat).
        path: Only requests whose path contains this are counted.
        after: The number of requests after which the list changes first.
        every: The number of requests after which it changes again.
        times: How often it changes; None forever.
        place: The index of the first such row in the list as it is then; from the end, if
            negative. Messages are inserted at the front (0) or at the end (any other); users and
            chats are inserted where their time belongs.
        rows: The number of rows.
    """

    kind: Event
    of: str
    path: str = ""
    after: Annotated[int, Meta(ge=1)] = 1
    every: Annotated[int, Meta(ge=1)] = 1
    times: Annotated[int, Meta(ge=0)] | None = 1
    place: int = 0
    rows: Annotated[int, Meta(ge=1)] = 1

    def __post_init__(self) -> None:
        """Refuse what can't happen."""
        if self.of not in DIALECT_OF:
            message = f"there is no list {self.of}; the lists are {', '.join(DIALECT_OF)}"
            raise ValueError(message)
        if self.kind not in DIALECT_OF[self.of].events[self.of]:
            message = f"{self.kind} is not possible of {self.of}"
            raise ValueError(message)

    def is_due(self, path: str) -> bool:
        """Count a request that is answered, and return whether the list changes now."""
        if self.path not in path or self.times == 0:
            return False
        if self.after > 1:
            self.after -= 1
            return False
        self.after = self.every
        if self.times is not None:
            self.times -= 1
        return True

    def changed(self, world: World, options: DialectOptions) -> World:
        """Return a world in which the list has changed.

        Args:
            world: The world.
            options: How the APIs behave, which may decide the order of the list.
        """
        name, changes = DIALECT_OF[self.of].name, world.changes
        if self.kind == "insert":
            for _ in range(self.rows):
                account = cast("ChangingAccount", world.accounts[name])
                world = replace(world, **account.insert(self.of, self.place))
            return world
        ids = cast("ChangingAccount", world.accounts[name]).listed(self.of, options)
        start = max(len(ids) + self.place, 0) if self.place < 0 else self.place
        struck = tuple(ids[start : start + self.rows])
        if self.kind == "delete":
            changes = replace(changes, removed=changes.removed + struck)
        else:
            others = tuple(key for key in changes.updated if key not in struck)
            changes = replace(changes, updated=others + struck)
        return replace(world, changes=changes)
