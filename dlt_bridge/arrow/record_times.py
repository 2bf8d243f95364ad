"""The times of records: when the tap has read them, and when the bridge has received them.

They have the names and the meaning that they have in the targets of the Meltano SDK:
https://sdk.meltano.com/en/latest/implementation/record_metadata.html
"""

from __future__ import annotations

import time
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Raw

from dlt_bridge.arrow.metadata_columns import BATCHED, EXTRACTED, RECEIVED
from dlt_bridge.arrow.times import timestamp_array
from dlt_bridge.arrow.types import arrow_type
from dlt_bridge.arrow.values import CONVERSION_ERRORS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dlt_bridge.arrow.limits import Limits
    from dlt_bridge.arrow.types import ColumnType

_MICROSECONDS = pa.timestamp("us", "UTC")


def now() -> int:
    """Return the time in microseconds since 1970."""
    return time.time_ns() // 1000


def time_arrays(
    types: Mapping[str, ColumnType],
    received: Sequence[int],
    counts: Sequence[int],
    extracted: pa.Array,
) -> dict[str, pa.Array]:
    """Return the columns with the times of a batch, by name.

    Args:
        types: The types of the columns that are wanted, by name.
        received: When each block of records was received, in microseconds since 1970.
        counts: The number of records of each block.
        extracted: When the tap has read each record.
    """
    values = pa.array(received, pa.int64()).cast(_MICROSECONDS)
    ends = pa.array(accumulate(counts), pa.int32())
    blocks = pa.RunEndEncodedArray.from_arrays(ends, values)
    arrays = {
        EXTRACTED: extracted,
        RECEIVED: pc.run_end_decode(blocks),
        BATCHED: pa.repeat(values[0], len(blocks)) if received else values,
    }
    return {name: arrays[name].cast(arrow_type(kind)) for name, kind in types.items()}


def extracted_array(values: Sequence[Any], limits: Limits) -> tuple[pa.Array, int | None]:
    """Return the times at which a tap has read records, and the index of the first that is invalid.

    Args:
        values: The `time_extracted` of each RECORD: all texts or None, or all JSON texts. One that
            is not a date-time becomes null.
        limits: The values that the destination can't hold.
    """
    # All of a batch are decoded in the same way.
    texts = list(map(_text, values)) if values and isinstance(values[0], Raw) else values
    array = _converted(texts, limits)
    if array is not None:
        return array, None
    single = [_converted([text], limits) for text in texts]
    nothing = pa.nulls(1, _MICROSECONDS)
    return pa.concat_arrays([nothing if one is None else one for one in single]), single.index(None)


def are_texts(values: Sequence[Raw]) -> bool:
    """Return whether JSON texts are strings, null or empty, and can be decoded."""
    texts = [bytes(value) or b"null" for value in values]
    try:
        msgspec.json.decode(b"[" + b",".join(texts) + b"]", type=list[str | None])
    except ValueError:
        return False
    return True


def _converted(texts: Sequence[str | None], limits: Limits) -> pa.Array | None:
    """Return texts as times; None if one is not a date-time, or none that the destination holds."""
    try:
        array = timestamp_array(texts, _MICROSECONDS)
    except CONVERSION_ERRORS:
        return None
    return array if limits.holds(array) else None


def _text(raw: Raw) -> str | None:
    """Return the text of a JSON string; None for null, and the JSON text of any other value."""
    text = bytes(raw)
    if not text or text == b"null":
        return None
    try:
        return msgspec.json.decode(text, type=str)
    except ValueError:
        return text.decode(errors="replace")
