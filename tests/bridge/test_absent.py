"""Records that do not have all properties of their SCHEMA: log-based taps, and deletes."""

from __future__ import annotations

import json
import random
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import pytest
from bridge.destinations import MERGING, OWN, SQL, opened
from staging import Stage, bookmark, record, schema

from dlt_bridge import load

if TYPE_CHECKING:
    from collections.abc import Iterator


TEXT = {"type": ["string", "null"]}
INSTANT = {"type": ["string", "null"], "format": "date-time"}
GONE = "2026-01-01T00:00:00Z"
KEEP: dict[str, Any] = {"absent": "keep"}

sql = pytest.mark.parametrize("warehouse", SQL, indirect=True)
duckdb, of_sql, of_merging = (
    pytest.mark.parametrize("after", places, indirect=True) for places in (["duckdb"], SQL, MERGING)
)

DOCS = schema(title=TEXT, body=TEXT)
USERS = schema(name=TEXT, _sdc_deleted_at=INSTANT)

#: What `absent` is in the runs of the streams that are loaded together.
ABSENT = (None, "null", "keep", "keep", None)
PLAIN, NULL, KEPT, AGAIN, LAST = range(len(ABSENT))
#: Their lines, by destinations, stream and run.
RUNS: dict[tuple[str, ...], dict[str, dict[int, list[Any]]]] = {
    MERGING: {},
    SQL: {},
    ("duckdb",): {},
}
After = list[dict[str, tuple[list[str], list[tuple[Any, ...]]]]]


