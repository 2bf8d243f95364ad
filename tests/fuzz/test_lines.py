"""Any line is read as Python reads it, or an error names it without its content."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
from fuzz.effort import examples
from fuzz.spelling import (
    NOISE,
    NUMBERS,
    SPACES,
    STRINGS,
    NoJSONError,
    joined,
    mutated,
    parsed,
    texts,
)
from hypothesis import example, given
from hypothesis import strategies as st

from dlt_bridge import MessageError
from dlt_bridge.arrow.columns import columns
from dlt_bridge.arrow.decoder import RecordDecoder
from dlt_bridge.arrow.metadata_columns import SEQUENCE
from dlt_bridge.arrow.record_schema import RecordSchema
from dlt_bridge.tap.line_blocks import line_blocks
from dlt_bridge.tap.messages import Record, State, decode_message, record_prefix, state_value
from dlt_bridge.tap.record_prefixes import RecordPrefixes

#: Texts of people.
SECRET = "hunter2"
MESSAGE_TYPES = [
    "RECORD",
    "RECORD",
    "RECORD",
    "STATE",
    "SCHEMA",
    "ACTIVATE_VERSION",
    "BATCH",
    "LOG",
]
PROPERTIES = {
    "id": {"type": "integer"},
    "text": {"type": ["null", "string"]},
    "any": {},
    "list": {"type": "array"},
}
# Created once, because creating them takes longer than drawing from them.
SMALL, LARGER = texts(2), texts(3)
WORDS = STRINGS | st.just(f'"{SECRET}"')
RECORDS = st.builds(
    lambda number, members, space: joined("{}", [f'"id":{number}', *members], space),
    st.integers(0, 9) | NUMBERS,
    st.lists(
        st.one_of(
            [
                st.builds('"{}"{}:{}'.format, st.just(name), SPACES, values)
                for name, values in {
                    "text": WORDS,
                    "any": LARGER,
                    "list": LARGER,
                    "new": SMALL,
                }.items()
            ]
        ),
        max_size=3,
    ),
    SPACES,
)


STREAMS = st.just('"a"') | WORDS
VERSIONS = st.integers(0, 3).map(str) | SMALL
ANY_RECORDS = RECORDS | SMALL
ENDS = st.sampled_from([b"", b"", b"\r", b" "])


@st.composite
def envelopes(draw: st.DrawFn, kinds: list[str] = MESSAGE_TYPES) -> bytes:
    """Draw a message with its parts in any order, and unknown parts."""
    parts = {
        '"type"': json.dumps(draw(st.sampled_from(kinds))),
        '"stream"': draw(STREAMS),
        '"record"': draw(ANY_RECORDS),
        '"value"': draw(LARGER),
        '"schema"': json.dumps({"properties": PROPERTIES}),
        '"version"': draw(VERSIONS),
        '"time_extracted"': '"2026-01-01T00:00:00Z"',
        '"x"': draw(SMALL),
    }
    names = draw(st.permutations(sorted(parts)))
    kept = [
        name for name in names if name in {'"type"', '"stream"', '"record"'} or draw(st.booleans())
    ]
    line = joined("{}", [f"{name}:{parts[name]}" for name in kept], draw(SPACES))
    return line.encode(errors="surrogatepass") + draw(ENDS)


def refused(error: MessageError, number: int, line: bytes = b"") -> None:
    said = str(error)
    assert re.search(rf"\b[Ll]ine {number}\b", said), said
    assert SECRET not in said
    # Except for a type that looks like one of a message.
    long = [part for part in re.findall(rb"[^\W_]{12,}", line) if not part.isupper()]
    assert not [part for part in long if part.decode(errors="replace") in said]


@examples(300)
@given(mutated(envelopes()) | st.lists(NOISE, max_size=4).map(b"".join) | st.binary(max_size=30))
@example(b'{"type":"hunter2","stream":"a"}')
@example(b'{"type":"hunter2","stream":"a"} \xff')
@example(b'{"type":"RECORD","stream":"\\ud83d","record":' + b"[" * 100_000)
@example(b'{"type":"SCHEMA","stream":"a","schema":' + b'{"a":' * 100_000)
def test_line_is_a_message_or_an_error_with_its_number(line: bytes) -> None:
    try:
        message = decode_message(line, 7)
    except MessageError as error:
        refused(error, 7, line)
        return
    try:
        whole = parsed(line)
    except NoJSONError:
        # Invalid UTF-8 in a part that is not decoded yet, or a text that is cut between two halves.
        with pytest.raises(UnicodeDecodeError):
            line.decode()
        return
    kinds = {"ActivateVersion": "ACTIVATE_VERSION"}
    assert whole["type"] == kinds.get(type(message).__name__, type(message).__name__.upper())
    match message:
        case Record() if "\\ud" not in line.decode():
            assert (message.stream, parsed(bytes(message.record))) == (
                whole["stream"],
                whole["record"],
            )
        case State():
            assert parsed(bytes(message.value)) == whole["value"]


@examples(100)
@given(texts(4) | st.builds('{{"bookmarks":{}}}'.format, LARGER))
@example('{"a":' + "9" * 5000 + "}")
@example('{"a":' * 5000 + "1" + "}" * 5000)
@example('"\\ud83d"')
def test_state_is_what_python_reads_or_an_error_with_its_number(value: str) -> None:
    line = f'{{"type":"STATE","value":{value}}}'.encode(errors="surrogatepass")
    try:
        found = state_value(line, 7)
    except MessageError as error:
        refused(error, 7)
    else:
        assert found == json.loads(value)


@examples(200)
@given(st.lists(mutated(envelopes(["RECORD"])), min_size=1, max_size=4), st.booleans())
@example([b'{"record":{"id":1,"any":' + b"[" * 100_000 + b"}}"], False)
@example([b'{"record":{"id":1,"text":1,"any":' + b"[" * 5_000 + b"]" * 5_000 + b"}}"], False)
@example([b'{"record":{"id":' + b"9" * 5_000 + b"}}"], False)
@example(
    [b'{"record":{"id":1,"text":"\\ud83d","any":' + b"[" * 5_000 + b"]" * 5_000 + b"}}"], False
)
def test_records_become_the_rows_that_python_reads_or_an_error(
    lines: list[bytes],
    keyed: bool,  # noqa: FBT001 - drawn
) -> None:
    lines = [line.replace(b"\n", b" ").replace(b"\x00", b" ") for line in lines]
    schema = {"properties": PROPERTIES}
    decoder = RecordDecoder(RecordSchema("a", columns(schema, ["id"] if keyed else [])))
    numbers = range(10, 10 + len(lines))
    try:
        table = decoder.table(b"\n".join(lines), [numbers], 0)
    except MessageError as error:
        [number] = map(int, re.findall(r"line (\d+)", str(error)))
        refused(error, number, lines[number - 10])
        return
    assert table[SEQUENCE].to_pylist() == list(range(len(lines)))
    for line, row in zip(lines, table.to_pylist(), strict=True):
        try:
            record = parsed(line)["record"]
        except NoJSONError:
            with pytest.raises(UnicodeDecodeError):
                line.decode()
            continue
        for name in PROPERTIES:
            places = {place: row.get(place) for place in row if place.partition("__v_")[0] == name}
            there = {place: value for place, value in places.items() if value is not None}
            # Once, or not at all without a value. tests/bridge/test_exact.py checks the values.
            assert len(there) == (record.get(name) is not None), (name, there)
        if row["any"] is not None:
            assert parsed(row["any"]) == record["any"]


class Chunks(io.RawIOBase):
    """A file that returns a fixed number of bytes per read."""

    def __init__(self, chunks: list[bytes]) -> None:
        self._chunks = iter(chunks)

    def read1(self, _: int = -1) -> bytes:
        return next(self._chunks, b"")


HEADS = [b'{"type":"RECORD","stream":"%b",' % name for name in (b"a", b"b")]
TAPPED = st.lists(
    st.builds(b'%b"record":{"id":1}}'.__mod__, st.sampled_from(HEADS))
    | st.sampled_from([b"", b" ", b"\r", b'{"type":"STATE","value":{}}', *HEADS])
    | mutated(envelopes(["RECORD"])).map(lambda line: line.replace(b"\n", b"")),
    max_size=20,
)


@examples(300)
@given(TAPPED, st.lists(st.integers(1, 200), max_size=20), st.booleans())
def test_borders_of_blocks_make_no_difference(
    lines: list[bytes],
    borders: list[int],
    ended: bool,  # noqa: FBT001 - drawn
) -> None:
    text = b"\n".join(lines) + (b"\n" if ended and lines else b"")
    chunks: list[bytes] = []
    rest = text
    for size in borders:
        chunks, rest = [*chunks, rest[:size]], rest[size:]
    file: Any = Chunks([chunk for chunk in (*chunks, rest) if chunk])
    heads: RecordPrefixes[str] = RecordPrefixes()
    found: list[tuple[int, bytes]] = []
    for number, count, piece in heads.split(line_blocks(file)):
        split = piece.split(b"\n")
        assert len(split) == count
        found += enumerate(split, start=number)
        heads.add(split[0], "a", "writer")
        if head := record_prefix(split[0], "a"):
            assert count == 1 or all(line.startswith(head) for line in split)
        heads.taker(piece)
    expected = text.removesuffix(b"\n").split(b"\n") if text else []
    assert [(number, line) for number, line in found if line] == [
        (number, line) for number, line in enumerate(expected, start=1) if line
    ]
