"""Which properties a record does not have, where that is to be told from a null."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Raw, Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dlt_bridge.types import Column

#: The property by which a tap says that a record is gone at the source.
DELETED = "_sdc_deleted_at"
#: The column that says what a row lacks, as a JSON array; null if nothing. No property has no name.
LACKING = ""


class _Envelope(Struct, gc=False):
    record: dict[str, Raw]


_decoder: msgspec.json.Decoder[_Envelope] = msgspec.json.Decoder(_Envelope)


@dataclass(frozen=True, slots=True)
class Lacking:
    """Which records keep the values of what they do not have.

    Attributes:
        every: Each record; else only one that says that it is gone at the source.
        hard: The row of a record that is gone is deleted: it keeps nothing.
        others: The table has columns of no property, so that each such record lacks something.
    """

    every: bool
    hard: bool = False
    others: bool = False

    def column(
        self, columns: Sequence[Column], made: Mapping[str, pa.Array], text: bytes
    ) -> pa.Array | None:
        """Return the column `LACKING` of a batch; None if no row lacks anything.

        Only records that may lack something are looked at: such as have a null.

        Args:
            columns: The properties.
            made: The columns that the records have become.
            text: The lines, with newlines between them.
        """
        names = frozenset(c.name for c in columns if not c.key and c.name != DELETED)
        count = len(next(iter(made.values())))
        # What does not fit the column is in another.
        marks = (n for n in made if n == DELETED or n.startswith(f"{DELETED}__v_"))
        gone = _any(count, (pc.is_valid(made[name]) for name in marks))
        keeping = pc.invert(gone) if self.hard else gone
        if self.every and not self.hard:
            keeping = pa.repeat(pa.scalar(value=True), count)
        suspects = keeping
        if self.every:
            nulls = (pc.is_null(made.get(n, pa.nulls(count))) for n in names)
            suspects = pc.and_(keeping, _any(count, nulls))
        found: list[str | None] = pc.if_else(
            keeping, "[]" if self.others else None, pa.scalar(None, pa.string())
        ).to_pylist()
        rows = pc.indices_nonzero(suspects).to_pylist()
        lines = text.split(b"\n") if rows else []
        said: dict[frozenset[str], str] = {}
        for row, line in zip(rows, _decoded(lines[row] for row in rows), strict=True):
            if lacks := names.difference(line.record):
                if lacks not in said:
                    said[lacks] = json.dumps(sorted(lacks))
                found[row] = said[lacks]
        column = pa.array(found, pa.string())
        return column if column.null_count < count else None


def _decoded(lines: Iterable[bytes]) -> list[_Envelope]:
    return _decoder.decode_lines(b"\n".join(lines))


def _any(count: int, masks: Iterable[pa.Array]) -> pa.Array:
    return reduce(pc.or_, masks, pa.repeat(pa.scalar(value=False), count))
