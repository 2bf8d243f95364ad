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

#: The dialect of each list that can change, by the name of the list.
DIALECT_OF: dict[str, Dialect] = {name: dialect for dialect in DIALECTS for name in dialect.events}


class Drift(Struct, kw_only=True, forbid_unknown_fields=True):
    """A change of a list while it is read.

    Attributes:
        kind: What happens to rows: `delete`, `insert`, or `update`, which gives Freshchat's users a
            newer `updated_time`, and Gorgias' tickets a newer `updated_datetime`.
        of: The list: `messages` (of the messages API), `users` or `conversations` (of Freshchat),
            `chats` (of LiveChat v2), `threads` (of LiveChat v3), `tickets` (of Gorgias)
            or `events` (of Front).
        path: Only requests whose path contains this are counted.
        after: The list first changes after this many requests.
        every: It changes again after this many more requests.
        times: How often it changes; None for no limit.
        place: The index of the first changed row in the list at that time; a negative index counts
            from the end. Messages are inserted at the front (0) or at the end (any other); users,
            chats and events are inserted in the order of their times.
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
        """Refuse a list that does not exist, and a change that it does not support."""
        if self.of not in DIALECT_OF:
            message = f"there is no list {self.of}; the lists are {', '.join(DIALECT_OF)}"
            raise ValueError(message)
        if self.kind not in DIALECT_OF[self.of].events[self.of]:
            message = f"{self.of} does not support {self.kind}"
            raise ValueError(message)

    def is_due(self, path: str) -> bool:
        """Count a response, and return whether the list changes now."""
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
        chosen = tuple(ids[start : start + self.rows])
        if self.kind == "delete":
            changes = replace(changes, removed=changes.removed + chosen)
        else:
            others = tuple(key for key in changes.updated if key not in chosen)
            changes = replace(changes, updated=others + chosen)
        return replace(world, changes=changes)
