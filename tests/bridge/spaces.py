"""The space of schemas and records in which the bridge is compared with plain Python."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from bridge import exact
from hypothesis import strategies as st

Texts = st.SearchStrategy[str]

#: Digits before the point that a number of a decimal column has at most.
WIDEST = 27

WHOLE = [
    *("0", "1", "-1", "42", "9007199254740992", "9007199254740993", "-9007199254740993"),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775808", "-9223372036854775809"),
    *("18446744073709551615", "18446744073709551616", "36893488147419103232"),
    *("36893488147419103233", "9" * 38, "1" + "0" * 38, "-" + "9" * 38, "9" * 39, "1" + "0" * 400),
]
NO_NUMBERS = ["NaN", "Infinity", "-Infinity"]
FRACTIONS = [
    *("0.1", "-0.0", "0.0", "1E+2", "1e2", "12.0", "1.50", "12345678901234567.89", "0.123456000"),
    *("1e400", "-1e400", "1E400", "1e-400", "5e-324", "2e-324", "1.7976931348623157e308", "1e22"),
    *("1.7976931348623159e308", "0.1000000000000000055", "9007199254740993.0", "1e37", "1e38"),
    *("9223372036854775807.0", "9223372036854775808.0", "0." + "1" * 38, "0." + "1" * 39, "0e0"),
    *("2.2250738585072011e-308", "9.99", "100.00", "0.10", "1e999999", "1e-999999"),
    *("9" * 36 + ".99", "9" * 37 + ".9", "1" + "0" * 37 + ".0", "1.5e-7", "123456789.123456789"),
]
STRINGS = [
    *('""', '" "', r'"\u0000"', r'"a\u0000b"', r'"\ud800"', r'"a\uDFFFb"', r'"\udc00\ud800"'),
    *(r'"\ud83d\ude00"', r'"\uD83D\uDE00"', r'"\ud83d\ud83d\ude00"', r'"\\ud800"', r'"\\\ud800"'),
    *('"😀"', '"é"', r'"\u00e9"', '"null"', '"5"', '"1.50"', '"true"', r'"\/\b\f\n\r\t\"\\"'),
    *(
        '"1e400"',
        '"NaN"',
        r'"\ufdef"',
        r'"\ufffe"',
        '"\u2028"',
        '"\x7f"',
        '"{}"',
        r'"\ud83d\u0041"',
    ),
]
INSTANTS = [
    *(
        "2026-01-31T10:00:00Z",
        "2026-01-31T10:00:00+05:30",
        "2026-01-31T10:00:00",
        "9999-12-31T23:59:59.999999Z",
    ),
    *("2026-01-31t10:00:00.5z", "2026-01-31T10:00:00.123456789Z", "2026-01-31T10:00:00.123456000Z"),
    *(
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "1969-12-31T23:59:59.999999Z",
    ),
    *("9999-12-31T23:59:59-01:00", "2016-12-31T23:59:60Z", "2026-02-30T00:00:00Z", "2026-01-31"),
    *(
        "2026-01-31 10:00:00",
        "2026-01-31T10:00",
        "2026-01-31T10:00:00+0530",
        "2026-01-31T10:00:00,5Z",
    ),
    *("2026-01-31T24:00:00Z", "10000-01-01T00:00:00Z", "2026-01-31T10:00:00-00:00"),
    *(
        "2026-01-31T10:00:00.1234560000000000Z",
        "2026-01-31T10:00:00.0000001Z",
        "1582-10-10T00:00:00Z",
    ),
    *("2026-01-31T10:00:00 Z", "2026-01-31T10:00:00+24:00", "2026-01-31T10:00:00+05"),
    *(
        "1677-09-21T00:12:43Z",
        "2262-04-12T00:00:00Z",
        " 2026-01-31T10:00:00Z",
        "٢٠٢٦-01-31T10:00:00Z",
    ),
]
DATES = [
    *("2026-01-31", "0001-01-01", "0000-12-31", "9999-12-31", "1969-12-31", "2024-02-29"),
    *("2023-02-29", "2026-1-31", "2026-01-31T00:00:00", "10000-01-01", "-001-01-01"),
    *("1582-10-10", "2026-01-31 ", "2026-W05-6"),
]
TIMES = [
    *("10:00:00", "10:00:00.5", "23:59:59.999999", "00:00:00Z", "10:00:00z", "10:00:00+00:00"),
    *("10:00:00+02:00", "10:00:00.1234567", "10:00:00.123456000", "24:00:00", "23:59:60", "10:00"),
    *("10:00:00,5", "10:00:00-00:00", "25:00:00"),
]
BASE64 = ["", "AA==", "YQ==", "YR==", "YWI=", "YWJj", "a", "YWJj\n", "-_-_", "+/+/", "YQ", "é"]
NESTED = [
    *("{}", "[]", '{"a": 1.10}', '{"a":1,"a":2}', "[1e400]", r'["\u0000"]', r'{"\ud800": 1}'),
    *(r'["\ud83d\ude00"]', "[9223372036854775808, 0.10, 1E+2]", '{ "a" :\t[ ] }', "[null]"),
    *('{"a": NaN}', "[-Infinity , 1]", '["NaN", "Infinity", "\\"NaN"]', '{"NaN": Infinity}'),
    *("[" * 100 + "]" * 100, '{"a":' * 50 + "null" + "}" * 50, '{"": {"": ""}}', '[" , ", "}"]'),
]


def quoted(texts: list[str]) -> list[str]:
    return [json.dumps(text, ensure_ascii=False) for text in texts]


@st.composite
def instants(draw: st.DrawFn) -> str:
    moment = draw(st.datetimes())
    fraction = f".{moment.microsecond:06}" + draw(st.sampled_from(["", "", "000", "001"]))
    minutes = draw(st.integers(-1439, 1439))
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    offset = draw(st.sampled_from(["Z", "z", "", f"{sign}{hours:02}:{rest:02}"]))
    text = (
        f"{moment.year:04}{moment:-%m-%dT%H:%M:%S}{draw(st.sampled_from(['', fraction]))}{offset}"
    )
    return json.dumps(text)


# Digits alone may be a time of day.
_CLOCK = re.compile(r"\d\d+([.,]\d*)?\Z")
STRING_VALUES = st.text(max_size=8)
NUMBERS: Texts = st.one_of(
    st.sampled_from(WHOLE),
    st.sampled_from(FRACTIONS),
    st.sampled_from(NO_NUMBERS),
    st.integers().map(str),
    st.integers(-(2**66), 2**66).map(str),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.decimals(-(10**6), 10**6, places=2).map(str),
)
POOLS: dict[str, Texts] = {
    "whole": st.sampled_from(WHOLE) | st.integers(-(2**64), 2**64).map(str),
    "number": NUMBERS,
    "money": st.decimals(-(10**6), 10**6, places=2).map(str) | NUMBERS,
    "string": st.sampled_from(STRINGS)
    | STRING_VALUES.map(lambda text: json.dumps(text, ensure_ascii=False))
    | STRING_VALUES.map(json.dumps),
    "number_text": NUMBERS.filter(lambda text: not _CLOCK.match(text)).map(
        lambda text: f'"{text}"'
    ),
    "instant": st.sampled_from(quoted(INSTANTS)) | instants(),
    "date": st.sampled_from(quoted(DATES)) | st.dates().map(lambda day: f'"{day}"'),
    "time": st.sampled_from(quoted(TIMES)) | st.times().map(lambda time: f'"{time}"'),
    "base64": st.sampled_from(quoted(BASE64))
    | st.binary(max_size=9).map(lambda value: f'"{base64.b64encode(value).decode()}"'),
    "bool": st.sampled_from(["true", "false"]),
    "nested": st.sampled_from(NESTED),
}
ANYTHING: Texts = st.one_of(list(POOLS.values()))
POOLS["nested"] |= st.recursive(
    ANYTHING,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: f"[ {' , '.join(items)}]")
        | st.lists(st.tuples(POOLS["string"], inner), max_size=3).map(
            lambda pairs: "{" + ",".join(f"{name} : {text}" for name, text in pairs) + "}"
        )
    ),
    max_leaves=5,
).filter(lambda text: text[0] in "[{")
POOLS["anything"] = ANYTHING = ANYTHING | POOLS["nested"]

#: JSON Schemas, and where most of their values are from.
PARTS: list[tuple[dict[str, Any], str]] = [
    ({"type": "integer"}, "whole"),
    ({"type": ["integer", "null"]}, "whole"),
    ({"type": "integer", "maximum": 2**63 - 1}, "whole"),
    ({"type": "integer", "maximum": 2**63}, "whole"),
    ({"type": ["null", "integer"], "minimum": -(2**70)}, "whole"),
    ({"type": "number"}, "number"),
    ({"type": ["integer", "number"]}, "number"),
    ({"type": ["number", "null"], "multipleOf": 0.01}, "money"),
    ({"type": "number", "multipleOf": 1e-10}, "money"),
    ({"type": "number", "multipleOf": 5}, "whole"),
    ({"type": "number", "multipleOf": 1e-50}, "number"),
    ({"type": "number", "multipleOf": 1e-38, "maximum": 1e62, "minimum": -1e62}, "money"),
    ({"type": "number", "multipleOf": 1e-30, "maximum": 1e7}, "number"),
    ({"type": "string", "format": "singer.decimal", "precision": 10, "scale": 2}, "number_text"),
    ({"type": "string", "format": "singer.decimal"}, "number_text"),
    ({"type": "string"}, "string"),
    ({"type": ["string", "null"], "format": "uuid"}, "string"),
    ({"type": "string", "format": "date-time"}, "instant"),
    ({"type": ["null", "string"], "format": "date-time"}, "instant"),
    ({"type": "string", "format": "date"}, "date"),
    ({"type": "string", "format": "time"}, "time"),
    ({"type": "string", "contentEncoding": "base64"}, "base64"),
    ({"type": "boolean"}, "bool"),
    ({"type": "object"}, "nested"),
    ({"type": ["array", "null"], "items": {"type": "number"}}, "nested"),
    ({}, "anything"),
    ({"type": ["integer", "string", "null"]}, "anything"),
    ({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}, "instant"),
    ({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "string"}]}, "instant"),
    ({"anyOf": [{"type": "integer"}, {"type": "object"}]}, "anything"),
    ({"oneOf": [{"type": "integer"}, {"type": "number", "multipleOf": 0.01}]}, "money"),
    ({"allOf": [{"type": "string"}, {"format": "date"}]}, "date"),
    ({"$ref": "#/definitions/a~1b"}, "money"),
    ({"$ref": "#/definitions/day"}, "date"),
    ({"type": "null"}, "anything"),
]
DEFINITIONS = {
    "a/b": {"type": ["null", "number"], "multipleOf": 0.001},
    "day": {"$ref": "#/definitions/list/format"},
    "list": {"format": {"type": "string", "format": "date"}},
}
#: Those whose values are keys, too, with some that are written as usual.
KEYS: list[tuple[dict[str, Any], list[str]]] = [
    ({"type": "integer"}, ["1", "2", "9223372036854775807", "-1"]),
    ({"type": "string"}, ['"a"', '"b"', '""', r'"\u0061"', '"A"', '"ä"', r'"\u0000"']),
    ({"type": "number", "multipleOf": 0.01}, ["1", "1.0", "1.00", "2.5", "2.50"]),
    ({"type": "number"}, ["1", "2.5", "123456789012345678", "123456789012345679", "1.0"]),
    (
        {"type": "string", "format": "date-time"},
        ['"2026-01-31T10:00:00Z"', '"2026-01-31T12:00:00+02:00"', '"2026-01-31T10:00:00.5Z"'],
    ),
    ({"type": "string", "format": "date"}, ['"2026-01-31"', '"2026-02-01"']),
    ({"type": "boolean"}, ["true", "false"]),
]
NAMES = [
    *("a", "userId", "User Name", "select", "ORDER", "naïve", "ключ", 'a"b', "a\\b", "it's", "a.b"),
    *("record", "type", "stream", "group", "1st", "😀 smile", "x" * 80, "_private", "a\tb", "%s"),
    *("{table}", "f0", "NULL", "日本", "camelCaseID", "with-dash", "v__w", "value", "trailing "),
]


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream: its JSON Schema, its keys, and where the values of each property are from."""

    schema: dict[str, Any]
    keys: tuple[str, ...]
    values: dict[str, Texts]


