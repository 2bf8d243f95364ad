"""Raw records are written as decoded ones would be."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_chat.http import responses
from tap_chat.singer.records import Conformer
from tap_chat.streams.fields import (
    any_value,
    boolean,
    integer,
    json_array,
    json_object,
    number,
    record_schema,
    text,
    timestamp,
)
from tap_chat.streams.raw_records import RawRecordReader
from tap_chat.tap import TapChat

if TYPE_CHECKING:
    from tap_chat.streams.paginators import Page

SCHEMA = record_schema(
    ("id",),
    id=text(""),
    parent=text(""),
    time=timestamp(""),
    number=number(""),
    integer=integer(""),
    flag=boolean(""),
    thing=json_object(""),
    list=json_array(""),
    any=any_value(""),
)
READER = RawRecordReader(SCHEMA, ("id",), replication_key="time", path="data.rows")

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.decimals(allow_nan=False, allow_infinity=False)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
    | st.sampled_from(["\ud83d", 10**25, Decimal("1E+400"), Decimal("5.0")])
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=5
)
NAMES = st.sampled_from([*SCHEMA["properties"]])
FITTING = st.fixed_dictionaries(
    {"id": st.text(min_size=1)},
    optional={
        "parent": st.text(),
        "time": st.datetimes().map(str),
        "number": st.integers() | st.decimals(allow_nan=False, allow_infinity=False),
        "integer": st.integers(),
        "flag": st.booleans() | st.none(),
        "thing": st.dictionaries(st.text(), VALUES),
        "list": st.lists(VALUES),
        "any": VALUES,
    },
)
RECORDS = st.lists(FITTING | st.dictionaries(NAMES | st.text(), VALUES), max_size=3)


def spell(value: Any, *, ascii_only: bool, indent: int | None) -> str:
    """Decode JSON with exact decimals."""
    decimals: dict[str, str] = {}

    def marked(part: Any) -> Any:
        match part:
            case Decimal():
                mark = f"\x00decimal {len(decimals)}\x00"
                decimals[json.dumps(mark)] = str(part)
                return mark
            case dict():
                return {name: marked(inner) for name, inner in part.items()}
            case list():
                return [marked(inner) for inner in part]
        return part

    found = json.dumps(marked(value), ensure_ascii=ascii_only, indent=indent)
    for mark, spelled in decimals.items():
        found = found.replace(mark, spelled)
    return found


def decoded(body: bytes) -> list[Any] | None:
    """Return the decoded and checked records of a page; None if the check refuses one."""
    conform = Conformer(SCHEMA, ("id",), lambda _: None).conform
    try:
        records = responses.find(responses.decode(body), "data.rows")
    except ValueError:
        return None
    if not isinstance(records, list) or any(
        not isinstance(row, dict) or conform(row) for row in records
    ):
        return None
    return records


def parsed(page: Page) -> list[Any]:
    return [responses.decode(bytes(text)) for text in page.records]


@given(
    RECORDS,
    st.booleans(),
    st.sampled_from([None, None, None, 1]),
    st.integers(0),
    st.binary(max_size=2),
)
def test_raw_page_equals_the_decoded_page_or_is_refused(
    records: list[Any], ascii_only: Any, indent: Any, place: int, noise: bytes
) -> None:
    body = {"data": {"rows": records, "next": "é"}, "total": Decimal("1.50")}
    whole = spell(body, ascii_only=ascii_only, indent=indent).encode(errors="surrogatepass")
    place %= len(whole)
    for found in (whole, whole[:place] + noise + whole[place + 1 :]):
        page = READER.read(found)
        if page is not None:
            truth = decoded(found)
            assert truth is not None
            # 5.0 is not 5 here.
            assert json.dumps(parsed(page), default=str) == json.dumps(truth, default=str)
            assert page.keys == [(row["id"],) for row in truth]
            assert page.chunk.bookmark_values == [row.get("time") for row in truth]
            lines = b"".join(bytes(text) for text in page.records)
            assert b"\n" not in lines
            assert b"\r" not in lines


@given(st.lists(FITTING, max_size=3))
def test_page_that_matches_its_schema_is_read_raw(records: list[Any]) -> None:
    body = spell({"data": {"rows": records, "next": [1]}, "total": 3}, ascii_only=True, indent=None)
    page = READER.read(body.encode())
    if "\\ud" not in body and "E+" not in body and "E-" not in body:
        assert page is not None
        assert page.body == {"data": {"rows": None, "next": [1]}, "total": 3}


def test_parents_keys_win_over_the_records_own() -> None:
    reader = RawRecordReader(SCHEMA, ("parent", "id"), inherited=("parent",))
    page = reader.read(b'[{"id": "1"}, {"id": "2", "flag": true}]', {"parent": 'a"b'})
    assert page is not None
    assert parsed(page) == [
        {"parent": 'a"b', "id": "1"},
        {"parent": 'a"b', "id": "2", "flag": True},
    ]
    same = b'[{"parent": "a", "id": "1"}, {"id": "2"}, {"id": "3", "parent": "a"}]'
    page = reader.read(same, {"parent": "a"})
    assert page is not None
    assert parsed(page) == [{"parent": "a", "id": str(number)} for number in (1, 2, 3)]
    # And no record names its parent twice.
    assert [bytes(text).count(b"parent") for text in page.records] == [1, 1, 1]
    for other in (b'"c"', b"null", b"1", b'["a"]', b'"a", "parent": "c"'):
        body = b'[{"id": "1", "parent": "a"}, {"id": "2", "parent": %b}]' % other
        assert reader.read(body, {"parent": "a"}) is None
    numbered = reader.read(b'[{"id": "1", "parent": 1}]', {"parent": 1})
    assert numbered is not None
    assert reader.read(b'[{"id": "1", "parent": true}]', {"parent": 1}) is None


def test_records_get_several_keys_of_the_parent() -> None:
    reader = RawRecordReader(SCHEMA, ("parent", "other", "id"), inherited=("parent", "other"))
    context = {"parent": "a", "other": 2, "more": 3}
    page = reader.read(b'[{"id": "1"}, {"other": 2, "id": "2", "parent": "a"}]', context)
    assert page is not None
    assert parsed(page) == [{"parent": "a", "other": 2, "id": number} for number in "12"]
    # One of them alone is there.
    assert reader.read(b'[{"id": "1", "parent": "a"}]', context) is None


@pytest.mark.parametrize(
    "field",
    [
        {"integer": Decimal("5.0")},
        {"integer": True},
        {"flag": 1},
        {"number": "1"},
        {"thing": []},
        {"list": {}},
        {"unknown": 1, "flag": 1},
        {"id": None},
        {"time": 5},
    ],
)
def test_page_with_an_invalid_record_is_not_read_raw(field: Any) -> None:
    body = spell({"data": {"rows": [{"id": "1"} | field]}}, ascii_only=True, indent=None)
    assert READER.read(body.encode()) is None


def test_undeclared_fields_are_left_out_and_the_texts_of_the_others_kept() -> None:
    names: list[str] = []
    reader = RawRecordReader(SCHEMA, ("id",), path="data", report_undeclared=names.append)
    rows = [
        rb'{"id": "1"}',
        rb'{"new": {"id": "x"}, "id": "2", "number": 1.50e2, "any": "\u00e9", "new": 1e999999}',
        rb'{"\u006eew": 1, "i\u0064": "3", "thing": {"new": [ 1.0 ]}, "other": null}',
    ]
    page = reader.read(b'{"data": [%b], "next": 1}' % b",".join(rows))
    assert page is not None
    assert [bytes(text) for text in page.records] == [
        rb'{"id": "1"}',
        rb'{"id":"2","number":1.50e2,"any":"\u00e9"}',
        rb'{"id":"3","thing":{"new": [ 1.0 ]}}',
    ]
    assert names == ["new", "new", "other"]
    assert page.keys == [("1",), ("2",), ("3",)]


def test_records_with_undeclared_fields_get_the_keys_of_the_parent() -> None:
    reader = RawRecordReader(SCHEMA, ("parent", "id"), inherited=("parent",))
    body = b'[{"id": "1", "new": 1}, {"new": 2, "parent": "a", "id": "2"}]'
    page = reader.read(body, {"parent": "a"})
    assert page is not None
    assert parsed(page) == [{"parent": "a", "id": "1"}, {"parent": "a", "id": "2"}]


@pytest.mark.parametrize(
    "body",
    [
        b'{"data": {"rows": [{"id": "1", "thing": {"a": "\xff"}}]}}',
        b'{"data": {"rows": [{"id": "1"}]}, "next": 1e9999999999999999999}',
        b'{"data": {"rows": [{"id": "1"}]}',
        b'{"data": {"rows": {"id": "1"}}}',
        b'{"data": [{"id": "1"}]}',
        b'{"data": {"rows": null}}',
        b"",
        pytest.param(
            b'{"data": {"rows": [{"id": "1", "any": %b}]}}' % (b"[" * 100_000 + b"]" * 100_000),
            marks=pytest.mark.skipif(
                sys.version_info >= (3, 14), reason="Python 3.14 reads JSON of any depth"
            ),
        ),
    ],
)
def test_page_with_another_structure_is_not_read_raw(body: bytes) -> None:
    assert READER.read(body) is None


@pytest.mark.parametrize("keys", [(), ("any",), ("thing",), ("missing",)])
def test_page_with_keys_that_cannot_be_compared_is_not_read_raw(keys: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=r"."):
        RawRecordReader(SCHEMA, keys)


def test_streams_can_be_read_raw() -> None:
    streams = TapChat(validate_config=False).discover_streams()
    decoded = {stream.name for stream in streams if not stream.page_reader}
    # A response with one record, a stream whose records lead to those of others, a list whose
    # cursor is in its last record, and parts of records that another stream reads.
    assert decoded - {"freshchat_users_conversations"} == {
        "freshchat_account",
        "freshchat_conversations",
        "chatwoot_messages",
        "livechat_thread_events",
        "livechat_thread_users",
    }
