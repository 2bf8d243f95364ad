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
from tap_chat.singer.inference import (
    ANY_TYPE,
    fits,
    inferred,
    joined,
    types_of,
    widened,
)

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
    return inferred(types_of(records))


@given(RECORDS, RECORDS)
@examples(200)
def test_records_fit_the_properties_of_any_superset(some: list[Any], others: list[Any]) -> None:
    schema = {"type": "object", "properties": properties_of(some + others)}
    for record in some:
        Draft7Validator(schema).validate(record)


@given(RECORDS, RECORDS, RECORDS)
@examples(200)
def test_join_is_a_join(one: list[Any], two: list[Any], three: list[Any]) -> None:
    a, b, c = map(properties_of, (one, two, three))
    assert joined(a, a) is a
    assert joined(a, b) == joined(b, a) == properties_of(one + two)
    assert joined(joined(a, b), c) == joined(a, joined(b, c))


@given(RECORDS, RECORDS)
@examples(200)
def test_widening_is_a_join_with_what_was_seen(some: list[Any], others: list[Any]) -> None:
    properties = properties_of(some)
    wider = widened(properties, types_of(others))
    assert wider == properties_of(some + others)
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
        ([1, "1"], list(ANY_TYPE)),
        ([True, 1], list(ANY_TYPE)),
        ([[], {}], list(ANY_TYPE)),
    ],
)
def test_types(values: list[Any], names: list[str]) -> None:
    assert properties_of([{"a": value} for value in values]) == {"a": {"type": names}}


def test_key_is_never_null() -> None:
    records: list[dict[str, Any]] = [{"id": 1, "a": None}, {"id": "1"}, {"b": 2}]
    assert inferred(types_of(records), ("id",)) == {
        "id": {"type": ["string", "integer"]},
        "a": {"type": ["null"]},
        "b": {"type": ["integer", "null"]},
    }


def test_declared_property_stays_as_it_is_until_a_value_does_not_fit() -> None:
    declared = {"at": {"type": ["string", "null"], "format": "date-time", "description": "When."}}
    assert widened(declared, {"at": {"string"}}) is declared
    assert widened(declared, {"at": {"string", "integer"}}) == {
        "at": {"type": list(ANY_TYPE), "description": "When."}
    }


def test_null_in_a_property_that_is_not_nullable_leaves_the_rest_as_it_is() -> None:
    declared = {"at": {"type": "string", "format": "date"}}
    wider = widened(declared, {"at": {"null"}})
    assert wider == {"at": {"type": ["string", "null"], "format": "date"}}


def test_property_without_a_type_holds_any_value() -> None:
    declared: dict[str, dict[str, Any]] = {"any": {"anyOf": []}}
    assert widened(declared, {"any": {"object", "integer"}}) is declared