def written(draw: st.DrawFn, name: str) -> str:
    """Return the name of a property as it may be written."""
    return json.dumps(name, ensure_ascii=draw(st.booleans()))


def moderate(text: str) -> bool:
    """Return whether a text is not a number, or has at most the digits of a decimal."""
    try:
        number = Decimal(text.strip('"'))
    except InvalidOperation:
        return True
    if not number.is_finite():
        return True
    _, digits, exponent = number.as_tuple()
    return number.adjusted() < WIDEST and -38 <= int(exponent) < WIDEST and len(digits) <= 38


def decimals(stream: Stream) -> frozenset[str]:
    """Return the names of the properties that are decimals."""
    types = exact.types(stream.schema, stream.keys)
    return frozenset(name for name, kind in types.items() if kind and kind.name == "decimal")


@st.composite
def streams(
    draw: st.DrawFn,
    *,
    least: int = 1,
    most: int = 4,
    names: st.SearchStrategy[str] = st.sampled_from(NAMES),  # noqa: B008 - it can't be changed
    keyed: bool = True,
) -> Stream:
    """Draw a stream."""
    chosen = draw(st.lists(names, min_size=least, max_size=most, unique=True))
    parts = {name: draw(st.sampled_from(PARTS)) for name in chosen}
    values = {name: POOLS[pool] for name, (_, pool) in parts.items()}
    properties = {name: part for name, (part, _) in parts.items()}
    required = draw(st.lists(st.sampled_from(chosen), max_size=1)) if draw(st.booleans()) else []
    keys: tuple[str, ...] = ()
    if keyed:
        found = draw(st.lists(st.sampled_from(KEYS), max_size=2))
        keys = tuple(f"key {number}" for number in range(len(found)))
        for name, (part, texts) in zip(keys, found, strict=True):
            properties[name], values[name] = part, st.sampled_from(texts)
    schema: dict[str, Any] = {"type": "object", "properties": properties}
    schema |= {"definitions": DEFINITIONS}
    if required:
        schema["required"] = required
    return Stream(schema, keys, values)


