"""Compiled stream maps do what the SDK's own do, for any record."""

from __future__ import annotations

import json
import logging
from copy import deepcopy
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw
from running import Runner, catalog_of, full_config
from singer_sdk.exceptions import MappingError
from singer_sdk.helpers._catalog import get_selected_schema, pop_deselected_record_properties
from singer_sdk.singerlib.catalog import SelectionMask

from tap_chat.singer import mapping
from tap_chat.singer.expressions import LONGEST_TEXT
from tap_chat.singer.sdk_maps import record_mapper
from tap_chat.singer.stream_maps import GuardedMapper
from tap_chat.singer.writer import encode_record
from tap_chat.streams.fields import (
    any_value,
    boolean,
    integer,
    json_array,
    json_object,
    number,
    record_schema,
    text,
)

if TYPE_CHECKING:
    from singer_sdk.mapper import StreamMap

    from tap_chat.sandbox import Sandbox

SCHEMA = record_schema(
    ("id",),
    id=text(""),
    type=text(""),
    email=text(""),
    count=integer(""),
    score=number(""),
    read=boolean(""),
    author=json_object("", name=text(""), home=json_object("", city=text(""), zip=text(""))),
    tags=json_array(""),
    any=any_value(""),
    config=text("A field with the name of something else."),
    self=text(""),
    properties=text(""),
)
LOG = logging.getLogger("test")

# Expressions that are compiled.
COMPILED = [
    "id",
    "record['email']",
    "_['count']",
    "record.get('score')",
    "record.get('email', 'nobody')",
    "self",
    "md5(email)",
    "sha256(record['id'])",
    "md5(config['salt'] + email)",
    "config",
    "config['limit'] + 1",
    "'fixed'",
    "5",
    "None",
    "True",
    "__stream_name__",
    "__original_stream_name__ + '/' + id",
    "str(count)",
    "int(score)",
    "float(count)",
    "bool(tags)",
    "email.lower()",
    "email.split('@')[-1]",
    "email[:3]",
    "id + '-' + email",
    "f'{id}: {count}'",
    "count * 2 + 1",
    "count / 2",
    "score + count",
    "count % 3",
    "count ** 2",
    "-count",
    "not read",
    "email if email else id",
    "email or id",
    "read and count > 0",
    "author['name']",
    "author.name",
    "author.get('home')",
    "tags[0]",
    "[id, count]",
    "tags",
    "any",
    "count in [1, 2, 3]",
    "email is None",
    "0 < count <= 10",
    "type == 'text' and (score is not None or count != 1)",
    "'x' in email",
    "email.startswith('a')",
]
# Expressions that only the SDK evaluates, or that fail for every record.
OF_THE_SDK = [
    "record",
    "self.lower()",
    "unknown",
    "record['unknown']",
    "bool(str)",
    "json.dumps(author)",
    "author.pop('name')",
    "tags.append(1)",
    "record.pop('email')",
    "record.get('unknown', 5)",
    "author.exec",
    "record.get('id', unknown)",
    "bool(author.items)",
    "email.__class__",
    "'{}'.format(id)",
    "[tag for tag in tags]",
    "{'a': id}",
    "count is 1",
    "f'{count:5}'",
    "datetime.date.fromisoformat(id)",
    "id = 5",
    f"'{'a' * (LONGEST_TEXT + 1)}'",
]
TEXTS = st.text(max_size=5) | st.sampled_from(["a@b.c", "5", "5.5", "", "\ud83d", "é\u2028", "A"])
NUMBERS = st.sampled_from(
    [0, 1, -1, 3, 10**30, Decimal("0.10"), Decimal("1E+400"), Decimal("-0.0"), Decimal("5.0")]
)
SCALARS = st.none() | st.booleans() | TEXTS | NUMBERS
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "home", "zip", "x", ""]) | TEXTS, inner, max_size=3
        )
    ),
    max_leaves=6,
)
RECORDS = st.fixed_dictionaries(
    {"id": TEXTS},
    optional={
        "type": TEXTS | st.none(),
        "email": TEXTS | st.none(),
        "count": st.sampled_from([0, 1, 2, 3, 10**30]) | st.none(),
        "score": NUMBERS | st.none(),
        "read": st.booleans() | st.none(),
        "author": st.none()
        | st.fixed_dictionaries({}, optional={"name": VALUES, "home": VALUES, "x": VALUES}),
        "tags": st.none() | st.lists(VALUES, max_size=3),
        "any": VALUES,
        "config": TEXTS,
        "self": TEXTS,
        "properties": TEXTS,
    },
)
EXPRESSIONS = st.sampled_from(COMPILED) | st.sampled_from(OF_THE_SDK)
PROPERTIES = st.sampled_from([*SCHEMA["properties"], "new", "other"])
DEFINITIONS = st.builds(
    lambda properties, options: properties | options,
    st.dictionaries(
        PROPERTIES.filter(lambda name: name != "id"),
        st.sampled_from(COMPILED) | EXPRESSIONS | st.none() | st.just("__NULL__"),
        max_size=3,
    ),
    st.fixed_dictionaries(
        {},
        optional={
            "__filter__": st.sampled_from(COMPILED) | EXPRESSIONS,
            "__else__": st.none(),
            "__alias__": st.just("other_name"),
            "__key_properties__": st.sampled_from([[], ["id"]]),
        },
    ),
).map(lambda definition: definition | ({"id": "id"} if "__else__" in definition else {}))
FLATTENING = st.none() | st.builds(
    lambda depth, separator, length: {
        "flattening_enabled": True,
        "flattening_max_depth": depth,
        "flattening_separator": separator,
        "flattening_max_key_length": length,
    },
    st.integers(0, 3),
    st.sampled_from(["__", "."]),
    st.sampled_from([255, 10]),
)
BREADCRUMBS = st.sampled_from(
    [
        ("properties", "email"),
        ("properties", "count"),
        ("properties", "any"),
        ("properties", "author"),
        ("properties", "author", "properties", "name"),
        ("properties", "author", "properties", "home"),
        ("properties", "author", "properties", "home", "properties", "zip"),
        ("properties", "any", "properties", "name"),
    ]
)
MASKS = st.dictionaries(BREADCRUMBS, st.booleans(), max_size=4).map(
    lambda entries: SelectionMask({(): True} | entries)
)