@pytest.fixture(scope="module", params=MERGING)
def after(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[After]:
    """The columns and rows of each stream after each run."""
    streams = {
        stream: runs
        for places, those in RUNS.items()
        for stream, runs in those.items()
        if request.param in places
    }
    folder = tmp_path_factory.mktemp("absent")
    with opened(request, folder) as warehouse:
        stage = Stage(folder, dict.fromkeys(streams, "INCREMENTAL"), warehouse)
        found: After = []
        for number, absent in enumerate(ABSENT):
            lines = [
                of(stream, line) for stream in streams for line in streams[stream].get(number, [])
            ]
            stage.load(lines, options={"absent": absent})
            found.append({stream: warehouse.fetched(stream) for stream in streams})
        yield found


def of(stream: str, line: Any) -> Any:
    """Return a message as one of a stream."""
    return line if isinstance(line, str) else {**line, "stream": stream}


def read(after: After, run: int, stream: str, *columns: str) -> list[tuple[Any, ...]]:
    """Return columns after a run; rows in the order in which the tap wrote them."""
    names, rows = after[run][stream]
    places = [names.index(column) for column in columns]
    rows = sorted(rows, key=itemgetter(names.index("_sdc_sequence")))
    return [tuple(row[place] for place in places) for row in rows]


RUNS[SQL]["updated"] = {
    PLAIN: [DOCS, record(id=1, title="t1", body="long")],
    KEPT: [DOCS, record(id=1, title="t2")],
    AGAIN: [DOCS, record(id=1, title="t3")],
    LAST: [DOCS, record(id=1, title="t4")],
}


@of_sql
def test_update_with_changed_properties_only(after: After) -> None:
    """PostgreSQL's log does not tell a TOASTed value that is as it was."""
    for run, title, body in ((KEPT, "t2", "long"), (AGAIN, "t3", "long"), (LAST, "t4", None)):
        assert read(after, run, "updated", "id", "title", "body") == [(1, title, body)]


ALL_GONE = [USERS, record(id=1, _sdc_deleted_at=GONE), record(id=3, _sdc_deleted_at=GONE)]
RUNS[MERGING]["marked"] = {
    PLAIN: [USERS, record(id=1, name="Ada"), record(id=2, name="Bob")],
    NULL: ALL_GONE,
    KEPT: ALL_GONE,
}


@of_merging
def test_row_that_is_marked_as_deleted_keeps_its_values(after: After) -> None:
    for run in (NULL, KEPT):
        rows = read(after, run, "marked", "id", "name", "_sdc_deleted_at")
        assert [(number, name, bool(gone)) for number, name, gone in rows] == [
            (2, "Bob", False),
            (1, "Ada", True),
            (3, None, True),
        ]


RUNS["duckdb",]["again"] = {
    PLAIN: [
        *[USERS, record(id=1, name="Ada"), record(id=2, name="Bob")],
        *[record(id=number, _sdc_deleted_at=GONE) for number in (1, 2)],
    ],
    KEPT: [USERS, record(id=1)],
    LAST: [USERS, record(id=2)],
}


@duckdb
def test_row_that_was_marked_as_deleted_comes_again(after: After) -> None:
    def rows(run: int) -> list[tuple[Any, ...]]:
        found = read(after, run, "again", "id", "name", "_sdc_deleted_at")
        return [(number, name, gone is not None) for number, name, gone in found]

    assert rows(PLAIN) == [(1, "Ada", True), (2, "Bob", True)]
    assert rows(LAST) == [(1, "Ada", False), (2, None, False)]


VALUES: dict[str, tuple[Any, Any]] = {
    "text": ({"type": "string"}, "ä 'x' %s"),
    "empty": ({"type": "string"}, ""),
    "big": ({"type": "integer"}, 2**63 - 1),
    "huge": ({"type": "integer", "maximum": 1e30}, 2**90),
    "real": ({"type": "number"}, 0.1),
    "money": ({"type": "number", "multipleOf": 0.01}, 12345678901234567.25),
    "truth": ({"type": "boolean"}, False),
    "at": ({"type": "string", "format": "date-time"}, "0001-01-01T00:00:00.123456Z"),
    "day": ({"type": "string", "format": "date"}, "9999-12-31"),
    "hour": ({"type": "string", "format": "time"}, "23:59:59.999999"),
    "bytes": ({"type": "string", "contentEncoding": "base64"}, "AP8="),
    "object": ({"type": "object"}, {"x": 12345678901234567890123, "y": [1.5, None, ""]}),
    "nothing": ({"type": ["string", "null"]}, None),
    "Weird Näme": ({"type": "string"}, "x"),
}


TYPES = schema(**{name: kind for name, (kind, _) in VALUES.items()}, v=TEXT)
ROW = {name: value for name, (_, value) in VALUES.items()}
RUNS[MERGING]["types"] = {
    PLAIN: [TYPES, record(id=1, **ROW, v="1"), record(id=2, **ROW)],
    KEPT: [TYPES, record(id=1, v="1")],
    # What was read back is read back.
    AGAIN: [TYPES, record(id=1, v="2")],
}


@of_merging
def test_every_type_is_kept_exactly(after: After) -> None:
    names, _ = after[AGAIN]["types"]
    kept = [name for name in names if not name.startswith(OWN) and name not in {"id", "v"}]
    assert len(kept) == len(VALUES)
    _, before = read(after, PLAIN, "types", *kept)
    for run in (KEPT, AGAIN):
        assert read(after, run, "types", *kept) == [before, before]


NUMBER = '{"x": 0.1234567890123456789012}'
RECORD = '{"type": "RECORD", "stream": "json", "record": %s}'
RUNS[SQL]["json"] = {
    PLAIN: [schema(v=TEXT, o={"type": "object"}), RECORD % f'{{"id": 1, "o": {NUMBER}}}'],
    KEPT: [schema(v=TEXT, o={"type": "object"}), RECORD % '{"id": 1, "v": "x"}'],
}


@of_sql
def test_numbers_within_json_are_kept_digit_by_digit(after: After) -> None:
    """No driver makes floats of them on the way."""
    assert read(after, KEPT, "json", "v", "o") == [("x", NUMBER)]


def test_last_value_of_each_property_wins(stage: Stage) -> None:
    """Of one key: in one package, and over checkpoints, what is there in the end is the same."""
    for every in (600, 0):
        stage.load([DOCS, record(id=1, title="old", body="old")], refresh="drop_resources")
        state = bookmark(a={"x": every})
        lines = [
            DOCS,
            record(id=1, title="a"),
            record(id=2, title="b"),
            state,
            record(id=1, body="c"),
            record(id=2, title="d", body="e"),  # whole
            record(id=3, title="f", body="g"),
            state,
            record(id=1, body=None),
            record(id=3, body="h"),
            record(id=4),
        ]
        packages = load(stage.pipeline, stage.source(lines, options=KEEP), checkpoint_every=every)
        assert (len(packages) > 1) is (every == 0)
        assert sorted(stage.into.read("a", "id", "title", "body")) == [
            (1, "a", None),
            (2, "d", "e"),
            (3, "f", "h"),
            (4, None, None),
        ]


@sql
def test_random_records_update_rows_like_dicts(
    anywhere: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dlt_bridge.tables.sink.BATCH_ROWS", 7)
    monkeypatch.setattr("dlt_bridge.tables.rows.completion.LOOKUP_KEYS", 5)
    random.seed(7)
    head = schema(keys=("id", "k"), k={"type": "string"}, a=TEXT, b={"type": "integer"}, c={})
    expected: dict[tuple[int, str], dict[str, Any]] = {}
    for _ in range(3):
        lines: list[Any] = [head]
        for _ in range(60):
            key = random.randrange(5), random.choice("xyz")
            given: dict[str, Any] = {
                "a": random.choice([None, "", "p", "q"]),
                "b": random.choice([None, 1, 2, "odd"]),
                "c": random.choice([None, 1.5, [1]]),
            }
            names = random.sample(sorted(given), random.randrange(4))
            values = {name: given[name] for name in names}
            lines.append(record(id=key[0], k=key[1], **values))
            expected.setdefault(key, dict.fromkeys(given)).update(values)
        anywhere.load(lines, options=KEEP)
        rows = anywhere.into.read("a", "id", "k", "a", "b", "b__v_text", "c")
        assert {(number, k): (a, b, odd, c) for number, k, a, b, odd, c in rows} == {
            key: (
                row["a"],
                None if row["b"] == "odd" else row["b"],
                "odd" if row["b"] == "odd" else None,
                None if row["c"] is None else json.dumps(row["c"]),
            )
            for key, row in expected.items()
        }


PRICES = schema(price={"type": "integer"}, v=TEXT)
RUNS["duckdb",]["prices"] = {
    PLAIN: [PRICES, record(id=1, price="on request"), record(id=2, price=5)],
    KEPT: [PRICES, record(id=1, v="x"), record(id=2, v="x")],
    AGAIN: [PRICES, record(id=1, price=7), record(id=2, price="none")],
}


@duckdb
def test_values_of_variants_are_kept(after: After) -> None:
    columns = ("id", "price", "price__v_text", "v")
    kept, again = (read(after, run, "prices", *columns) for run in (KEPT, AGAIN))
    assert kept == [(1, None, "on request", "x"), (2, 5, None, "x")]
    assert again == [(1, 7, None, "x"), (2, None, "none", "x")]


FEWER = schema(title=TEXT, _sdc_deleted_at=INSTANT)
RUNS["duckdb",]["fewer"] = {
    PLAIN: [DOCS, record(id=1, title="t1", body="b1"), record(id=2, title="u", body="c")],
    KEPT: [FEWER, record(id=1, title="t2")],
    LAST: [FEWER, record(id=2, _sdc_deleted_at=GONE), record(id=1, title="t3")],
}


@duckdb
def test_column_that_the_schema_lacks_is_kept(after: After) -> None:
    """It was deselected, or is gone at the source."""
    kept, last = (read(after, run, "fewer", "id", "title", "body") for run in (KEPT, LAST))
    assert kept == [(2, "u", "c"), (1, "t2", "b1")]
    assert last == [(2, "u", "c"), (1, "t3", None)]


A_AND_B = schema(a=TEXT, b=TEXT)
RUNS["duckdb",]["changing"] = {
    PLAIN: [A_AND_B, record(id=1, a="1", b="1"), record(id=2, a="1", b="1")],
    KEPT: [
        *[A_AND_B, record(id=1, a="2"), record(id=3, b="3")],
        *[schema(a=TEXT, c=TEXT), record(id=1, c="2"), record(id=3, c="3")],
    ],
}


@duckdb
def test_schema_changes_within_a_package(after: After) -> None:
    assert sorted(read(after, KEPT, "changing", "id", "a", "b", "c")) == [
        (1, "2", "1", "2"),
        (2, "1", "1", None),
        (3, None, "3", "3"),
    ]


def versioned(version: int, **values: Any) -> dict[str, Any]:
    return {**record(**values), "version": version}


def activation(version: int) -> dict[str, Any]:
    return {"type": "ACTIVATE_VERSION", "stream": "a", "version": version}


RUNS["duckdb",]["versions"] = {
    PLAIN: [DOCS, versioned(1, id=1, title="a", body="b"), versioned(1, id=2, body="c")],
    KEPT: [DOCS, activation(1), versioned(1, id=2, title="d")],
    AGAIN: [
        *[DOCS, versioned(2, id=1, title="e"), versioned(2, id=1, title="f")],
        activation(2),
    ],
}


@duckdb
def test_row_of_an_older_version_has_no_values_to_keep(after: After) -> None:
    """What is there does not depend on whether the older row is gone already."""
    kept, again = (read(after, run, "versions", "id", "title", "body") for run in (KEPT, AGAIN))
    assert kept == [(1, "a", "b"), (2, "d", "c")]
    assert again == [(1, "f", None)]
