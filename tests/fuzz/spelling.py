"""Unusual spellings of JSON, bytes that are almost JSON, and the values that Python reads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

#: Numbers that a float, an integer of 64 bits, or a Decimal would change.
HARD = (
    "0 -0 -0.0 1e400 -1E+2 1e-400 0.1 12345678901234567.89 5.0 1E2 0e1 1.0e0 1e99999999999999999999"
)
BOUNDS = (2**53 + 1, 2**63, -(2**63), -(2**63) - 1, 2**64, 10**30)
#: More digits than Python converts to an integer.
LONG = 5000
NUMBERS = (
    st.sampled_from([*HARD.split(), *map(str, BOUNDS)])
    | st.sampled_from([60, LONG]).map(lambda digits: "9" * digits)
    | st.integers().map(str)
    | st.floats(allow_nan=False, allow_infinity=False).map(str)
)
#: Parts of texts: all kinds of escapes, and characters of structure.
PIECES = (
    r"\ud83d \ude00 \ud83d\ude00 \u0000 \" \\ \/ \n \u0041 \ufdd0 \uFDD0d83d \\ud83d a b id record"
    " é 🚚 \x7f \ufdd0 \ufeff { } [ ,"
)
STRINGS = st.lists(st.sampled_from(PIECES.split(" ")), max_size=4).map(
    lambda parts: f'"{"".join(parts)}"'
)
SPACES = st.sampled_from(["", "", "", "", " ", "\t", "  "])
#: Bytes that are not JSON, have more than JSON, or are not UTF-8.
UNUSUAL = (
    r"NaN -Infinity 1 , : { } [ ] null 01 +1 .5 1. e5 // ' tru \\ \" \x00 \x1f \n \r\n \xff \xe9"
)
BROKEN = (b"\xed\xa0\xbd", b"\xc0\xaf", b"\xf4\x90\x80\x80", b"\xef\xbb\xbf")
NOISE = st.sampled_from(
    [
        *(word.encode().decode("unicode-escape").encode("latin-1") for word in UNUSUAL.split()),
        *BROKEN,
    ]
)


@dataclass(frozen=True, slots=True)
class Number:
    """A number as a text, which no conversion changes."""

    text: str


class NoJSONError(ValueError):
    """A text is not valid JSON by the strictest reading."""


def joined(brackets: str, parts: list[str], space: str) -> str:
    """Return parts between brackets, with commas and spaces."""
    inner = f"{space},{space}".join(parts)
    return f"{brackets[0]}{space}{inner}{space}{brackets[1]}"


def texts(most: int = 8) -> st.SearchStrategy[str]:
    """Return JSON texts of any value."""
    return st.recursive(
        NUMBERS | STRINGS | st.sampled_from(["null", "true", "false", "{}", "[]"]),
        lambda inner: (
            st.builds(joined, st.just("[]"), st.lists(inner, max_size=4), SPACES)
            | objects(STRINGS, inner)
        ),
        max_leaves=most,
    )


def objects(names: st.SearchStrategy[str], values: st.SearchStrategy[str]) -> Any:
    """Return JSON texts of objects, with repeated names."""
    members = st.builds("{}{}:{}{}".format, names, SPACES, SPACES, values)
    return st.builds(joined, st.just("{}"), st.lists(members, max_size=4), SPACES)


@st.composite
def mutated(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Draw bytes with some cut, flipped, inserted, or repeated."""
    text = draw(whole)
    for _ in range(draw(st.integers(0, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 6)))
        part = text[start:end]
        match draw(st.sampled_from(["cut", "flip", "put", "twice", "end"])):
            case "cut":
                text = text[:start] + text[end:]
            case "flip" if part:
                text = (
                    text[:start]
                    + bytes([part[0] ^ (1 << draw(st.integers(0, 7)))])
                    + text[start + 1 :]
                )
            case "put":
                text = text[:start] + draw(NOISE) + text[start:]
            case "twice":
                text = text[:end] + part + text[end:]
            case "end":
                text = text[:start]
    return text


def _refused(name: str) -> NoReturn:
    raise NoJSONError(name)


def parsed(text: bytes | str, number: Callable[[str], Any] = Number) -> Any:
    """Return the value of a JSON text, by the standard library.

    Args:
        text: The text.
        number: Converts a number; by default, it stays a text.

    Raises:
        NoJSONError: The text is not valid JSON in UTF-8.
    """
    decoder = json.JSONDecoder(parse_int=number, parse_float=number, parse_constant=_refused)
    try:
        return decoder.decode(text if isinstance(text, str) else text.decode())
    except ValueError as error:
        raise NoJSONError(str(error)) from None
