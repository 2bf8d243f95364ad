"""Schemas inferred from records: they hold every value, and no more than needed."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from fuzz.effort import examples
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from tap_chat.http.responses import decode
from tap_chat.singer.inference import TYPES, fits, types_of, widened

MIXED = {"anyOf": [{"type": name} for name in TYPES]}
VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "text", "2024-01-01T00:00:00Z"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=4,
)
RECORDS = st.lists(st.dictionaries(st.sampled_from(["a", "b", "c", "é"]), VALUES), max_size=6)


def properties_of(records: list[Any]) -> Any:
    return widened({}, types_of(records))


@given(RECORDS, RECORDS)
@examples(200)
def test_records_fit_the_properties_of_any_superset(some: list[Any], others: list[Any]) -> None:
    schema = {"type": "object", "properties": properties_of(some + others)}
    for record in some:
        Draft7Validator(schema).validate(record)


@given(RECORDS, RECORDS)
@examples(200)
def test_order_of_pages_does_not_matter(some: list[Any], others: list[Any]) -> None:
    wider = widened(properties_of(some), types_of(others))
    assert wider == properties_of(some + others) == widened(properties_of(others), types_of(some))
    assert widened(wider, types_of(others)) is wider
    assert all(fits(wider[name], types) for name, types in types_of(others).items())


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1, "b": -2.0, "c": 1e3, "d": 1E-2, "e": "1.5"}',
        '{"f": true, "g": [], "h": {}, "i": null}',
    ],
)
def test_raw_records_have_the_types_of_decoded_ones(text: str) -> None:
    raw = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    assert types_of([raw]) == types_of([decode(text.encode())])


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([1, None], ["integer", "null"]),
        ([1, Decimal("1.5")], ["number", "null"]),
        ([Decimal("5.0")], ["number", "null"]),
        (["2024-01-01"], ["string", "null"]),
        ([None], ["null"]),
        ([True, False], ["boolean", "null"]),
        ([[], {}], ["array", "object", "null"]),
    ],
)
def test_types(values: list[Any], names: list[str]) -> None:
    assert properties_of([{"a": value} for value in values]) == {"a": {"type": names}}


@pytest.mark.parametrize("values", [[1, "1"], [True, 1], [[], "x"], ["x", None, Decimal(1)]])
def test_types_that_are_unlike(values: list[Any]) -> None:
    assert properties_of([{"a": value} for value in values]) == {"a": MIXED}


def test_key_is_never_null() -> None:
    records: list[dict[str, Any]] = [{"id": 1, "a": None}, {"id": "1"}, {"b": 2}]
    assert widened({}, types_of(records), ("id",)) == {
        "id": {"type": ["string", "integer"]},
        "a": {"type": ["null"]},
        "b": {"type": ["integer", "null"]},
    }


def test_declared_property_stays_as_it_is_until_a_value_does_not_fit() -> None:
    declared = {"at": {"type": ["string", "null"], "format": "date-time", "description": "When."}}
    assert widened(declared, {"at": {"string"}}) is declared
    assert widened(declared, {"at": {"string", "integer"}}) == {
        "at": MIXED | {"description": "When."}
    }


def test_null_in_a_property_that_is_not_nullable_leaves_the_rest_as_it_is() -> None:
    declared = {"at": {"type": "string", "format": "date"}}
    wider = widened(declared, {"at": {"null"}})
    assert wider == {"at": {"type": ["string", "null"], "format": "date"}}


def test_property_without_a_type_holds_any_value() -> None:
    declared: dict[str, dict[str, Any]] = {"any": {"anyOf": []}}
    assert widened(declared, {"any": {"object", "integer"}}) is declared
