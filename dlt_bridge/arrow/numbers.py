"""JSON numbers as integers, doubles and decimals, exactly.

A function that ends in `_array` converts the decoded values of a batch, one that begins with
`convert_` the JSON text of one value. Each raises one of CONVERSION_ERRORS for a value that would
change. Precision and scale are those of the Arrow type.
"""

from __future__ import annotations

import re
from decimal import Decimal
from math import isfinite
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bridge.arrow.texts import join_texts, json_array, parse_string, split_texts
from dlt_bridge.tap.placeholders import NON_FINITE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from msgspec import Raw

    from dlt_bridge.arrow.limits import Limits

#: A JSON number.
NUMBER = re.compile(rb"-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?")
#: Characters of the longest number that is read: longer ones fit no column, and cost much time.
LONGEST_NUMBER = 2_000

# A number of at most this many characters without an exponent is exact as a double.
_EXACT_DIGITS = 15
# Digits of the longest double.
_MOST_DIGITS = 767
_DIGITS_OF_BIGINT = 19


def double_array(values: Sequence[Raw], arrow: pa.DataType) -> pa.Array:
    """Convert numbers to doubles."""
    joined = join_texts(values)
    return doubles(split_texts(joined) if joined else json_array(values, arrow), joined, arrow)


def doubles(texts: pa.Array, joined: bytes, arrow: pa.DataType) -> pa.Array:
    """Convert numbers to doubles.

    Args:
        texts: Their JSON texts.
        joined: The same texts, with any separator.
        arrow: The type.
    """
    numbers = texts.cast(arrow)
    looked_at = numbers
    has_exponents = _may_have_exponents(joined)
    if not has_exponents:
        is_long = pc.greater(pc.binary_length(texts), _EXACT_DIGITS)
        texts, looked_at = texts.filter(is_long), numbers.filter(is_long)
    # Most numbers are written just as Arrow writes them: only the others need a closer look.
    texts = texts.filter(pc.not_equal(looked_at.cast(pa.string()), texts))
    if has_exponents:
        is_uncertain = pc.greater(pc.binary_length(texts), _EXACT_DIGITS)
        for letter in "eE":
            is_uncertain = pc.or_(is_uncertain, pc.match_substring(texts, letter))
        texts = texts.filter(is_uncertain)
    for text in texts.to_pylist():
        exact_double(text)
    return numbers


def decimal_array(values: Sequence[Raw], arrow: pa.DataType) -> pa.Array:
    """Convert numbers to decimals.

    Numbers with exponents, or with more characters than the type has digits before the point, are
    refused: Arrow would drop their first digits.
    """
    joined = join_texts(values)
    return decimals(split_texts(joined) if joined else json_array(values, arrow), joined, arrow)


def decimals(texts: pa.Array, joined: bytes, arrow: pa.DataType) -> pa.Array:
    """Convert numbers to decimals, as `doubles` to doubles."""
    longest = pc.max(pc.binary_length(texts)).as_py() or 0
    if _may_have_exponents(joined) or longest > arrow.precision - arrow.scale:
        raise ValueError("perhaps too many digits")
    return texts.cast(arrow)


def _may_have_exponents(joined: bytes) -> bool:
    return b"e" in joined or b"E" in joined


def convert_bigint(text: bytes, arrow: pa.DataType, _: Limits) -> int:
    """Return an integer."""
    number = _parse_number(text)
    if number.adjusted() >= _DIGITS_OF_BIGINT or number != number.to_integral_value():
        raise ValueError("no integer of 64 bits")
    value = int(number)
    pa.scalar(value, arrow)
    return value


def convert_double(text: bytes, _: pa.DataType, limits: Limits) -> float:
    """Return a double."""
    if text in NON_FINITE:
        if not limits.non_finite:
            raise ValueError("no number")
        return float(text)
    if not NUMBER.fullmatch(text):
        raise ValueError("no number")
    return exact_double(text.decode())


def convert_decimal(text: bytes, arrow: pa.DataType, _: Limits) -> Decimal:
    """Return a decimal, which may be written as a JSON string."""
    number = _parse_number(parse_string(text).encode() if text[:1] == b'"' else text)
    if number and number.adjusted() >= arrow.precision - arrow.scale:
        raise ValueError("too many digits")
    sign, digits, exponent = number.as_tuple()
    significant = "".join(map(str, digits)).rstrip("0")
    if not significant:
        return Decimal(0)
    # Arrow refuses more digits than the precision, even if they are zeros.
    least = int(exponent) + len(digits) - len(significant)
    if least < -arrow.scale:
        raise ValueError("more digits than the scale")
    return Decimal((sign, tuple(map(int, significant + "0" * max(least, 0))), min(least, 0)))


def exact_double(text: str) -> float:
    """Return the double that a JSON number is.

    A fraction is exact if the double, written with as many digits, is the same number. An integer
    must be equal to the double: 2^53 + 1 is equal to none.

    Raises:
        CONVERSION_ERRORS: No double is exactly that number.
    """
    if len(text) > LONGEST_NUMBER:
        raise ValueError("too long a number")
    number = float(text)
    if repr(number) == text:
        return number
    exact = Decimal(text)
    if text.lstrip("-").isdigit():
        same = isfinite(number) and Decimal(number) == exact
    else:
        digits = len("".join(map(str, exact.as_tuple().digits)).strip("0"))
        as_long = f"{number:.{min(max(1, digits), _MOST_DIGITS) - 1}e}"
        # Where two decimals are equally near, Python's shortest form may be the other one.
        same = exact in {Decimal(as_long), Decimal(repr(number))}
    if not same:
        raise ValueError("no exact double")
    return number


def count_digits(text: str) -> tuple[int, int]:
    """Return how many digits a number has before the point, and after it."""
    number = Decimal(text)
    _, digits, exponent = number.as_tuple()
    zeros = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    return max(0, number.adjusted() + 1), max(0, -int(exponent) - zeros) if number else 0


def _parse_number(text: bytes) -> Decimal:
    if len(text) > LONGEST_NUMBER or not NUMBER.fullmatch(text):
        raise ValueError("no number")
    return Decimal(text.decode())
