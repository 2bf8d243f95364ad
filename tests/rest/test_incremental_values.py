"""What requests say of the part of a list that a run reads: pure, without a server."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from tap_chat.declarations.format import Incremental
from tap_chat.platforms.rest.incremental import IncrementalReading, Span
from tap_chat.singer.cursors import convert, cursor_type, is_odd_time, moved, one_step, write_like

NOON = datetime(2026, 1, 31, 12, 0, 5, 123456, tzinfo=UTC)


def reading(**declared: Any) -> IncrementalReading:
    return IncrementalReading(Incremental(cursor_path="at", **declared))


def start_of(saved: Any, start_date: datetime | None = None, **declared: Any) -> Any:
    """Return the start of a run with a bookmark."""
    how = reading(**declared)
    return how.span(saved=saved, first=how.first_start(start_date), start_date=start_date).start


def asked(saved: Any, **declared: Any) -> Any:
    """Return the value with which a request of a run with a bookmark asks."""
    how = reading(**declared)
    span = how.span(saved=saved, first=how.first_start(None), start_date=None)
    return how.request_values(span)["incremental.start_value"]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (5, "a number"),
        (5.5, "a number"),
        ("2026-01-31", "a date-time"),
        ("2026-01-31T12:00:00+02:00", "a date-time"),
        ("2026-01-31 12:00:00", "a date-time"),
        ("20260131", "a text of digits"),
        ("01ARZ3NDEKTSV4RRFFQ69G5FAV", "a text"),
    ],
)
def test_type_of_a_cursor_is_that_of_its_values(value: object, name: str) -> None:
    kind = cursor_type(value)
    assert kind is not None
    assert kind.name == name


@pytest.mark.parametrize("value", [None, True, "", [], {}, float("nan")])
def test_values_without_an_order_have_no_type(value: object) -> None:
    assert cursor_type(value) is None


@pytest.mark.parametrize(
    ("value", "is_odd"),
    [
        ("28.11.2026", True),
        ("11/28/2026 10:00 PM", True),
        ("28-Nov-2026", True),
        ("Sat, 28 Nov 2026 10:00:00 GMT", True),
        ("Nov 28, 2026", True),
        ("2026/11/28", False),
        ("20261128T100000Z", False),
        ("01ARZ3NDEKTSV4RRFFQ69G5FAV", False),
        ("1.10.3-beta", False),
        ("m-17", False),
    ],
)
def test_times_whose_texts_have_another_order_are_known(value: str, *, is_odd: bool) -> None:
    assert is_odd_time(value) is is_odd


def test_texts_of_digits_are_compared_as_numbers() -> None:
    kind = cursor_type("9")
    assert kind is not None
    assert kind.read("10") > kind.read("9")


@pytest.mark.parametrize(
    ("sample", "written"),
    [
        ("2020-01-01", "2026-01-31"),
        ("2020-01-01T00:00", "2026-01-31T12:00"),
        ("2020-01-01 00:00:00", "2026-01-31 12:00:05"),
        ("2020-01-01T00:00:00Z", "2026-01-31T12:00:05Z"),
        ("2020-01-01T00:00:00.1Z", "2026-01-31T12:00:05.1Z"),
        ("2020-01-01T00:00:00.123456789+0200", "2026-01-31T14:00:05.123456000+0200"),
        ("2020-01-01T00:00:00-05:30", "2026-01-31T06:30:05-05:30"),
        (1700000000, 1769860805),
        (1700000000000, 1769860805123),
        (7, None),
        ("abc", None),
    ],
)
def test_time_is_written_like_a_sample(sample: Any, written: Any) -> None:
    assert write_like(sample, NOON) == written


@pytest.mark.parametrize(
    ("value", "step"),
    [
        ("2026-01-31", "2026-01-30"),
        ("2026-01-31T12:00", "2026-01-31T11:59"),
        ("2026-01-31T12:00:05Z", "2026-01-31T12:00:04Z"),
        ("2026-01-31T12:00:05.000+02:00", "2026-01-31T12:00:04.999+02:00"),
        (1700000000, 1699999999),
        ("00123", "00122"),
        ("0", "0"),
        ("abc", "abc"),
    ],
)
def test_resumed_request_asks_from_one_step_before_the_bookmark(value: Any, step: Any) -> None:
    """The server may leave out what is at its bound, and a later record may be there."""
    assert asked(value) == step
    assert asked(value, range_start="open") == value


def test_first_request_asks_from_the_initial_value() -> None:
    assert asked(None, initial_value="2026-01-31") == "2026-01-31"
    assert asked(None, initial_value=date(2026, 1, 31)) == "2026-01-31"
    assert asked(None) is None


@pytest.mark.parametrize(
    ("saved", "declared", "start"),
    [
        (100, {"lag": 7}, 93),
        (100, {"lag": 7, "initial_value": 95}, 95),
        (100, {"lag": 7, "last_value_func": "min"}, 107),
        ("2026-01-31T12:00:05Z", {"lag": 5}, "2026-01-31T12:00:00Z"),
        ("2026-01-31", {"lag": 5}, "2026-01-26"),
        ("2026-01-31T12:00:05Z", {"lag": 1, "initial_value": "2026-01-01"}, "2026-01-30T00:00:00Z"),
        ("2026-01-31T12:00:05Z", {}, "2026-01-31T12:00:05Z"),
        (50, {"initial_value": 60}, 60),
        (50, {"initial_value": 40, "end_value": 70}, 40),
    ],
)
def test_start_is_the_bookmark_moved_back_by_the_lag(
    saved: Any, declared: dict[str, Any], start: Any
) -> None:
    assert start_of(saved, **declared) == start


def test_lag_of_other_texts_is_refused() -> None:
    with pytest.raises(ConfigValidationError) as error:
        start_of("abc", lag=5)
    assert "The `lag` of the cursor `at` has no meaning" in error.value.errors[0]


def test_first_run_starts_at_the_start_date_if_it_is_later() -> None:
    assert start_of(None, NOON, initial_value="2026-01-01") == "2026-01-31"
    assert start_of(None, NOON, initial_value="2026-02-01") == "2026-02-01"
    assert start_of(None, NOON, initial_value=1700000000000) == 1769860805123
    assert start_of(None, NOON, initial_value=0) == 0


@pytest.mark.parametrize(
    ("name", "value", "floor", "ceiling"),
    [
        ("iso", 1769860805123, "2026-01-31T12:00:05.123000Z", "2026-01-31T12:00:05.123000Z"),
        ("iso", 1769860805, "2026-01-31T12:00:05Z", "2026-01-31T12:00:05Z"),
        ("date", "2026-01-31T12:00:05Z", "2026-01-31", "2026-02-01"),
        ("date", "2026-01-31", "2026-01-31", "2026-01-31"),
        ("epoch_s", "2026-01-31T12:00:05.123+00:00", 1769860805, 1769860806),
        ("epoch_s", "2026-01-31T14:00:05+02:00", 1769860805, 1769860805),
        ("epoch_ms", "2026-01-31T12:00:05.123456Z", 1769860805123, 1769860805124),
        ("epoch_ms", 1769860805, 1769860805000, 1769860805000),
        ("iso", 0, "1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"),
        ("iso", "abc", None, None),
    ],
)
def test_times_are_converted_by_name(name: str, value: Any, floor: Any, ceiling: Any) -> None:
    assert convert(value, name) == floor
    assert convert(value, name, up=True) == ceiling


def test_converted_request_asks_from_one_step_of_its_unit_before() -> None:
    assert asked("2026-01-31T12:00:05.9Z", convert="epoch_s") == 1769860804
    assert asked("2026-01-31T12:00:05.9Z", convert="date") == "2026-01-30"


def test_value_that_is_not_a_time_is_not_converted() -> None:
    with pytest.raises(ConfigValidationError) as error:
        asked("abc", convert="iso")
    assert "is not a time, so it can't be converted to `iso`" in error.value.errors[0]


def test_parameters_are_those_that_have_a_value() -> None:
    how = reading(start_param="since", end_param="until", initial_value=5)
    values = how.request_values(how.span(saved=None, first=5, start_date=None))
    assert how.request_params(values) == {"since": 5}
    values = how.request_values(Span(5, end=9))
    assert how.request_params(values) == {"since": 5, "until": 9}


@pytest.mark.parametrize("value", [0.001, 1e-9, 10**30, -5])
def test_steps_of_numbers_are_one(value: float) -> None:
    assert one_step(value) == 1
    moved_back = moved(value, -1)
    assert moved_back is not None
    assert not isinstance(moved_back, str)
    assert moved_back < value
