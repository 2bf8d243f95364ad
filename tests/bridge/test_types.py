"""Every JSON Schema of a property has a column type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dlt_bridge
from dlt_bridge.arrow.columns import columns
from dlt_bridge.arrow.types import WIDE_DECIMAL, ColumnType, property_type

ARROW = Path(dlt_bridge.__file__).parent / "arrow"
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
def test_every_json_schema_has_a_column_type(prop: dict[str, Any]) -> None:
    answer = property_type(prop)
    assert answer is None or (answer.data_type == "decimal") == (answer.scale is not None)


@pytest.mark.parametrize(
    ("prop", "expected"),
    [
        ({"type": ["integer", "number", "null"]}, ColumnType("double")),
        ({"type": "number", "multipleOf": 0.001}, ColumnType("decimal", 38, 3)),
        ({"type": "number", "multipleOf": 5}, ColumnType("decimal", 38, 0)),
        # More digits than there are in a decimal: it has room for whole numbers.
        ({"type": "number", "multipleOf": 1e-50}, WIDE_DECIMAL),
        (
            {"type": "number", "multipleOf": 1e-38, "maximum": 10**62, "minimum": -(10**62)},
            WIDE_DECIMAL,
        ),
        ({"type": "number", "multipleOf": 1e-34}, WIDE_DECIMAL),
        ({"type": "number", "multipleOf": 1e-30, "maximum": 1e35}, WIDE_DECIMAL),
        ({"type": "number", "multipleOf": 1e-30, "maximum": 1e8}, ColumnType("decimal", 38, 30)),
        ({"type": "number", "multipleOf": 1e-10, "maximum": 10**28}, ColumnType("decimal", 38, 10)),
        ({"anyOf": [{"type": "number"}, {"type": "number", "multipleOf": 0.01}]}, WIDE_DECIMAL),
        ({"type": "integer", "maximum": None}, ColumnType("bigint")),
        ({"type": "integer", "minimum": -(2**64)}, ColumnType("decimal", 38, 0)),
        ({"anyOf": [{"type": ["null"]}, {"type": "boolean"}]}, ColumnType("bool")),
        (True, ColumnType("json")),
        ({"type": "string", "format": "uuid"}, ColumnType("text")),
        ({"type": "string", "format": "singer.decimal"}, WIDE_DECIMAL),
        (
            {
                "type": ["null", "number", "string"],
                "format": "singer.decimal",
                "additionalProperties": {"scale_precision": "(38,20)"},
            },
            ColumnType("decimal", 38, 20),
        ),
        (
            {"type": "string", "format": "singer.decimal", "precision": 65, "scale": 30},
            WIDE_DECIMAL,
        ),
        (
            {"type": "string", "format": "singer.decimal", "precision": 10, "scale": 2},
            ColumnType("decimal", 38, 2),
        ),
        ({"anyOf": [{"type": "integer"}, {"type": "null"}]}, ColumnType("bigint")),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, ColumnType("json")),
        ({"oneOf": [{"type": "string", "format": "date"}, {"type": "string"}]}, ColumnType("text")),
        ({"allOf": [{"type": "string"}, {"format": "date"}]}, ColumnType("date")),
        ({"type": ["null"]}, None),
        ({"description": "anything"}, ColumnType("json")),
    ],
)
def test_column_type_of_a_property(prop: Any, expected: object) -> None:
    assert property_type(prop) == expected


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        ("#/definitions/money", ColumnType("decimal", 38, 2)),
        ("#/definitions/list/0", ColumnType("date")),
        ("#/properties/a~1b", ColumnType("bool")),
        ("#/definitions/loop", ColumnType("json")),
        ("#/definitions/nothing", ColumnType("json")),
        ("https://example.com/schema.json", ColumnType("json")),
    ],
)
def test_reference_is_followed_within_the_schema(pointer: str, expected: ColumnType) -> None:
    schema = {
        "definitions": {
            "money": {"type": "number", "multipleOf": 0.01},
            "list": [{"type": "string", "format": "date"}],
            "loop": {"$ref": "#/definitions/loop"},
        },
        "properties": {"a/b": {"type": "boolean"}, "v": {"$ref": pointer}},
    }
    assert columns(schema, ())[1].type == expected


def test_reference_to_itself_within_an_object_ends() -> None:
    node = {"type": "object", "properties": {side: {"$ref": "#/definitions/node"} for side in "lr"}}
    [column] = columns({"definitions": {"node": node}, "properties": {"v": node}}, ())
    assert column.type == ColumnType("json")


def test_key_that_is_a_number_is_a_decimal() -> None:
    """Some taps declare long ids as numbers, which no double holds."""
    schema = {"properties": {"id": {"type": ["number", "null"]}, "v": {"type": "number"}}}
    assert [c.type for c in columns(schema, ["id"])] == [WIDE_DECIMAL, ColumnType("double")]


def test_key_and_required_properties_are_distinguished() -> None:
    schema = {"properties": {"a": {}, "b": {}, "c": {}}, "required": ["b"]}
    made = [(c.name, c.key, c.required) for c in columns(schema, ["a"])]
    assert made == [("a", True, True), ("b", False, True), ("c", False, False)]


PARTS = {
    "base": {"properties": {"id": {"type": "integer"}}, "required": ["id"]},
    "more": {"properties": {"v": {"type": "string"}, "w": {"type": "integer"}}, "required": ["v"]},
    "other": {"properties": {"v": {"type": "string"}, "w": {"type": "number"}}},
    "loop": {"allOf": [{"$ref": "#/definitions/loop"}, {"$ref": "#/definitions/base"}]},
}
BASE, MORE, OTHER, LOOP = ({"$ref": f"#/definitions/{name}"} for name in PARTS)


@pytest.mark.parametrize(
    ("schema", "expected", "required"),
    [
        (BASE, {"id": ColumnType("bigint")}, {"id"}),
        (
            {"allOf": [BASE, MORE]},
            {"id": ColumnType("bigint"), "v": ColumnType("text"), "w": ColumnType("bigint")},
            {"id", "v"},
        ),
        (
            {**BASE, "anyOf": [MORE, OTHER]},
            {"id": ColumnType("bigint"), "v": ColumnType("text"), "w": ColumnType("double")},
            {"id"},
        ),
        ({"oneOf": [{"type": "null"}, {"allOf": [BASE]}]}, {"id": ColumnType("bigint")}, set()),
        (
            {"properties": {"id": {}}, "anyOf": [{"required": ["id"]}, 1]},
            {"id": ColumnType("json")},
            set(),
        ),
        (LOOP, {"id": ColumnType("bigint")}, {"id"}),
    ],
)
def test_properties_are_found_wherever_the_root_has_them(
    schema: dict[str, Any], expected: dict[str, ColumnType], required: set[str]
) -> None:
    made = columns({**schema, "definitions": PARTS}, ())
    assert {column.name: column.type for column in made} == expected
    assert {column.name for column in made if column.required} == required


def test_only_the_table_of_types_knows_decimals() -> None:
    """A change of decimals is a change of one module."""
    modules = [path.name for path in ARROW.glob("*.py") if '"decimal"' in path.read_text()]
    assert modules == ["types.py"]
