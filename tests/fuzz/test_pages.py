"""For any body, both ways to read a page agree with each other and with Python's json."""

from __future__ import annotations

import re
from decimal import Decimal
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
    objects,
    parsed,
    texts,
)
from hypothesis import example, given
from hypothesis import strategies as st

from tap_chat.http import responses
from tap_chat.platforms.dixa import arrays
from tap_chat.singer.records import Conformer
from tap_chat.streams.fields import (
    any_value,
    integer,
    json_array,
    json_object,
    number,
    record_schema,
    text,
    timestamp,
)
from tap_chat.streams.raw_records import RawRecordReader

SCHEMA = record_schema(
    ("id",),
    id=text(""),
    time=timestamp(""),
    number=number(""),
    integer=integer(""),
    thing=json_object(""),
    list=json_array(""),
    any=any_value(""),
)
READER = RawRecordReader(SCHEMA, ("id",), replication_key="time", path="data")
BOM = b"\xef\xbb\xbf"
#: More digits, or a larger exponent, than Python accepts.
HUGE = re.compile(rb"[0-9]{20}")

NAMES = st.sampled_from([f'"{name}"' for name in SCHEMA["properties"]] + ['"\\u0069d"'])
ARRAYS = st.builds(joined, st.just("[]"), st.lists(texts(2), max_size=3), SPACES)
FITTING = {
    "time": STRINGS | st.just("null"),
    "number": NUMBERS,
    "integer": st.integers().map(str),
    "thing": objects(STRINGS, texts(3)),
    "list": ARRAYS,
    "any": texts(3),
}
MEMBERS = st.one_of(
    [st.builds('"{}"{}:{}'.format, st.just(name), SPACES, text) for name, text in FITTING.items()]
)
KEYED = st.builds(
    lambda key, members, space: joined("{}", [f'"id":{key}', *members], space),
    STRINGS,
    st.lists(MEMBERS, max_size=3),
    SPACES,
)
ROWS = st.builds(
    joined,
    st.just("[]"),
    st.lists(KEYED, max_size=3)
    | st.lists(KEYED | objects(NAMES | STRINGS, texts(3)) | texts(2), max_size=3),
    SPACES,
)
BODIES = (
    st.builds('{{"data":{},"next":{}}}'.format, ROWS, texts(2))
    | st.builds('{{"data":{},"data":{}}}'.format, ROWS, ROWS)
    | ROWS
    | texts()
).map(lambda text: text.encode(errors="surrogatepass"))


def plain(value: Any) -> Any:
    """Return a decoded value with its numbers as `parsed` can be compared with them."""
    match value:
        case bool() | None:
            return value
        case int():
            return ("int", value)
        case Decimal():
            return ("fraction", value.as_tuple())
        case list():
            return [plain(item) for item in value]
        case dict():
            return {name: plain(item) for name, item in value.items()}
    return value


def exact(text: str) -> tuple[str, Any]:
    """Return a number as `plain` does. Raise OverflowError if Python can't represent it."""
    try:
        whole = not set(text) & set(".eE")
        return ("int", int(text)) if whole else ("fraction", Decimal(text).as_tuple())
    except (ValueError, ArithmeticError):
        raise OverflowError from None


@examples(400)
@given(mutated(BODIES) | st.lists(NOISE, max_size=4).map(b"".join) | st.binary(max_size=20))
@example(b"9" * 5000)
@example(b'["\\ud83d", ' + b"9" * 5000 + b"]")
@example('{"data": []}'.encode("utf-16"))
@example("[1]".encode("utf-16-le"))
@example(b'["\\ud83d", "\xed\xa0\xbd"]')
@example(BOM + b"[1]")
@example(b"[NaN]")
@example(b'{"a": 1, "a": 1e400}')
def test_body_is_decoded_as_python_does_or_refused(body: bytes) -> None:
    try:
        truth = parsed(body.removeprefix(BOM), exact)
    except NoJSONError:
        refusals: tuple[type[Exception], ...] = (ValueError,)
    except OverflowError:
        refusals = (responses.UnreadableError,)
    else:
        assert plain(responses.decode(body)) == truth
        return
    if HUGE.search(body):
        # Either error may come first.
        refusals = (ValueError, responses.UnreadableError)
    with pytest.raises(refusals):
        responses.decode(body)