@st.composite
def records(
    draw: st.DrawFn,
    stream: Stream,
    *,
    refused: bool = True,
    narrow: frozenset[str] = frozenset(),
) -> bytes:
    """Draw a RECORD line.

    Args:
        draw: Hypothesis gives it.
        stream: The stream.
        refused: With some that must be refused.
        narrow: Properties that get moderate numbers, besides decimals.
    """
    narrow |= decimals(stream)
    needed = {*stream.schema.get("required", ()), *stream.keys}
    members = []
    for name, values in stream.values.items():
        certain = name in stream.keys and not (refused and draw(st.integers(0, 30)) == 30)
        choice = 2 if certain else draw(st.integers(0, 9))
        if choice == 0 and (refused or name not in needed):
            continue
        text = draw({0: st.just("null"), 1: ANYTHING}.get(choice, values))
        if name in narrow and not moderate(text):
            text = "7"
        if name not in needed and draw(st.integers(0, 9)) == 9:
            members.append((name, "null"))  # another with the same name comes after it
        members.append((name, text))
    if draw(st.integers(0, 9)) == 9:
        members.append(("unknown", draw(ANYTHING)))
    space = draw(st.sampled_from(["", "", " ", "\t "]))
    inner = f",{space}".join(
        f"{written(draw, name)}{space}:{space}{text}{space}" for name, text in members
    )
    envelope = [
        f'"type":{space}"RECORD"',
        f'"stream":{space}"a"',
        f'"record":{space}{{{space}{inner}}}',
    ]
    if draw(st.integers(0, 9)) == 9:
        envelope = draw(st.permutations([*envelope, '"time_extracted": "2026-01-01T00:00:00Z"']))
    return f"{{{space}{f',{space}'.join(envelope)}{space}}}".encode()
