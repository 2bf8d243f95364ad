"""Arrow columns of BATCH files, converted as a whole to the type of a column of a table.

Each converter takes the values, their new Arrow type and the limits of the destination. It raises a
ValueError, or an error of Arrow, unless each value becomes what its JSON text would become.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Raw

from dlt_bridge.arrow import numbers
from dlt_bridge.tap.column_texts import is_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from dlt_bridge.arrow.limits import Limits

_raws = msgspec.json.Decoder(list[Raw])


def cast_from(*predicates: Callable[[pa.DataType], bool]) -> Callable[..., pa.Array]:
    """Return a converter of columns whose type one of the predicates knows."""

    def cast(values: pa.Array, arrow: pa.DataType, _: Limits) -> pa.Array:
        if not any(belongs(values.type) for belongs in predicates):
            raise ValueError("another type")
        return values.cast(arrow)

    return cast


def text_column(values: pa.Array, arrow: pa.DataType, limits: Limits) -> pa.Array:
    """Convert a column of strings."""
    texts = cast_from(pa.types.is_string)(values, arrow, limits)
    if not limits.nul and pc.any(pc.match_substring(texts, "\0")).as_py():
        raise ValueError("NUL")
    return texts


def json_column(values: pa.Array, _: pa.DataType, limits: Limits) -> pa.Array:
    """Convert a column of JSON texts."""
    texts, joined = _json_texts(values)
    if not limits.nul and b"\\u0000" in joined:
        raise ValueError("NUL")
    return texts


def double_column(values: pa.Array, arrow: pa.DataType, limits: Limits) -> pa.Array:
    """Convert a column of numbers, or of JSON texts of numbers, to doubles."""
    if is_json(values.type):
        return numbers.doubles(*_json_texts(values), arrow)
    doubles = cast_from(pa.types.is_floating, pa.types.is_integer)(values, arrow, limits)
    if not limits.non_finite and not pc.all(pc.is_finite(doubles)).as_py():
        raise ValueError("no number")
    return doubles


def decimal_column(values: pa.Array, arrow: pa.DataType, limits: Limits) -> pa.Array:
    """Convert a column of decimals or integers, or of JSON texts of numbers, to decimals."""
    if is_json(values.type):
        return numbers.decimals(*_json_texts(values), arrow)
    return cast_from(pa.types.is_decimal, pa.types.is_integer)(values, arrow, limits)


def of_strings(
    belongs: Callable[[pa.DataType], bool], convert: Callable[[Any, pa.DataType], pa.Array]
) -> Callable[..., pa.Array]:
    """Return a converter of values of a type, or of the strings that taps write for it."""

    def converted(values: pa.Array, arrow: pa.DataType, limits: Limits) -> pa.Array:
        if pa.types.is_string(values.type):
            return convert(values, arrow)
        return cast_from(belongs)(values, arrow, limits)

    return converted


def _json_texts(values: pa.Array) -> tuple[pa.Array, bytes]:
    """Return JSON texts as strings and joined, with nulls for the text `null`.

    Raises:
        ValueError: One is not JSON, has a line break or white space around it, or no column.
    """
    if not is_json(values.type):
        raise ValueError("another type")
    texts = values.storage.cast(pa.string())
    filled = pc.fill_null(texts, "null")
    joined = _joined(filled, "\n")
    # If the items of the list are the texts, each of them is JSON by itself.
    items = _raws.decode("[" + _joined(filled, ",").decode() + "]")
    if len(items) != len(texts) or b"\n".join(items) != joined:
        raise ValueError("not one value in each text")
    if joined.count(b"\n") >= max(1, len(texts)) or b"\r" in joined:
        raise ValueError("a line break")
    return pc.if_else(pc.equal(filled, "null"), pa.scalar(None, pa.string()), texts), joined


def _joined(texts: pa.Array, separator: str) -> bytes:
    one_list = pa.LargeListArray.from_arrays([0, len(texts)], texts)
    joined: str = pc.binary_join(one_list, separator)[0].as_py()
    return joined.encode()
