"""What must come of Singer lines, by plain Python alone: nothing here is the bridge's, or dlt's.

Written from what is promised, not from the code: a value is in its column as it is, or as it is in
a variant of the column, and nowhere else.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

BIGINTS = range(-(2**63), 2**63)
DIGITS = 38
NOTHING_BUT_DIGITS = str.maketrans("", "", "(), ")
# Digits after the point where the SCHEMA asks for more than there are, or for any number.
WIDE_SCALE = 18
NUMERIC = frozenset({"bigint", "double", "decimal"})
STRINGS = frozenset({"text", "timestamp", "date", "time", "binary"})
MICROSECONDS = {"day": 86_400_000_000, "hour": 3_600_000_000, "minute": 60_000_000, "s": 1_000_000}
YEAR_1, YEAR_10000 = -62_135_596_800_000_000, 253_402_300_800_000_000  # microseconds since 1970

_TIME = r"(\d\d):(\d\d)(?::(\d\d)(?:[.,](\d+))?)?(?: ?(?:([Zz])|([+-])(\d\d)(?::?(\d\d))?))?"
_CLOCK = re.compile(_TIME, re.ASCII)
_INSTANT = re.compile(rf"(\d{{4}}-\d\d-\d\d)(?:[Tt ]{_TIME})?", re.ASCII)
# RFC 3339, except that the offset may be missing.
_USUAL_TIME = r"\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)?"
_USUAL_CLOCK = re.compile(_USUAL_TIME, re.ASCII)
_USUAL_INSTANT = re.compile(rf"\d{{4}}-\d\d-\d\d[Tt]{_USUAL_TIME}", re.ASCII)


class Misfit(Exception):  # noqa: N818 - no error: there are other places for a value
    """A type does not hold a value."""


@dataclass(frozen=True, slots=True)
class Type:
    """The type of a column: dlt's name of it, and the scale of a decimal."""

    name: str
    scale: int = 0


JSON = Type("json")


@dataclass(frozen=True, slots=True)
class Number:
    """A JSON number as it is written.

    Attributes:
        text: How it is written.
        whole: Without a fraction and an exponent.
    """

    text: str
    whole: bool

    @property
    def exact(self) -> Decimal:
        return Decimal(self.text)


@dataclass(frozen=True, slots=True)
class NoNumber:
    """What Python writes for a double that is not a number."""

    text: str


@dataclass(frozen=True, slots=True)
class Value:
    """A property of a record: its JSON text, and what Python makes of it."""

    text: str
    parsed: Any

    @property
    def proper(self) -> bool:
        """Return whether it is JSON."""
        try:
            json.loads(self.text, parse_constant=_refused)
        except Misfit:
            return False
        return True

    @property
    def storable(self) -> bool:
        """Return whether there is no half of a surrogate pair in it."""
        try:
            json.dumps(json.loads(self.text), ensure_ascii=False).encode()
        except UnicodeEncodeError:
            return False
        return True


def _refused(text: str) -> None:
    raise Misfit(text)


_decoder = json.JSONDecoder(
    parse_constant=NoNumber,
    parse_int=lambda text: Number(text, whole=True),
    parse_float=lambda text: Number(text, whole=False),
)
_space = re.compile(r"[ \t\r\n]*")


def members(text: str) -> dict[str, Value]:
    """Return the members of a JSON object; of several with one name, the last."""
    found: dict[str, Value] = {}
    at = _after(text, 0, "{")
    while text[at] != "}":
        name, at = _decoder.raw_decode(text, at)
        at = _after(text, at, ":")
        parsed, end = _decoder.raw_decode(text, at)
        found[name] = Value(text[at:end], parsed)
        at = _after(text, end, ",}")
        if text[at - 1] == "}":
            break
    return found


def _after(text: str, at: int, expected: str) -> int:
    """Return the position after one of the expected characters and the spaces around it."""
    at = _space.match(text, at).end()  # type: ignore[union-attr]
    if text[at] not in expected:
        raise ValueError(f"{text[at]} is none of {expected}")
    end: int = _space.match(text, at + 1).end()  # type: ignore[union-attr]
    return at + 1 if text[at] == "}" else end


def record(line: bytes) -> dict[str, Value]:
    """Return the properties of the record in a RECORD message."""
    return members(members(line.decode())["record"].text)


# -- Types: facts about dlt, 2b.


