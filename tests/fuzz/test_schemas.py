"""Any SCHEMA soon leads to a table or to an error that is a sentence."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, NoReturn

import dlt
import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from fuzz.effort import examples
from fuzz.spelling import parsed
from hypothesis import example, given
from hypothesis import strategies as st

from dlt_bridge import BridgeError, MessageError, singer
from dlt_bridge.arrow.columns import columns
from dlt_bridge.arrow.decoder import RecordDecoder
from dlt_bridge.arrow.metadata_columns import SEQUENCE
from dlt_bridge.arrow.nested import native_type
from dlt_bridge.arrow.record_schema import RecordSchema
from dlt_bridge.arrow.types import property_type

if TYPE_CHECKING:
    from pathlib import Path

NAMES = st.sampled_from(
    ["a", "b", "", " ", "é", "A", "$ref", "a.b", "a/b", '"', "\\", "\x00", "x" * 300]
)
TYPES = st.sampled_from(
    ["null", "boolean", "integer", "number", "string", "object", "array", "any"]
)
JUNK: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers(-5, 5) | st.just("") | st.just([]) | st.just({})
)
POINTED = (
    "# #/ #/properties #/properties/a #/properties/a/properties/b #/definitions/a",
    "#/definitions/b/0 #/definitions/² #/definitions/c/1 http://127.0.0.1:9/x.json a #/~1~0 ## ",
)
POINTERS = st.sampled_from(" ".join(POINTED).split(" "))
SCALES = st.sampled_from([1, 0.01, 1e-50, 1e-320, 0, -1, True, "1", None, 10**40, 1.5e300, 2**63])
LEAVES = st.fixed_dictionaries(
    {},
    optional={
        "type": TYPES | st.lists(TYPES | JUNK, max_size=3) | JUNK,
        "format": st.sampled_from(["date-time", "date", "time", "singer.decimal", "uri", [], None]),
        "multipleOf": SCALES,
        "maximum": SCALES,
        "minimum": SCALES,
        "precision": SCALES,
        "scale": SCALES,
        "contentEncoding": st.sampled_from(["base64", "x", None]),
        "enum": st.lists(JUNK, max_size=3),
        "const": JUNK,
        "$ref": POINTERS | JUNK,
    },
)


def around(inner: Any) -> Any:
    several = st.lists(inner, max_size=3) | JUNK
    return st.builds(
        lambda leaf, more: leaf | more,
        LEAVES,
        st.fixed_dictionaries(
            {},
            optional={
                "properties": st.dictionaries(NAMES, inner, max_size=3) | JUNK,
                "items": inner | several,
                "anyOf": several,
                "oneOf": several,
                "allOf": several,
                "additionalProperties": inner,
            },
        ),
    )


PROPERTIES = st.recursive(LEAVES | JUNK, around, max_leaves=6)
SCHEMAS = st.fixed_dictionaries(
    {"properties": st.dictionaries(NAMES, PROPERTIES, max_size=4) | JUNK | LEAVES},
    optional={
        "definitions": st.dictionaries(NAMES, PROPERTIES, max_size=3) | JUNK,
        "required": st.lists(NAMES | JUNK, max_size=2) | JUNK,
        "$ref": POINTERS,
    },
)
VALUES = st.recursive(
    JUNK | st.sampled_from(["2026-01-01T00:00:00Z", "1.5", "YQ==", 2**64, 0.1, "é"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=4,
)


@examples(300)
@given(SCHEMAS, st.data(), st.booleans())
@example({"properties": {"a": {"type": [{}]}}}, None, True)
@example({"properties": {"a": {"type": "array", "items": {"type": {}}}}}, None, True)
@example({"properties": {"a": {"type": "number", "multipleOf": 10**5000}}}, None, False)
@example({"properties": {"a": {"type": "integer", "maximum": 10**5000}}}, None, False)
@example({"properties": {"a": {"$ref": "#/definitions/²"}}, "definitions": [1]}, None, False)
def test_schema_is_a_table_that_keeps_every_value(
    schema: dict[str, Any], data: st.DataObject | None, as_structs: Any
) -> None:
    try:
        found = columns(schema, ())
        decoder = RecordDecoder(RecordSchema("a", found, native=as_structs))
    except MessageError as error:
        said(error, "Stream a: ")
        return
    names = [column.name for column in found if column.name]
    record = data.draw(st.fixed_dictionaries(dict.fromkeys(names, VALUES))) if data else {}
    line = json.dumps({"record": record}, ensure_ascii=False).encode()
    try:
        [row] = decoder.table(line, [range(7, 8)], 0).to_pylist()
    except MessageError as error:
        said(error, "line 7 ", "another property")
        return
    assert row.pop(SEQUENCE) == 0
    for name, value in record.items():
        there = [place for place, held in row.items() if held is not None and belongs(place, name)]
        assert len(there) == (value is not None), (name, value, there)
        if (
            value is not None
            and isinstance(held := row[there[0]], str)
            and not isinstance(value, str)
        ):
            assert parsed(held) == parsed(json.dumps(value, ensure_ascii=False))


def said(error: MessageError, *words: str) -> None:
    assert any(word in str(error) for word in words), str(error)


def belongs(place: str, name: str) -> bool:
    return place == name or (place.startswith(name) and place[len(name) :].startswith("__v_"))


def deep(depth: int, *, word: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        inner: Any = [schema] if word.endswith("Of") else schema
        schema = {"type": "object", word: {"a": inner} if word == "properties" else inner}
        if word.endswith("Of"):
            del schema["type"]
    return schema


def referring(count: int, each: int) -> dict[str, Any]:
    """Return a small schema that expands beyond any memory: each part refers to the next."""
    definitions = {
        f"d{number}": {
            "type": "object",
            "properties": {
                f"p{part}": {"$ref": f"#/definitions/d{(number + part + 1) % count}"}
                for part in range(each)
            },
        }
        for number in range(count)
    }
    return {"definitions": definitions, "properties": {"a": {"$ref": "#/definitions/d0"}}}


HOSTILE = [
    *(
        {"properties": {"a": deep(1000, word=word)}}
        for word in ("properties", "items", "anyOf", "allOf")
    ),
    *(referring(count, each) for count, each in ((40, 2), (12, 12), (2000, 1))),
    {"properties": {f"p{number}": {"type": ["string", "null"]} for number in range(20_000)}},
    {"properties": {"a": {"anyOf": [{"type": "integer", "multipleOf": n} for n in range(20_000)]}}},
    {"properties": {"a": {"$ref": "#/properties/b"}, "b": {"$ref": "#/properties/a"}}},
    {"properties": {"$ref": "#/properties"}},
    {"$ref": "#", "properties": {"a": {"$ref": "#"}}},
]


@pytest.mark.parametrize("schema", HOSTILE, ids=map(str, range(len(HOSTILE))))
def test_hostile_schema_takes_little_time(schema: dict[str, Any]) -> None:
    begun = time.process_time()
    found = columns(schema, ())
    for column in found:
        native_type(column.schema)
        property_type(column.schema)
    if any(column.type for column in found):
        RecordDecoder(RecordSchema("a", found, native=True))
    assert time.process_time() - begun < 5


def test_references_are_limited_only_if_they_expand_too_far() -> None:
    """A property with many parts of its own gets its type."""
    many = [{"a": {"b": [number]}} for number in range(20_000)]
    [column] = columns({"properties": {"v": {"examples": many, "type": ["integer"]}}}, ())
    assert column.schema["type"] == ["integer"]


@examples(25)
@given(st.lists(SCHEMAS, min_size=1, max_size=2), st.sampled_from(["json", "tables"]), st.data())
def test_source_loads_the_valid_streams_and_names_the_others(
    tmp_path_factory: pytest.TempPathFactory, schemas: list[Any], nested: Any, data: st.DataObject
) -> None:
    name = data.draw(st.sampled_from(["a", "", " ", "é", "x" * 300, "_dlt_loads", "\x00", '"']))
    keys = data.draw(st.lists(NAMES, max_size=1))
    lines: list[Any] = []
    for schema in schemas:
        made = json.dumps(schema, default=str)
        lines.append(
            f'{{"type":"SCHEMA","stream":{json.dumps(name)},"schema":{made},"key_properties":'
            f"{json.dumps(keys)}}}"
        )
        record = data.draw(st.dictionaries(NAMES, VALUES, max_size=3))
        lines.append(json.dumps({"type": "RECORD", "stream": name, "record": record}))
    lines.append(json.dumps({"type": "STATE", "value": data.draw(VALUES)}))
    extracted(tmp_path_factory.mktemp("schemas"), lines, nested)


def extracted(folder: Path, lines: list[str], nested: Any = "json") -> str:
    """Extract lines, and return the error, which must be a sentence."""
    pipeline = dlt.pipeline(
        "fuzz",
        pipelines_dir=str(folder),
        destination=dlt.destinations.duckdb(str(folder / "w.duckdb")),
    )
    try:
        pipeline.extract(singer(iter(lines), nested=nested))
    except PipelineStepFailed as failed:
        cause: BaseException = failed
        while not isinstance(cause, BridgeError):
            # Without a cause, the error is not a sentence.
            cause = cause.__cause__ or cause.__context__ or raised(cause)
        return str(cause)
    return ""


def raised(error: BaseException) -> NoReturn:
    raise error


@pytest.mark.parametrize(
    ("name", "words"), [("", "empty"), (" ", "empty"), ("x" * 300, ""), ("é" * 300, "")]
)
def test_stream_without_a_valid_table_name_is_one_error(
    tmp_path: Path, name: str, words: str
) -> None:
    lines = [
        {"type": "SCHEMA", "stream": name, "schema": {"properties": {"a": {}}}},
        {"type": "RECORD", "stream": name, "record": {"a": 1}},
    ]
    said = extracted(tmp_path, [json.dumps(line) for line in lines])
    assert words in said
    assert len(said) < 250


@pytest.mark.parametrize(
    "value",
    [
        '{"a": 18446744073709551617}',
        '{"a": 1e400}',
        '{"a": "\ud83d"}',
        '{"a": "\uf026 1.5"}',
        '{"a": %s}' % ("[" * 400 + "]" * 400),
        '{"a": %s}' % ("9" * 5000),
        "null",
        "[]",
    ],
)
def test_state_that_dlt_would_change_is_refused(tmp_path: Path, value: str) -> None:
    schema = {"type": "SCHEMA", "stream": "a", "schema": {"properties": {"a": {}}}}
    lines = [json.dumps(schema), f'{{"type": "STATE", "value": {value}}}']
    assert " STATE in line 2 " in extracted(tmp_path, lines)


def test_value_that_child_tables_would_change_is_refused(tmp_path: Path) -> None:
    schema = {"properties": {"a": {"type": "array"}}}
    lines = [
        json.dumps({"type": "SCHEMA", "stream": "a", "schema": schema}),
        '{"type": "RECORD", "stream": "a", "record": {"a": [1e400]}}',
    ]
    assert "child tables" in extracted(tmp_path, lines, "tables")
    assert extracted(tmp_path / "json", lines) == ""
