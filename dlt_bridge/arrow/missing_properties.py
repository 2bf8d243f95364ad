"""Which properties a record lacks, for rows that keep the stored values of these."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bridge.arrow.lines import raw_lines
from dlt_bridge.arrow.metadata_columns import DELETED
from dlt_bridge.arrow.variants import variant_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dlt_bridge.arrow.columns import Column

#: The column with the names of the properties that a record lacks, as a JSON array; null if it
#: lacks none. No property has an empty name.
MISSING = ""


@dataclass(frozen=True, slots=True)
class KeepPolicy:
    """Which rows keep the stored values of properties that their records lack.

    Attributes:
        live: Whether rows keep them that are not marked as deleted.
        deleted: Whether rows keep them that are marked as deleted.
        other_columns: Whether the table has columns of no property, so that each record lacks
            something.
    """

    live: bool
    deleted: bool
    other_columns: bool = False


def missing_column(
    policy: KeepPolicy, columns: Sequence[Column], arrays: Mapping[str, pa.Array], text: bytes
) -> pa.Array | None:
    """Return the column `MISSING` of a batch; None if no row keeps stored values.

    Only the lines of rows that have a null are decoded again.

    Args:
        policy: Which rows keep stored values.
        columns: The properties.
        arrays: The columns of the batch.
        text: The lines, with newlines between them.
    """
    columns = [column for column in columns if not column.key and column.name != DELETED]
    names = frozenset(column.json_name for column in columns)
    count = len(next(iter(arrays.values())))
    keeping = pc.if_else(_is_deleted(arrays, count), policy.deleted, policy.live)
    if not pc.any(keeping).as_py():
        return None
    absent = pa.nulls(count)
    has_null = _any(count, (pc.is_null(arrays.get(column.name, absent)) for column in columns))
    none_missing = "[]" if policy.other_columns else None
    missing: list[str | None] = pc.if_else(
        keeping, none_missing, pa.scalar(None, pa.string())
    ).to_pylist()
    rows = pc.indices_nonzero(pc.and_(keeping, has_null)).to_pylist()
    lines = text.split(b"\n") if rows else []
    texts: dict[frozenset[str], str] = {}
    decoded = raw_lines.decode_lines(b"\n".join(lines[row] for row in rows))
    for row, line in zip(rows, decoded, strict=True):
        if lacking := names.difference(line.record):
            if lacking not in texts:
                texts[lacking] = json.dumps(sorted(lacking))
            missing[row] = texts[lacking]
    column = pa.array(missing, pa.string())
    return column if column.null_count < count else None


def _is_deleted(arrays: Mapping[str, pa.Array], count: int) -> pa.Array:
    """Return whether each row is marked as deleted; the time of deletion may be in a variant."""
    prefix = variant_name(DELETED, "")
    marks = [name for name in arrays if name == DELETED or name.startswith(prefix)]
    return _any(count, (pc.is_valid(arrays[name]) for name in marks))


def _any(count: int, masks: Iterable[pa.Array]) -> pa.Array:
    return reduce(pc.or_, masks, pa.repeat(pa.scalar(value=False), count))
