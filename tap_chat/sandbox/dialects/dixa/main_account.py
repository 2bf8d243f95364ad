"""What the main API of the made-up Dixa organisation holds."""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from tap_chat.sandbox.dialects.dixa import main_rows as rows
from tap_chat.sandbox.samples import DAY, HOUR, creation_times, epoch_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from tap_chat.sandbox.dialect import Row
    from tap_chat.sandbox.dialects.dixa.history import History

#: One conversation in so many has notes.
WITH_NOTES = 10


@dataclass(frozen=True)
class MainAccount:
    """What the main API knows of an organisation at one time.

    Attributes:
        seed: Decides every value.
        now: Later rows do not exist yet.
        end_users: The number of end users at NOW.
        histories: The conversations.
        removed: The ids of the rows that were deleted.
    """

    seed: int
    now: datetime
    end_users: int
    histories: Sequence[History]
    removed: frozenset[str] = frozenset()

    @cached_property
    def lists(self) -> dict[str, list[Row]]:
        """The rows of each list, by its path."""
        lists = {
            "agents": rows.AGENTS,
            "endusers": list(self._end_users()),
            "queues": rows.QUEUES,
            "teams": rows.TEAMS,
            "tags": rows.TAGS,
            "custom-attributes": rows.CUSTOM_ATTRIBUTES,
        }
        return {
            name: [row for row in listed if row["id"] not in self.removed]
            for name, listed in lists.items()
        }

    def _end_users(self) -> Iterator[Row]:
        dice = random.Random(f"{self.seed} dixa end users")
        times = creation_times(dice, self.end_users, epoch_ms(self.now))
        return (rows.end_user(number, moment) for number, moment in enumerate(times))

    @cached_property
    def log(self) -> tuple[list[int], list[tuple[int, History, int]]]:
        """The times of the entries of the log, ascending, and what `entry` makes them of."""
        now = epoch_ms(self.now)
        entries = sorted(
            (
                (moment, history, step)
                for history in self.histories
                for moment, step in moments(history)
                if moment <= now
            ),
            key=lambda entry: (entry[0], entry[1].number, entry[2]),
        )
        return [moment for moment, _, _ in entries], entries

    @property
    def details(self) -> dict[str, Callable[[History], list[Row]]]:
        """What returns the rows of a conversation, by the end of its path."""
        return {"ratings": self.ratings, "notes": self.notes}

    def ratings(self, history: History) -> list[Row]:
        """Return the ratings of a conversation: one row for each question of its survey."""
        if history.number % rows.WITH_SURVEY != 0:
            return []
        return rows.ratings(history.number, history.changes)

    def notes(self, history: History) -> list[Row]:
        """Return the internal notes of a conversation."""
        now = epoch_ms(self.now)
        return [
            rows.note(history, step, moment)
            for moment, step in note_moments(history)
            if moment <= now
        ]

    @property
    def rows(self) -> dict[str, int]:
        """The number of rows that each stream must bring."""
        return {
            **{name: len(self.lists[path]) for name, path in rows.LISTS.items()},
            rows.LOG: len(self.log[0]),
            rows.RATINGS: sum(len(self.ratings(history)) for history in self.histories),
            rows.NOTES: sum(len(self.notes(history)) for history in self.histories),
        }

    @property
    def truth(self) -> dict[str, list[Row]]:
        """The rows that each stream must bring, as the tap writes them."""
        log = [rows.entry(*entry) for entry in self.log[1]]
        truth = {name: self.lists[path] for name, path in rows.LISTS.items()}
        truth[rows.LOG] = log
        for name, details in ((rows.RATINGS, self.ratings), (rows.NOTES, self.notes)):
            truth[name] = [
                {"conversation_id": history.csid} | row
                for history in self.histories
                for row in details(history)
            ]
        return {name: [plain(row) for row in listed] for name, listed in truth.items()}


def moments(history: History) -> Iterator[tuple[int, int]]:
    """Yield the time and the step of each entry of the log on a conversation."""
    yield history.created, rows.CREATED
    yield from ((moment, step) for step, moment in enumerate(history.changes, rows.CREATED + 1))
    yield from note_moments(history)


def note_moments(history: History) -> Iterator[tuple[int, int]]:
    """Yield the time and the step of each note: the second one is written long after the end.

    Notes do not change the `updated_at` of a conversation: whether they do is not documented.
    """
    if history.number % WITH_NOTES == WITH_NOTES // 2:
        yield history.created + HOUR, rows.FIRST_NOTE
        yield history.updated + 20 * DAY, rows.FIRST_NOTE + 1


def plain(value: Any) -> Any:  # noqa: ANN401
    """Return a row without the name of a zone after its times."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items()}
    return value.removesuffix(rows.ZONE) if isinstance(value, str) else value