def stream_map(
    definition: Any, flattening: dict[str, Any] | None, mask: SelectionMask
) -> StreamMap:
    maps = {} if definition == {} else {"stream_maps": {"messages": deepcopy(definition)}}
    config = maps | (flattening or {}) | {"stream_map_config": {"salt": "é", "limit": 2}}
    mapper = GuardedMapper(config, LOG)
    schema = get_selected_schema("messages", deepcopy(SCHEMA), mask)
    mapper.register_raw_stream_schema("messages", schema, ["id"])
    [found] = mapper.stream_maps["messages"]
    return found


def compiled(found: StreamMap, mask: SelectionMask | None = None) -> mapping.RecordMapper:
    return record_mapper(found, frozenset(SCHEMA["properties"]), mask or SelectionMask())


def mapped_by_sdk(stream_map: StreamMap, mask: SelectionMask, record: dict[str, Any]) -> Any:
    """Return a record as the SDK's own loop writes it; or its error."""
    record = deepcopy(record)
    pop_deselected_record_properties(record, SCHEMA, mask)
    try:
        mapped = stream_map.transform(record)
    except MappingError as error:
        return str(error)
    return None if mapped is None else exact(encode_record(mapped))


def exact(line: bytes) -> Any:
    """Return the value of a line, with numbers as they are spelled, and the order of the names."""
    return json.dumps(json.loads(line, parse_float=lambda number: f"Decimal {Decimal(number)}"))


def mapped_here(mapper: mapping.RecordMapper, record: dict[str, Any] | Raw) -> Any:
    try:
        mapped = list(mapper.map([record]))
    except MappingError as error:
        return str(error)
    if not mapped:
        return None
    return exact(bytes(mapped[0]) if isinstance(mapped[0], Raw) else encode_record(mapped[0]))