def types(schema: Mapping[str, Any], keys: Collection[str] = ()) -> dict[str, Type | None]:
    """Return the types of the columns of a JSON Schema; None for what can only be null."""
    properties = schema["properties"]
    found = {name: type_of(part, schema) for name, part in properties.items()}
    # Ids are often declared as numbers, but must not be read as doubles.
    ids = {name for name in keys if found[name] == Type("double")}
    return found | dict.fromkeys(ids, Type("decimal", WIDE_SCALE))


def may_be_chosen(declared: Type | None, other: Type, first: Sequence[Value]) -> bool:
    """Return whether a column may be of another type than its SCHEMA says.

    Args:
        declared: What its SCHEMA says.
        other: The other type.
        first: The first values, with nulls.
    """
    values = [v for v in first if v.parsed is not None and not isinstance(v.parsed, NoNumber)]
    if declared and declared.name in NUMERIC:
        numbers = [v for v in values if isinstance(v.parsed, Number)]
        # Those of a `singer.decimal`, which the type does not tell.
        texts = [v for v in values if isinstance(v.parsed, str) and fits(other, v)]
        odd = [v for v in [*numbers, *texts] if not fits(declared, v)]
        if odd and other.name in NUMERIC and all(fits(other, v) for v in numbers):
            return True
    if len(values) < 10 or any(fits(declared, v) for v in values):
        return False
    return all(fits(other, v) for v in values)


def fits(kind: Type | None, value: Value) -> bool:
    try:
        return kind is not None and held(kind, value) is not None
    except Misfit:
        return False


def type_of(part: Any, root: Mapping[str, Any]) -> Type | None:
    if not isinstance(part, dict):
        return JSON
    if "$ref" in part:
        target: Any = root
        for name in part["$ref"].split("/")[1:]:
            target = target[name.replace("~1", "/").replace("~0", "~")]
        return type_of({**target, **{k: v for k, v in part.items() if k != "$ref"}}, root)
    if "type" not in part:
        if "allOf" in part:
            return type_of({k: v for option in part["allOf"] for k, v in option.items()}, root)
        options = part.get("anyOf", part.get("oneOf"))
        return _common([type_of(option, root) for option in options]) if options else JSON
    names = part["type"] if isinstance(part["type"], list) else [part["type"]]
    return _common([_single(name, part) for name in names])


def _common(several: Sequence[Type | None]) -> Type | None:
    kinds = {kind for kind in several if kind}
    names = {kind.name for kind in kinds}
    if len(kinds) < 2:
        return next(iter(kinds), None)
    if names == {"bigint", "double"}:
        return Type("double")
    if names <= NUMERIC:
        return Type("decimal", max(WIDE_SCALE if k.name == "double" else k.scale for k in kinds))
    return Type("text") if names <= STRINGS else JSON


def _single(name: str, part: Mapping[str, Any]) -> Type | None:
    simple = {"null": None, "boolean": Type("bool"), "object": JSON, "array": JSON}
    if name in simple:
        return simple[name]
    if name == "string":
        return _of_string(part)
    if name == "integer":
        largest, smallest = part.get("maximum", 0), part.get("minimum", 0)
        return Type("bigint" if largest < 2**63 and smallest >= -(2**63) else "decimal")
    if "multipleOf" not in part:
        return Type("double")
    step = Decimal(str(part["multipleOf"]))
    scale = next(n for n in range(100) if step.scaleb(n) % 1 == 0)
    bound = Decimal(max(abs(part.get(word, 0)) for word in ("maximum", "minimum")))
    before = next(n for n in range(100) if Decimal(10) ** n >= bound) if bound else 12
    return Type("decimal", scale if scale + before <= DIGITS else min(scale, WIDE_SCALE))


def _of_string(part: Mapping[str, Any]) -> Type:
    if part.get("contentEncoding") == "base64":
        return Type("binary")
    if part.get("format") == "singer.decimal":
        return Type("decimal", part.get("scale", WIDE_SCALE))
    formats = {"date-time": "timestamp", "date": "date", "time": "time"}
    return Type(formats.get(part.get("format", ""), "text"))


# -- Values: what is stored for them, in units that any reader can have.


@dataclass(frozen=True, slots=True)
class Held:
    """What a type holds for a value.

    Attributes:
        stored: Microseconds (of timestamps since 1970, of times since midnight), days since 1970,
            texts, bytes and numbers.
        sure: The value is written as usual, so its column must hold it; otherwise it may as well
            be in a variant.
    """

    stored: Any
    sure: bool = True


