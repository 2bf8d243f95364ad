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

from dlt_bridge.arrow.metadata_columns import DELETED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dlt_bridge.arrow.types import Column

#: The column that says what a row lacks, as a JSON array; null if nothing. No property has no name.
MISSING = ""


class _Envelope(Struct, gc=False):
    record: dict[str, Raw]


_decoder: msgspec.json.Decoder[_Envelope] = msgspec.json.Decoder(_Envelope)


@dataclass(frozen=True, slots=True)
class KeepPolicy:
    """Which records keep the values of what they do not have.

    Attributes:
        live: Those whose row is there at the source.
        deleted: Those that say that it is gone there.
        other_columns: The table has columns of no property, so that each of these lacks something.
    """

    live: bool
    deleted: bool
    other_columns: bool = False

    def column(
        self, columns: Sequence[Column], made: Mapping[str, pa.Array], text: bytes
    ) -> pa.Array | None:
        """Return the column `MISSING` of a batch; None if no row lacks anything.

        Only records that may lack something are looked at: those with a null.

        Args:
            columns: The properties.
            made: The columns that the records have become.
            text: The lines, with newlines between them.
        """
        own = [c for c in columns if not c.key and c.name != DELETED]
        names = frozenset(column.json_name for column in own)
        count = len(next(iter(made.values())))
        # What does not fit the column is in another.
        marks = (name for name in made if name == DELETED or name.startswith(f"{DELETED}__v_"))
        gone = _any(count, (pc.is_valid(made[name]) for name in marks))
        keeping = pc.if_else(gone, self.deleted, self.live)
        if not pc.any(keeping).as_py():
            return None
        nulls = _any(count, (pc.is_null(made.get(c.name, pa.nulls(count))) for c in own))
        said = pc.if_else(
            keeping, "[]" if self.other_columns else None, pa.scalar(None, pa.string())
        )
        found: list[str | None] = said.to_pylist()
        rows = pc.indices_nonzero(pc.and_(keeping, nulls)).to_pylist()
        lines = text.split(b"\n") if rows else []
        texts: dict[frozenset[str], str] = {}
        for row, line in zip(rows, _decoded(lines[row] for row in rows), strict=True):
            if lacks := names.difference(line.record):
                if lacks not in texts:
                    texts[lacks] = json.dumps(sorted(lacks))
                found[row] = texts[lacks]
        column = pa.array(found, pa.string())
        return column if column.null_count < count else None


def _decoded(lines: Iterable[bytes]) -> list[_Envelope]:
    return _decoder.decode_lines(b"\n".join(lines))


def _any(count: int, masks: Iterable[pa.Array]) -> pa.Array:
    return reduce(pc.or_, masks, pa.repeat(pa.scalar(value=False), count))
