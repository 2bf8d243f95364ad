"""The columns of Freshchat's raw reports, as fields of records.

Freshchat documents no columns. Those that are known come from published programs that read the
reports; a column with another name is kept in `other_columns`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from tap_chat.singer.timestamps import from_epoch, read_datetime, unit_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from tap_chat.singer.records import Record

#: The field with the columns that no other field has.
OTHER = "other_columns"

#: The words that may follow a time, and say the same: it is in UTC.
ZONES = re.compile(r"\s*\[?(UTC|GMT|Z)\]?$")
WORD_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|[\s-]+")
NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
EPOCH = re.compile(r"[0-9]{1,18}")

#: Hexadecimal digits of an `id`.
DIGITS = 32


@dataclass(frozen=True)
class ReportColumns:
    """The columns of a report.

    Attributes:
        names: The names of the fields that a column can fill.
        time: The field with the time of a row.
        required: The columns without which a file is not this report.
        aliases: Other names of columns, by the name of the field.
        identity: The fields whose values tell a row from all others; empty if it has an id.
    """

    names: Collection[str]
    time: str
    required: Sequence[str]
    aliases: Mapping[str, Sequence[str]] = field(default_factory=dict)
    identity: Sequence[str] = ()

    def header(self, cells: Sequence[str]) -> list[str]:
        """Return the name of the field of each column; a column of no field keeps its own name.

        Args:
            cells: The header of a file.
        """
        columns = [WORD_BREAK.sub("_", cell.strip()).lower() for cell in cells]
        names = {name: name for name in self.names}
        for name, aliases in self.aliases.items():
            if name not in columns:
                names |= dict.fromkeys(aliases, name)
        header: list[str] = []
        for cell, column in zip(cells, columns, strict=True):
            field_name = names.get(column)
            is_free = field_name is not None and field_name not in header
            if field_name and is_free:
                header.append(field_name)
            else:
                # It may have the name of a field that another column fills.
                header.append(_free_name(cell.strip(), self.names))
        return header

    def missing(self, header: Sequence[str]) -> list[str]:
        """Return the required columns that a header lacks."""
        return [name for name in self.required if name not in header]

    def unknown(self, header: Sequence[str]) -> list[str]:
        """Return the columns that no field has."""
        return [name for name in header if name not in self.names]

    def record(self, header: Sequence[str], cells: Sequence[str]) -> Record:
        """Return a row as a record.

        Args:
            header: The names of the columns, as `header` returns them.
            cells: The cells. Those beyond the header go to `other_columns`.

        Returns:
            The record. An empty cell is null.
        """
        record: dict[str, Any] = {}
        other: dict[str, str] = {}
        for name, cell in _pairs(header, cells):
            if name not in self.names:
                if cell:
                    other[_free_name(name, other)] = cell
            elif name == self.time and cell:
                time = record[name] = read_time(cell)
                if time is None:
                    other[name] = cell
            else:
                record[name] = cell or None
        if other:
            record[OTHER] = other
        return record


def digest_of(event: str, record: Record, identity: Sequence[str]) -> str:
    """Return an id for a row without one: the same whenever the row is read.

    Args:
        event: The report.
        record: The row.
        identity: The fields whose values tell a row from all others; empty for all fields.
    """
    # A time that can't be read is there.
    other = record.get(OTHER, {})
    values: list[Any] = [record.get(name) or other.get(name) or "" for name in identity]
    values = values or sorted(record.items())
    text = json.dumps([event, *values], ensure_ascii=False, separators=(",", ":"))
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]


def read_time(cell: str) -> str | None:
    """Return a time of a report as ISO 8601 in UTC, or None if it can't be read.

    Args:
        cell: ISO 8601, or a number since 1970. Without an offset, it is taken as UTC.
    """
    text = cell.strip()
    if EPOCH.fullmatch(text):
        unit = unit_of(int(text), datetime.now(UTC))
        time = from_epoch(int(text), unit) if unit else None
    else:
        time = read_datetime(ZONES.sub("", text))
    if time is None:
        return None
    timespec = "microseconds" if time.microsecond % 1000 else "milliseconds"
    return time.isoformat(timespec=timespec).replace("+00:00", "Z")


def read_number(cell: str | None) -> int | float | None:
    """Return the number that a cell is, or None."""
    if cell is None or not NUMBER.fullmatch(cell.strip()):
        return None
    return float(cell) if "." in cell else int(cell)


def _pairs(header: Sequence[str], cells: Sequence[str]) -> Iterator[tuple[str, str]]:
    yield from zip(header, cells, strict=False)
    for number, cell in enumerate(cells[len(header) :], len(header) + 1):
        yield f"column {number}", cell


def _free_name(name: str, taken: Collection[str]) -> str:
    """Return a name, with a number after it if it is taken."""
    free, number = name, 1
    while free in taken:
        number += 1
        free = f"{name} {number}"
    return free