def held(kind: Type, value: Value) -> Held:  # noqa: PLR0911 - a case a type
    """Return what a column holds for a value that is not null.

    Raises:
        Misfit: It can't hold it exactly.
    """
    parsed = value.parsed
    match kind.name:
        case "json" if value.storable and value.proper:
            return Held(value.text)
        case "text" if not isinstance(parsed, str):
            return Held(value.text)
        case "double" if isinstance(parsed, NoNumber):
            return Held(float(parsed.text))
        case "bool" if isinstance(parsed, bool):
            return Held(parsed)
        case "bigint" | "double" | "decimal" if isinstance(parsed, Number):
            return _number(kind, parsed)
        case "decimal" if isinstance(parsed, str):
            if re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", parsed, re.ASCII):
                # A number by a `singer.decimal` only, which the type does not tell.
                return Held(_number(kind, Number(parsed, whole=False)).stored, sure=False)
        case _ if isinstance(parsed, str) and value.storable:
            return _string(kind, parsed)
    raise Misfit


def _number(kind: Type, number: Number) -> Held:
    exact = number.exact
    if kind.name == "double":
        if not is_double(number):
            raise Misfit
        return Held(float(number.text))
    scale = kind.scale if kind.name == "decimal" else 0
    if exact and exact.adjusted() >= DIGITS - scale:
        raise Misfit
    # Digits after those that count can only be zeros.
    sign, digits, exponent = exact.as_tuple()
    while digits and digits[-1] == 0:
        digits, exponent = digits[:-1], int(exponent) + 1
    if digits and int(exponent) < -scale:
        raise Misfit
    if kind.name == "decimal":
        return Held(Decimal((sign, digits or (0,), int(exponent) if digits else 0)))
    if int(exact) not in BIGINTS:
        raise Misfit
    return Held(int(exact))


def is_double(number: Number) -> bool:
    """Return whether a double, written with as many digits as a number has, is that number."""
    nearest = float(number.text)
    if math.isinf(nearest):
        return False
    if number.whole:
        return int(number.text) == int(nearest)
    digits = str(number.exact.as_tuple().digits).translate(NOTHING_BUT_DIGITS).strip("0")
    as_long = f"{nearest:.{max(1, len(digits)) - 1}e}"
    # Of two that are as near, the shortest that Python writes may be another.
    return number.exact in {Decimal(as_long), Decimal(repr(nearest))}


def _string(kind: Type, text: str) -> Held:
    match kind.name:
        case "text":
            return Held(text)
        case "binary":
            try:
                found = base64.b64decode(text, validate=True)
            except (binascii.Error, ValueError):
                raise Misfit from None
            return Held(found, sure=base64.b64encode(found).decode() == text)
        case "date":
            if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
                return Held(_days(text))
        case "time" if match := _CLOCK.fullmatch(text):
            moment, offset = _clock(match.groups())
            if not offset:
                return Held(moment, sure=bool(_USUAL_CLOCK.fullmatch(text)))
        case "timestamp" if match := _INSTANT.fullmatch(text):
            day, *clock = match.groups()
            moment, offset = _clock(clock) if clock[0] else (0, 0)
            instant = _days(day) * MICROSECONDS["day"] + moment - offset
            usual = YEAR_1 <= instant < YEAR_10000 and _USUAL_INSTANT.fullmatch(text)
            return Held(instant, sure=bool(usual))
    raise Misfit


def _days(text: str) -> int:
    try:
        return date.fromisoformat(text).toordinal() - date(1970, 1, 1).toordinal()
    except ValueError:
        raise Misfit from None


def _clock(parts: Sequence[str | None]) -> tuple[int, int]:
    """Return the time since midnight and the offset, in microseconds."""
    hour, minute, second, fraction, _, sign, hours, minutes = parts
    numbers = [int(part or 0) for part in (hour, minute, second, hours, minutes)]
    if any(n > most for n, most in zip(numbers, (23, 59, 59, 23, 59), strict=True)):
        raise Misfit
    below = (fraction or "").rstrip("0")
    if len(below) > 6:
        raise Misfit
    units = [MICROSECONDS[unit] for unit in ("hour", "minute", "s", "hour", "minute")]
    h, m, s, oh, om = (n * unit for n, unit in zip(numbers, units, strict=True))
    return h + m + s + int(below.ljust(6, "0")), (oh + om) * (-1 if sign == "-" else 1)