@examples(300)
@given(mutated(BODIES))
@example(b'{"data":[{"id":"1","any":' + b"9" * 5000 + b"}]}")
@example(b'{"data":[{"id":"1","integer":' + b"9" * 5000 + b"}]}")
@example(b'{"data":[{"id":"1","thing":{"a":"\xed\xa0\xbd"}}]}')
@example(b'{"data":[{"id":"1","id":"2"}],"data":[{"id":"3"}]}')
@example(b'{"data":[{"id":"1","any":NaN}]}')
@example(b'{"data":[{"id":"1"}]}\x00')
@example(BOM + b'[{"id":"1"}]')
@example('[{"id":"1"}]'.encode("utf-16-le"))
def test_raw_page_is_what_python_reads(body: bytes) -> None:
    """`responses.decode` refuses a body only for numbers, which a raw line may have."""
    page = READER.read(body)
    if page is None:
        return
    whole = parsed(body)
    rows = whole["data"] if isinstance(whole, dict) else whole
    declared = [
        {name: value for name, value in row.items() if name in SCHEMA["properties"]} for row in rows
    ]
    assert [parsed(bytes(text)) for text in page.records] == declared
    assert page.keys == [(row["id"],) for row in rows]
    assert page.chunk.bookmark_values == [row.get("time") for row in rows]
    try:
        decoded = responses.decode(body)
    except responses.UnreadableError:
        return
    conform = Conformer(SCHEMA, ("id",), lambda _: None).conform
    assert plain(decoded) == parsed(body, exact)
    found = decoded["data"] if isinstance(decoded, dict) else decoded
    assert [conform(row) for row in found] == [None] * len(rows)


@examples(200)
@given(
    mutated(
        st.builds(
            lambda rows: f"[{','.join(rows)}]".encode(errors="surrogatepass"),
            st.lists(KEYED, min_size=1, max_size=12),
        )
    ),
    st.integers(1, 200),
    st.integers(1, 60),
)
@example(BOM + b'[{"id":"1"},{"id":"2"}]', 10, 5)
@example(b'[{"id":"1"},{"id":"2"},{"id":"3"}]]', 13, 3)
@example(b'[{"id":"1"},{"id":"2"},{"id":"3"},]', 13, 3)
def test_array_in_parts_is_what_python_reads_or_refused(body: bytes, size: int, chunk: int) -> None:
    chunks = (body[at : at + chunk] for at in range(size, len(body), chunk))
    found: list[Any] = []
    try:
        for part in arrays.parts(bytearray(body[:size]), chunks):
            items = [parsed(bytes(text)) for text in part.texts]
            assert parsed(bytes(part.body)) == items
            found += items
    except NoJSONError:
        raise
    except (ValueError, arrays.NoArrayError):
        return
    assert parsed(body) == found


@pytest.mark.parametrize("depth", [100, 900, 1_000, 5_000, 100_000])
@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'["\\ud83d",'])
def test_depth_is_always_the_same_error(depth: int, opening: bytes) -> None:
    closing = b"}" if opening[:1] == b"{" else b"]"
    deep = opening * depth + b"1" + closing * depth
    for body in (deep, b'{"data":[{"id":"1","any":' + deep + b"}]}"):
        page = READER.read(body)
        try:
            responses.decode(body)
        except responses.UnreadableError:
            assert depth >= 900
        else:
            # Python 3.13 reads a page that is nested 5,000 times.
            assert depth < 100_000
        assert page is None or page.keys == [("1",)]
