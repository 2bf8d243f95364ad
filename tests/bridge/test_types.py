"""JSON Schema to column types is total: every schema has an answer."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlt_bridge.types import column_type

NAMES = ["null", "boolean", "integer", "number", "string", "object", "array"]
PROPERTIES: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from([*NAMES, None, {}, 1])
            | st.lists(st.sampled_from([*NAMES, {}]), max_size=4),
            "format": st.sampled_from(["date-time", "date", "time", "uuid", None, []]),
            "multipleOf": st.sampled_from([1, 0.1, 0.0001, 10, 1e-50, 0, None, True, "1"]),
            "maximum": st.integers() | st.sampled_from([None, 1e20, "1"]),
            "contentEncoding": st.just("base64"),
        },
    ),
    lambda inner: st.fixed_dictionaries(
        {"anyOf": st.lists(inner | st.booleans(), max_size=3) | st.none()}
    ),
)


@given(PROPERTIES)
def test_every_property_has_an_answer(prop: dict[str, Any]) -> None:
    answer = column_type(prop)
    assert answer is None or (answer[0] == "decimal") == (answer[1] is not None)


@pytest.mark.parametrize(
    ("prop", "expected"),
    [
        ({"type": ["integer", "number", "null"]}, ("double", None)),
        ({"type": "number", "multipleOf": 0.001}, ("decimal", 3)),
        ({"type": "number", "multipleOf": 5}, ("decimal", 0)),
        ({"type": "number", "multipleOf": 1e-50}, ("json", None)),
        ({"type": "integer", "maximum": None}, ("bigint", None)),
        ({"anyOf": [{"type": ["null"]}, {"type": "boolean"}]}, ("bool", None)),
        (True, ("json", None)),
        ({"type": "string", "format": "uuid"}, ("text", None)),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, ("bigint", None)),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, ("json", None)),
        ({"type": ["null"]}, None),
        ({"description": "anything"}, ("json", None)),
    ],
)
def test_property_has_this_type(prop: Any, expected: object) -> None:
    assert column_type(prop) == expected
