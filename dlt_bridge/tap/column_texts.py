"""The values of Arrow columns as the JSON texts that a tap would write them as.

Numbers keep all their digits. A number that is not finite becomes `NaN` or `Infinity`, as Python
writes it.
"""

from __future__ import annotations

import re
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Raw

from dlt_bridge.tap.placeholders import add_placeholders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

NULL = b"null"

_encode = msgspec.json.Encoder(decimal_format="number").encode
_raw = msgspec.json.Decoder(Raw)
# A line break in a JSON text is white space: in a string it is escaped.
_LINE_BREAKS = re.compile(rb"[\r\n]")


class UnfitColumnError(Exception):
    """A column can't be read. The message is the end of a sentence about its file."""


def record_texts(rows: pa.RecordBatch) -> Iterator[bytes]:
    """Yield the JSON text of each row, in one line.

    Raises:
        UnfitColumnError: A column has a type that JSON has no form for, or is not valid.
    """
    names = [_encode(name) + b":" for name in rows.schema.names]
    columns = [
        column_texts(column, name)
        for column, name in zip(rows.columns, rows.schema.names, strict=True)
    ]
    yield from _objects(names, columns, rows.num_rows)


def column_texts(column: pa.Array, name: str) -> list[bytes]:
    """Return the JSON text of each value of a column, each in one line.

    Args:
        column: The column.
        name: Its name, for errors.

    Raises:
        UnfitColumnError: It has a type that JSON has no form for, or is not valid.
    """
    try:
        return _texts(column)
    except _InvalidJsonError:
        problem = "is not JSON"
    except (pa.ArrowException, TypeError, ValueError, OverflowError, LookupError):
        # A LookupError: there is no such time zone.
        problem = "can't be read"
    raise UnfitColumnError(f"has a column `{name}` that {problem}")


class _InvalidJsonError(Exception):
    """A value of a JSON column is not JSON."""


def is_json(column_type: pa.DataType) -> bool:
    """Return whether the values of a type are JSON texts."""
    return isinstance(column_type, pa.JsonType)


def plain(array: pa.Array) -> pa.Array:
    """Return an array with the same values, in the plainest of the types that can hold them."""
    if pa.types.is_dictionary(array.type):
        return plain(array.dictionary_decode())
    if pa.types.is_run_end_encoded(array.type):
        return plain(pc.run_end_decode(array))
    if _is_other_extension(array.type):
        return plain(array.storage)
    if pa.types.is_large_string(array.type) or pa.types.is_string_view(array.type):
        return array.cast(pa.string())
    return array


def _texts(array: pa.Array) -> list[bytes]:
    array = plain(array)
    for belongs, texts in _KINDS:
        if belongs(array.type):
            return texts(array)
    return [_encode(value) for value in array.to_pylist()]


def _of_json(array: pa.Array) -> list[bytes]:
    texts = [NULL if text is None else text.encode() for text in array.storage.to_pylist()]
    if not all(map(_is_valid, texts)):
        raise _InvalidJsonError
    return [_LINE_BREAKS.sub(b" ", text).strip() for text in texts]


def _is_valid(text: bytes) -> bool:
    try:
        _raw.decode(text)
    except (ValueError, RecursionError):
        replaced = add_placeholders(text)
        return replaced is not None and _is_valid(replaced.text)
    return True


def _of_floats(array: pa.Array) -> list[bytes]:
    words = {"nan": b"NaN", "inf": b"Infinity", "-inf": b"-Infinity"}
    texts = [NULL if number is None else repr(number) for number in array.to_pylist()]
    return [words.get(text) or text.encode() if isinstance(text, str) else text for text in texts]


def _of_timestamps(array: pa.Array) -> list[bytes]:
    if array.type.unit != "ns":
        return [_encode(value) for value in array.to_pylist()]
    # Python has no nanoseconds.
    form = "%Y-%m-%dT%H:%M:%S" + ("Z" if array.type.tz else "")
    utc = array.cast(pa.timestamp("ns", "UTC")) if array.type.tz else array
    return [_encode(value) for value in pc.strftime(utc, form).to_pylist()]


def _of_times(array: pa.Array) -> list[bytes]:
    return [_encode(value) for value in array.cast(pa.string()).to_pylist()]


def _of_structs(array: pa.Array) -> list[bytes]:
    names = [_encode(field.name) + b":" for field in array.type]
    objects = _objects(names, list(map(_texts, array.flatten())), len(array))
    return _with_nulls(array, list(objects))


def _of_lists(array: pa.Array) -> list[bytes]:
    return _lists(array, _texts(array.flatten()))


def _of_maps(array: pa.Array) -> list[bytes]:
    entries = pa.struct([("key", array.type.key_type), ("value", array.type.item_type)])
    lists = array.cast(pa.list_(entries))
    keys, values = map(_texts, lists.flatten().flatten())
    return _lists(lists, [b"[%b,%b]" % pair for pair in zip(keys, values, strict=True)])


def _lists(array: pa.Array, items: Sequence[bytes]) -> list[bytes]:
    """Return the lists of an array, whose items are all there."""
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_pylist()
    ends = accumulate(lengths, initial=0)
    texts = [b"[" + b",".join(items[start:end]) + b"]" for start, end in pairwise(ends)]
    return _with_nulls(array, texts)


def _objects(
    names: Sequence[bytes], columns: Sequence[Sequence[bytes]], count: int
) -> Iterator[bytes]:
    """Yield an object for each row of columns."""
    members = [[name + text for text in texts] for name, texts in zip(names, columns, strict=True)]
    rows = zip(*members, strict=True) if members else [()] * count
    for row in rows:
        yield b"{" + b",".join(row) + b"}"


def _with_nulls(array: pa.Array, texts: list[bytes]) -> list[bytes]:
    valid = array.is_valid().to_pylist()
    return [text if is_valid else NULL for text, is_valid in zip(texts, valid, strict=True)]


def _is_list(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(
        types.is_list(kind)
        or types.is_large_list(kind)
        or types.is_fixed_size_list(kind)
        or types.is_list_view(kind)
        or types.is_large_list_view(kind)
    )


def _is_other_extension(kind: pa.DataType) -> bool:
    known = (pa.JsonType, pa.UuidType)
    return isinstance(kind, pa.BaseExtensionType) and not isinstance(kind, known)


_KINDS: list[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array], list[bytes]]]] = [
    (is_json, _of_json),
    (pa.types.is_floating, _of_floats),
    (pa.types.is_timestamp, _of_timestamps),
    (pa.types.is_time, _of_times),
    (pa.types.is_struct, _of_structs),
    (_is_list, _of_lists),
    (pa.types.is_map, _of_maps),
]
