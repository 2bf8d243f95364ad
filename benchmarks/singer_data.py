"""Generate Singer output from a seed: large chat messages with every kind of value.

All numbers are known in advance, so the content of a table can be checked exactly.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

STREAM = "messages"
KEYS = ("id",)
#: The integers are beyond 2^53, so a double can't hold them.
FIRST_SEQ = 2**53 + 1
#: Digits after the decimal point. With those before it, they are more than a double has.
SCALE = 9

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "conversation_id": {"type": ["string", "null"]},
        "created_at": {"type": ["string", "null"], "format": "date-time"},
        "updated_at": {"type": ["string", "null"], "format": "date-time"},
        "seq": {"type": ["integer", "null"]},
        "score": {"type": ["number", "null"], "multipleOf": 1e-9},
        "text": {"type": ["string", "null"]},
        "author": {
            "type": ["object", "null"],
            "properties": {
                "id": {"type": "string"},
                "name": {"type": "string"},
                "rating": {"type": "number"},
            },
        },
        "tags": {"type": ["array", "null"], "items": {"type": "string"}},
        "is_read": {"type": ["boolean", "null"]},
        "is_bot": {"type": ["boolean", "null"]},
        "parent_id": {"type": ["string", "null"]},
    },
}

_TEXTS = (
    "Gr\u00fc\u00dfe aus K\u00f6ln \U0001f44b \u2013 die Bestellung ist noch nicht da",
    "\u3053\u3093\u306b\u3061\u306f\u3001\u6ce8\u6587\u306e\u72b6\u6cc1\u3092\u6559\u3048\u3066",
    'He said \\"call me back\\", and then the line\\nwas gone for good, so I write',
    "Where is my parcel? It should have been here on Monday, says the shop page",
)
_OFFSETS = ("Z", "+05:30", "-07:00", "+02:00")
_TAGS = ('["urgent","billing"]', "[]", '["vip"]', '["refund","de","\\u00fcber"]', "null")


@dataclass(frozen=True, slots=True)
class Expected:
    """The content of a table with all records.

    Attributes:
        count: The number of rows.
        score: The sum of the decimals.
        seq: The greatest integer.
    """

    count: int
    score: Decimal
    seq: int


def catalog(streams: Iterable[str]) -> dict[str, Any]:
    """Return the catalog of a tap with these streams and the keys of the SCHEMA lines."""
    return {
        "streams": [
            {
                "tap_stream_id": stream,
                "stream": stream,
                "schema": SCHEMA,
                "replication_method": "INCREMENTAL",
                "replication_key": "updated_at",
                "metadata": [],
            }
            for stream in streams
        ]
    }


def schema_line(stream: str = STREAM, *, keys: Iterable[str] = KEYS) -> str:
    """Return the SCHEMA of a stream. Without a key, its rows are appended."""
    return _line({"type": "SCHEMA", "stream": stream, "schema": SCHEMA, "key_properties": [*keys]})


def state_line(stream: str, number: int) -> str:
    """Return the STATE after a number of records."""
    bookmark = {"replication_key": "updated_at", "replication_key_value": f"bookmark {number}"}
    return _line({"type": "STATE", "value": {"bookmarks": {stream: bookmark}}})


def record_lines(count: int, stream: str = STREAM, seed: int = 1) -> Iterator[str]:
    """Yield RECORD lines of about 500 bytes, with rising keys."""
    chosen = random.Random(seed)  # noqa: S311 - made-up data
    digits = [f"{chosen.randrange(10**SCALE):0{SCALE}d}" for _ in range(1009)]
    for number in range(count):
        fraction = digits[number % len(digits)]
        day, second = number // 86_400 % 28 + 1, number % 86_400
        clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
        at = f"2025-{number % 12 + 1:02d}-{day:02d}T{clock}.{fraction[:6]}"
        reply = "null" if number % 3 else f'"msg-{number // 2:012d}"'
        yield (
            f'{{"type":"RECORD","stream":"{stream}","record":{{"id":"msg-{number:012d}",'
            f'"conversation_id":"conv-{number // 7:010d}",'
            f'"created_at":"{at}{_OFFSETS[number % 2]}",'
            f'"updated_at":"{at}{_OFFSETS[2 + number % 2]}",'
            f'"seq":{FIRST_SEQ + number},"score":{_whole(number)}.{fraction},'
            f'"text":"{_TEXTS[number % 4]} ({number})",'
            f'"author":{{"id":"agent-{number % 97:04d}","name":"Zo\\u00eb {number % 97}",'
            f'"rating":{number % 50}.10}},'
            f'"tags":{_TAGS[number % 5]},"is_read":{"true" if number % 2 else "false"},'
            f'"is_bot":{("null", "true", "false")[number % 3]},"parent_id":{reply}}},'
            f'"time_extracted":"2025-12-01T10:00:00.{fraction[:6]}+00:00"}}\n'
        )


def expected(count: int, seed: int = 1) -> Expected:
    """Return the content of a table with `record_lines(count, seed=seed)`."""
    chosen = random.Random(seed)  # noqa: S311 - made-up data
    fractions = [chosen.randrange(10**SCALE) for _ in range(1009)]
    billionths = sum(
        _whole(number) * 10**SCALE + fractions[number % len(fractions)] for number in range(count)
    )
    return Expected(count, Decimal(billionths).scaleb(-SCALE), FIRST_SEQ + count - 1)


def write_one_stream(
    path: Path,
    count: int,
    *,
    state_every: int = 10_000,
    keys: Iterable[str] = KEYS,
    seed: int = 1,
) -> None:
    """Write a file with one stream, as a tap writes it."""
    with path.open("w", encoding="utf-8") as file:
        file.write(schema_line(keys=keys))
        for number, line in enumerate(record_lines(count, seed=seed), start=1):
            file.write(line)
            if number % state_every == 0:
                file.write(state_line(STREAM, number))
        file.write(state_line(STREAM, count))


def write_repeating(path: Path, count: int) -> None:
    """Write a file with one stream, and a STATE and a SCHEMA before each record."""
    with path.open("w", encoding="utf-8") as file:
        for number, line in enumerate(record_lines(count)):
            file.writelines((state_line(STREAM, number), schema_line(), line))
        file.write(state_line(STREAM, count))


def write_streams(path: Path, streams: list[str], count: int, *, interleaved: bool) -> None:
    """Write a file with many streams.

    Args:
        path: The file.
        streams: The names of the streams.
        count: The number of records per stream.
        interleaved: Whether the streams alternate at every record.
    """
    with path.open("w", encoding="utf-8") as file:
        if interleaved:
            file.writelines(map(schema_line, streams))
            for lines in zip(*(record_lines(count, stream) for stream in streams), strict=True):
                file.writelines(lines)
            file.write(state_line(streams[-1], count))
        else:
            for stream in streams:
                _write_stream(file, stream, count)


def _write_stream(file: IO[str], stream: str, count: int) -> None:
    file.write(schema_line(stream))
    file.writelines(record_lines(count, stream))
    file.write(state_line(stream, count))


def _whole(number: int) -> int:
    return 10_000_000_000 + number * 7919


def _line(message: dict[str, Any]) -> str:
    return json.dumps(message, separators=(",", ":")) + "\n"
