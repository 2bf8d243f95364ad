"""Incremental runs of a resource: the part of a list that a run reads, and what requests say."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_chat.config.errors import config_error
from tap_chat.http.json_path import compile_path
from tap_chat.singer.cursors import (
    TEXT,
    Cursor,
    CursorType,
    CursorValue,
    as_json,
    common_type,
    convert,
    cursor_type,
    is_date,
    is_odd_time,
    moved,
    one_step,
    write_like,
)
from tap_chat.singer.timestamps import write_datetime

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tap_chat.declarations.format import Incremental


@dataclass(frozen=True, slots=True)
class Span:
    """The part of a list that a run reads.

    Attributes:
        start: The value of the cursor from which on records are read; None from the beginning.
        start_date: The time before which nothing is read, if the start does not say it.
        end: The value of the cursor at which reading ends; None for no end.
        is_resumed: Whether the start comes from the bookmark of an earlier run.
    """

    start: CursorValue | None = None
    start_date: datetime | None = None
    end: CursorValue | None = None
    is_resumed: bool = False


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of a part of a list, for values of one type.

    Attributes:
        cursor: The cursor.
        kind: The type of the values.
        start: The first value, which can be compared; None for no bound.
        end: The end, which can be compared; None for no bound.
        has_start: Whether values at the start are inside.
        has_end: Whether values at the end are inside.
    """

    cursor: Cursor
    kind: CursorType
    start: Any
    end: Any
    has_start: bool
    has_end: bool

    def is_early(self, value: Any) -> bool:  # noqa: ANN401
        """Return whether a comparable value is before the start."""
        if self.start is None:
            return False
        is_excluded = not self.has_start and value == self.start
        return bool(is_excluded or self.cursor.is_before(value, self.start))

    def is_late(self, value: Any) -> bool:  # noqa: ANN401
        """Return whether a comparable value is after the end."""
        if self.end is None:
            return False
        is_excluded = not self.has_end and value == self.end
        return bool(is_excluded or self.cursor.is_before(self.end, value))


def replication_key_of(declared: Incremental, section: str) -> str:
    """Return the replication key of a stream: the property that holds its cursor.

    Args:
        declared: The declaration.
        section: Its section in the config, for errors.

    Raises:
        ConfigValidationError: The cursor may be anywhere in a record.
    """
    if names := compile_path(declared.cursor_path).names:
        return str(names[0])
    if (first := re.match(r"(?:\$\.)?([\w-]+)(?=[.\[])", declared.cursor_path)) is not None:
        return str(first[1])
    raise config_error(
        f"The `cursor_path` `{declared.cursor_path}` of {section} does not begin with the name of a"
        " property. Write the path from the record on, such as `updated_at` or `meta.updated_at`."
    )