@given(DEFINITIONS, FLATTENING, MASKS, st.lists(RECORDS, min_size=1, max_size=4))
@example(
    {"email": "author.pop('name')", "tags": "tags"},
    None,
    SelectionMask(),
    [{"id": "1", "author": {"name": "x"}}],
)
@example({"__filter__": "email"}, None, SelectionMask(), [{"id": "1"}])
@example({"new": "record.get('id', email)"}, None, SelectionMask(), [{"id": "1"}])
def test_records_are_mapped_as_by_the_sdk(
    definition: dict[str, Any],
    flattening: dict[str, Any] | None,
    mask: SelectionMask,
    records: list[dict[str, Any]],
) -> None:
    try:
        found = stream_map(definition, flattening, mask)
    except Exception:  # noqa: BLE001 - the SDK refuses the map before a record is read
        return
    mapper = compiled(found, mask)
    for record in records:
        truth = mapped_by_sdk(found, mask, record)
        assert mapped_here(mapper, deepcopy(record)) == truth
        line = encode_record(record)
        assert mapped_here(mapper, Raw(line)) == truth


@pytest.mark.parametrize("expression", COMPILED)
def test_common_expressions_are_compiled(expression: str) -> None:
    for definition in ({"email": expression}, {"__filter__": expression.replace("self", "id")}):
        mapper = compiled(stream_map(definition, None, SelectionMask()))
        assert mapper.is_compiled, definition


@pytest.mark.parametrize("expression", OF_THE_SDK)
def test_other_expressions_are_left_to_the_sdk(expression: str) -> None:
    found = stream_map({"new": expression}, None, SelectionMask())
    assert not compiled(found).is_compiled


def test_compiled_map_does_not_ask_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    definition = {
        "__filter__": "type == 'text' and count > 1",
        "__else__": None,
        "id": "id",
        "who": "md5(config['salt'] + email)",
        "amount": "score",
        "author": "author",
    }
    flattening = {"flattening_enabled": True, "flattening_max_depth": 2}
    found = stream_map(definition, flattening, SelectionMask())
    mapper = compiled(found)
    monkeypatch.setattr(type(found), "transform", None)
    lines = [
        b'{"id": "1", "type": "text", "count": 2, "email": "a", "score": 1.50, "author": %b}'
        % b'{"home": {"zip": 1e400}}',
        b'{"id": "2", "type": "note", "count": 2, "email": "b", "score": 2}',
    ]
    [mapped] = mapper.map(map(Raw, lines))
    assert isinstance(mapped, Raw)
    assert bytes(mapped) == (
        b'{"id":"1","who":"1e11c16bd6c77c44466d9ea22c3e6ac0","amount":1.50,'
        b'"author__home__zip":1E+400}'
    )


def test_value_that_no_expression_uses_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    found = stream_map({"who": "email", "email": None}, None, SelectionMask())
    mapper = compiled(found)
    monkeypatch.setattr(mapping, "decode", None)
    digits = b"9" * 5000
    [mapped] = mapper.map([Raw(b'{"id":"1","email":"a\\u0062","any":%b}' % digits)])
    assert bytes(mapped) == b'{"id":"1","any":%b,"who":"a\\u0062"}' % digits  # type: ignore[arg-type]


def test_map_of_a_stream_that_is_not_selected_filters_and_fails_no_run(
    tap: Runner, sandbox: Sandbox
) -> None:
    parent, child = "freshchat_users_conversations", "freshchat_conversations_messages"
    maps = {parent: {"__filter__": "id < 'c'"}, child: {"message_parts": "__NULL__"}}
    catalog = deepcopy(catalog_of(parent, child, "freshchat_conversations"))
    for entry in catalog["streams"]:
        for part in entry["metadata"]:
            if not part["breadcrumb"]:
                part["metadata"]["selected"] = entry["tap_stream_id"] not in maps
    run = tap(full_config(sandbox, "freshchat") | {"stream_maps": maps}, catalog=catalog)
    assert run.code == 0, run.err
    found = {row["conversation_id"] for row in run.rows("freshchat_conversations")}
    every = {row["conversation_id"] for row in sandbox.world.truth["freshchat_conversations"]}
    assert found == {name for name in every if name < "c"} != every
    assert len(found) == len(run.records) > 0
