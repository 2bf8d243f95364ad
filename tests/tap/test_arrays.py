"""A large array is read in parts that hold every item once, at any chunk boundaries."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_chat.platforms.dixa import arrays

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Texts that look like the end of one item and the beginning of the next.
TRAPS = st.sampled_from(['},{"id":1', '"},{"id":"', "\\", '\\"},{"id":', "é", "[{"])
NESTED = st.recursive(
    st.none() | st.integers() | st.text() | TRAPS,
    lambda inner: st.lists(inner | st.fixed_dictionaries({"id": inner}), max_size=4),
    max_leaves=8,
)
ITEMS = st.lists(st.fixed_dictionaries({"id": NESTED, "x": NESTED}), min_size=1, max_size=30)
SEPARATORS = st.sampled_from([(",", ":"), (", ", ": "), (" ,\n", " : ")])


def cut(body: bytes, size: int, chunk: int) -> tuple[bytearray, Iterator[bytes]]:
    places = range(size, len(body), chunk)
    return bytearray(body[:size]), (body[place : place + chunk] for place in places)


def read(body: bytes, size: int, chunk: int) -> list[Any]:
    found: list[Any] = []
    held = longest = 0
    for part in arrays.parts(*cut(body, size, chunk)):
        items = [json.loads(bytes(text)) for text in part.texts]
        assert json.loads(part.body) == items
        held = max(held, len(part.body))
        longest = max(longest, *(len(bytes(text)) for text in part.texts))
        found += items
    # No more is held than was at the beginning, a chunk, and an item with what separates it.
    assert held <= size + chunk + longest + len(',\n {"id" : ')
    return found


@given(ITEMS, SEPARATORS, st.booleans(), st.integers(1), st.integers(1, 500))
def test_every_item_comes_once(
    items: list[Any], separators: Any, ascii_only: Any, size: int, chunk: int
) -> None:
    body = json.dumps(items, separators=separators, ensure_ascii=ascii_only).encode()
    size = size % len(body) + 1
    try:
        assert read(body, size, chunk) == items
    except arrays.NoArrayError:
        # There was no whole item in what may be held, or it was too well hidden.
        assert size < 20 * max(len(json.dumps(item)) for item in items)


@given(ITEMS, st.integers(0), st.binary(min_size=1, max_size=2), st.integers(1, 500))
def test_broken_array_is_never_taken_as_complete(
    items: list[Any], place: int, noise: bytes, chunk: int
) -> None:
    body = json.dumps(items, separators=(",", ":")).encode()
    place = place % (len(body) - 1) + 1
    for broken in (body[:place], body + noise.replace(b" ", b"x").strip() + b"]"):
        with pytest.raises((ValueError, arrays.NoArrayError)):
            read(broken, min(len(broken), 200), chunk)


def test_long_array_is_read_in_parts_of_similar_size() -> None:
    items = [
        {"id": number, "tags": [{"id": "a"}, {"id": "b"}], "text": '"},{"id":' * (number % 7)}
        for number in range(5000)
    ]
    body = json.dumps(items, separators=(",", ":")).encode()
    found = list(arrays.parts(*cut(body, 20_000, 1000)))
    assert [json.loads(bytes(text)) for part in found for text in part.texts] == items
    assert len(found) > len(body) / 25_000
    assert max(len(part.body) for part in found) <= 21_000


@pytest.mark.parametrize("body", [b'{"data": [{"id": 1}, {"id": 2}]}', b"[1, 2, 3, 4, 5]", b"[[]]"])
def test_only_an_array_of_objects_is_read_in_parts(body: bytes) -> None:
    with pytest.raises(arrays.NoArrayError):
        read(body, 10, 3)


def test_text_that_is_not_utf_8_is_an_error() -> None:
    body = b'[{"id": 1}, {"id": 2}, {"id": "\xff"}, {"id": 3}, {"id": 4}]'
    with pytest.raises(ValueError, match=r"."):
        read(body, 30, 5)
    with pytest.raises(ValueError, match=r"."):
        arrays.whole(body)
