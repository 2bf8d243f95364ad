"""Numbers of a million digits are converted, or refused, fast."""

from __future__ import annotations

import time
from contextlib import suppress

import msgspec
import pytest

from dlt_bridge.arrow.limits import Limits
from dlt_bridge.arrow.types import TYPES, ColumnType
from dlt_bridge.arrow.values import CONVERSION_ERRORS, convert

DIGITS = 1_000_000
NUMBERS = {
    "integer": b"9" * DIGITS,
    "fraction": b"0." + b"9" * DIGITS,
    "both": b"9" * (DIGITS // 2) + b"." + b"9" * (DIGITS // 2),
    "shifted": b"1" + b"0" * DIGITS + b"e-%d" % DIGITS,
    "zeros": b"1." + b"0" * DIGITS,
    "short": b"1e999999",
    "exponent": b"1e" + b"9" * DIGITS,
}


@pytest.mark.parametrize("number", NUMBERS.values(), ids=NUMBERS)
def test_long_number_is_refused_or_taken_at_once(number: bytes) -> None:
    started = time.monotonic()
    for data_type in TYPES:
        kind = msgspec.convert({"data_type": data_type, "precision": 38, "scale": 9}, ColumnType)
        with suppress(*CONVERSION_ERRORS):
            convert(kind, number, Limits())
    # It takes some 10 ms; to make an integer of it, 10 s.
    assert time.monotonic() - started < 3