class IncrementalReading:
    """How a resource is read incrementally.

    Args:
        declared: The declaration.
        converter: The name of the converter of times for requests; None to send values as they
            are.

    Attributes:
        declared: The declaration.
        cursor: Its cursor.
        initial: The declared `initial_value`, as JSON has it.
    """

    def __init__(self, declared: Incremental, converter: str | None = None) -> None:
        path = compile_path(declared.cursor_path)
        self.declared = declared
        self.cursor = Cursor(path.text, path.find_first, falls=declared.last_value_func == "min")
        self.initial: CursorValue | None = as_json(declared.initial_value)
        self._end: CursorValue | None = as_json(declared.end_value)
        self._converter = converter or declared.convert

    def first_start(
        self, start_date: datetime | None, *, is_time: bool = False
    ) -> CursorValue | None:
        """Return the value at which a first run starts: `initial_value` or `start_date`.

        Args:
            start_date: The setting of that name.
            is_time: Whether the schema says that values are date-times.

        Returns:
            The later of the two, as `initial_value` is written; None from the beginning.
        """
        if start_date is None or self.cursor.falls:
            return self.initial
        if self.initial is not None:
            return self.cursor.later(write_like(self.initial, start_date), self.initial)
        return write_datetime(start_date) if is_time else None

    def span(
        self,
        *,
        saved: CursorValue | None,
        first: CursorValue | None,
        start_date: datetime | None,
    ) -> Span:
        """Return the part of a list that a run reads.

        Args:
            saved: The bookmark; None if there is none.
            first: The value at which a first run starts.
            start_date: The setting of that name.

        Raises:
            ConfigValidationError: The bookmark can't be moved by the declared `lag`.
        """
        if self._end is not None or saved is None:
            return Span(first, start_date if first is None else None, self._end)
        lagged = self._lagged(saved)
        start = self.cursor.later(lagged, first)
        return Span(start, is_resumed=start == lagged)

    def _lagged(self, value: CursorValue) -> CursorValue:
        """Return a bookmark, moved back by the declared `lag`.

        It is a number of days for dates, and for date-times if `initial_value` is a date; otherwise
        a number of seconds for date-times, and a number for numbers.
        """
        lag = self.declared.lag
        if not lag:
            return value
        moved_back = moved(value, lag if self.cursor.falls else -lag, days=is_date(self.initial))
        if moved_back is None:
            raise config_error(
                f"The `lag` of the cursor `{self.cursor.path}` has no meaning: its values are"
                " neither numbers nor date-times. Leave out `lag`."
            )
        return moved_back

    def request_values(self, span: Span) -> dict[str, Any]:
        """Return the values of the placeholders `{incremental...}`; None for what there is not.

        A request that resumes asks from one step before the start on. Some servers leave out the
        records at the start itself, and a later record may have the same value.

        Args:
            span: The part of the list that the run reads.

        Raises:
            ConfigValidationError: A value is not a time, and can't be converted.
        """
        falls = self.cursor.falls
        start = self._converted(span.start, up=falls)
        if start is not None and span.is_resumed and self.declared.range_start == "closed":
            step = one_step(start)
            start = moved(start, step if falls else -step) or start
        return {
            "incremental.start_value": start,
            "incremental.last_value": start,
            "incremental.initial_value": self._converted(self.initial, up=falls),
            "incremental.end_value": self._converted(span.end, up=not falls),
        }

    def request_params(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters `start_param` and `end_param` of a request.

        Args:
            values: The values of `request_values`.
        """
        params = {
            self.declared.start_param: values["incremental.start_value"],
            self.declared.end_param: values["incremental.end_value"],
        }
        return {name: value for name, value in params.items() if name and value is not None}

    def _converted(self, value: CursorValue | None, *, up: bool) -> CursorValue | None:
        if value is None or self._converter is None:
            return value
        converted = convert(value, self._converter, up=up)
        if converted is None:
            raise config_error(
                f"A value of the cursor `{self.cursor.path}` is not a time, so it can't be"
                f" converted to `{self._converter}`. Leave out `convert`, which is for times."
            )
        return converted

    def bounds(self, span: Span, values: Sequence[CursorValue]) -> Bounds:
        """Return the bounds of a part of a list.

        Args:
            span: The part of the list.
            values: Values of the cursor in the list. Most of them have the type of all.

        Raises:
            TypeError: They have no order, or a bound is of another type. The message tells why.
        """
        kind = common_type(values)
        if kind is None:
            raise TypeError("is neither a number nor a text")
        value = next(value for value in values if kind.read(value) is not None)
        if kind is TEXT and is_odd_time(value):
            raise TypeError("is a time that is not in ISO 8601, so its texts have another order")
        start = span.start
        if start is None and span.start_date is not None:
            start = write_like(value, span.start_date)
        return Bounds(
            self.cursor,
            kind,
            _bound(start, kind),
            _bound(span.end, kind),
            has_start=self.declared.range_start == "closed",
            has_end=self.declared.range_end == "closed",
        )


def _bound(value: CursorValue | None, kind: CursorType) -> Any:  # noqa: ANN401
    if value is None:
        return None
    comparable = kind.read(value)
    if comparable is None:
        other = cursor_type(value)
        theirs = other.name if other else "neither a number nor a text"
        raise TypeError(f"is {kind.name}, where the run starts or ends at {theirs}")
    return comparable
