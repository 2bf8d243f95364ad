"""Rows, keys, deletes and state: the same at every destination that the bridge is tested with."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from bridge.destinations import EVERY, MERGING, SQL, opened
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import Stage, bookmark, record, schema

from dlt_bridge import load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

TEXT = {"type": ["string", "null"]}
INSTANT = {"type": ["string", "null"], "format": "date-time"}
ACTIVATION = {"type": "ACTIVATE_VERSION", "stream": "a", "version": 2}
GONE = "2026-01-01T00:00:00Z"

merging = pytest.mark.parametrize("warehouse", MERGING, indirect=True)
sql = pytest.mark.parametrize("warehouse", SQL, indirect=True)


@dataclass(frozen=True)
class Case:
    """A stream, which is loaded together with those of all other cases.

    Attributes:
        columns: The columns that are read after each run.
        runs: The messages of each run, and the rows after it; None if they are not looked at.
        on: The destinations.
        method: Its replication method.
    """

    columns: tuple[str, ...]
    runs: Sequence[tuple[list[dict[str, Any]], list[tuple[Any, ...]] | None]]
    on: Sequence[str] = MERGING
    method: str = "INCREMENTAL"


def key_of_type(kind: dict[str, Any], *values: Any, different: int | None = None) -> Case:
    """Return the case of a key with a type, and so many different values."""
    runs = []
    for version in ("a", "b"):
        rows = [record(id=number, k=value, v=version) for number, value in enumerate(values)]
        found = [(version,)] * (different or len(values))
        runs.append(([schema(keys=("k",), k=kind, v=TEXT), *rows], found))
    return Case(("v",), runs)


def key_that_changes(*changes: tuple[str, ...], rows: list[tuple[Any, ...]]) -> Case:
    """Return the case of a stream that has another key in each run."""
    runs = []
    for run, keys in enumerate(changes):
        head = schema(keys=keys, k={"type": "string"}, v=TEXT)
        both = [record(id=1, k=k, v=str(run)) for k in ("x", "y")]
        runs.append(([head, *both], rows if run == len(changes) - 1 else None))
    return Case(("id", "k", "v"), runs, on=SQL)


def versions(*keys: str) -> Case:
    """Return the case of a stream of which each run activates a version."""
    runs = []
    for version, numbers in ((1, (1, 2)), (2, (2, 3)), (3, ())):
        rows = [record(id=number, k="x") | {"version": version} for number in numbers]
        messages = [
            schema(keys=keys, k={"type": "string"}), *rows, ACTIVATION | {"version": version},
        ]  # fmt: skip
        runs.append((messages, [(number,) for number in numbers]))
    return Case(("id",), runs, on=SQL, method="FULL_TABLE")


COMPOUND = schema(keys=("id", "k"), k={"type": "string"}, v=TEXT)
DELETED = schema(v=TEXT, _sdc_deleted_at=INSTANT)
KEYLESS = schema(keys=())
CASES = {
    "last_version_of_a_key": Case(
        ("id", "v"),
        [
            (
                [schema(v=TEXT), record(id=1, v="a"), record(id=2, v="b"), record(id=1, v="c")],
                [(2, "b"), (1, "c")],
            ),
            (
                [schema(v=TEXT), record(id=2, v="d"), record(id=3, v="e"), record(id=2, v="f")],
                [(1, "c"), (3, "e"), (2, "f")],
            ),
        ],
    ),
    "compound_key": Case(
        ("id", "k", "v"),
        [
            (
                [COMPOUND, record(id=1, k="x", v="a"), record(id=1, k="y"), record(id=1, k="x")],
                None,
            ),
            (
                [COMPOUND, record(id=1, k="y", v="b"), record(id=2, k="y", v="c")],
                [(1, "x", None), (1, "y", "b"), (2, "y", "c")],
            ),
        ],
    ),
    "text_key": key_of_type({"type": "string"}, "", "a b", "'", '"', "é\n"),
    # One instant, written in two ways.
    "instant_key": key_of_type(
        {"type": "string", "format": "date-time"}, "2026-01-01T02:00:00+02:00", GONE, different=1
    ),
    "decimal_key": key_of_type({"type": "number", "multipleOf": 0.01}, 1.25, 1.5),
    "boolean_key": key_of_type({"type": "boolean"}, True, False),
    "appended_without_a_key": Case(
        ("id",),
        [([KEYLESS, record(id=1), record(id=1)], [(1,)] * times) for times in (2, 4)],
        on=EVERY,
    ),
    "full_table_without_a_key": Case(
        ("id",),
        [
            ([KEYLESS, record(id=1), record(id=1)], [(1,), (1,)]),
            ([KEYLESS, record(id=2)], [(2,)]),
        ],
        on=EVERY,
        method="FULL_TABLE",
    ),
    "full_table_with_a_key": Case(
        ("id", "v"),
        [
            (
                [schema(v=TEXT), record(id=1, v="a"), record(id=2, v="b"), record(id=1, v="c")],
                [(2, "b"), (1, "c")],
            ),
            ([schema(v=TEXT), record(id=2, v="d")], [(1, "c"), (2, "d")]),
        ],
        method="FULL_TABLE",
    ),
    # One more key: what was one record becomes several.
    "wider_key": key_that_changes(("id",), ("id", "k"), rows=[(1, "x", "1"), (1, "y", "1")]),
    # One less: the last of several is the record.
    "narrower_key": key_that_changes(("id", "k"), ("id",), rows=[(1, "y", "1")]),
    "lost_key": key_that_changes(("id",), (), rows=[(1, "y", "0"), (1, "x", "1"), (1, "y", "1")]),
    "lost_and_found_key": key_that_changes(("id",), (), ("id",), rows=[(1, "y", "2")]),
    "new_key": key_that_changes((), ("id",), rows=[(1, "y", "1")]),
    "other_key": key_that_changes(("id",), ("k",), rows=[(1, "x", "1"), (1, "y", "1")]),
    "other_key_and_back": key_that_changes(("id",), ("k",), ("id",), rows=[(1, "y", "2")]),
    "null_in_a_former_key": Case(
        ("id", "k"),
        [
            ([schema(keys=("id", "k"), k={"type": "string"}), record(id=1, k="x")], [(1, "x")]),
            ([schema(k=TEXT), record(id=1, k=None), record(id=2)], [(1, None), (2, None)]),
        ],
        on=SQL,
    ),
    # Deleted records stay, and are marked.
    "deleted_records": Case(
        ("id", "v", "_sdc_deleted_at"),
        [
            ([DELETED, record(id=1, v="a"), record(id=2, v="b")], None),
            (
                [DELETED, record(id=1, v="a", _sdc_deleted_at=GONE)],
                [(2, "b", None), (1, "a", datetime(2026, 1, 1, tzinfo=UTC))],
            ),
        ],
    ),
    "version": versions("id"),
    "version_of_a_compound_key": versions("id", "k"),
    "version_without_a_key": versions(),
    # It is null before.
    "column_of_a_later_schema": Case(
        ("id", "v", "w"),
        [
            ([schema(), record(id=1), schema(v=TEXT), record(id=2, v="x")], None),
            (
                [schema(v=TEXT, w=TEXT), record(id=2, w="y"), record(id=3)],
                [(1, None, None), (2, None, "y"), (3, None, None)],
            ),
        ],
    ),
}


@pytest.fixture(scope="module")
def found(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, list[Any]]]:
    """The rows of the cases of a destination after each run."""
    folder = tmp_path_factory.mktemp(request.param)
    cases = {name: case for name, case in CASES.items() if request.param in case.on}
    with opened(request, folder) as warehouse:
        stage = Stage(folder, {name: case.method for name, case in cases.items()}, warehouse)
        read: dict[str, list[Any]] = {name: [] for name in cases}
        for run in range(3):
            due = {name: case.runs[run] for name, case in cases.items() if run < len(case.runs)}
            if due:
                stage.load([{**line, "stream": name} for name in due for line in due[name][0]])
            for name, (_, rows) in due.items():
                columns = cases[name].columns
                read[name].append(None if rows is None else warehouse.read(name, *columns))
        yield read


def names(on: Sequence[str]) -> list[str]:
    return [name for name, case in CASES.items() if case.on == on]


@pytest.mark.parametrize("found", EVERY, indirect=True)
@pytest.mark.parametrize("name", names(EVERY))
def test_rows_everywhere(found: dict[str, list[Any]], name: str) -> None:
    assert found[name] == [rows for _, rows in CASES[name].runs]


@pytest.mark.parametrize("found", MERGING, indirect=True)
@pytest.mark.parametrize("name", names(MERGING))
def test_rows_where_keys_are_merged(found: dict[str, list[Any]], name: str) -> None:
    assert found[name] == [rows for _, rows in CASES[name].runs]


@pytest.mark.parametrize("found", SQL, indirect=True)
@pytest.mark.parametrize("name", names(SQL))
def test_rows_in_databases(found: dict[str, list[Any]], name: str) -> None:
    assert found[name] == [rows for _, rows in CASES[name].runs]


@merging
def test_last_version_of_a_key_wins_across_packages_of_a_run(anywhere: Stage) -> None:
    lines: list[Any] = [schema(v=TEXT)]
    for number in range(3):
        lines += [record(id=number, v="new"), record(id=0, v=f"{number}a")]
        lines += [record(id=0, v=f"{number}b"), bookmark(a={"x": number})]
    lines.append(record(id=9, v="last"))
    infos = load(
        anywhere.pipeline, anywhere.source(lines), checkpoint_every=0, **anywhere.into.options
    )
    assert len(infos) == 4
    assert anywhere.into.read("a", "id", "v") == [(1, "new"), (2, "new"), (0, "2b"), (9, "last")]


@pytest.mark.parametrize("warehouse", ["parquet"], indirect=True)
def test_files_refuse_a_key_before_anything_is_loaded(anywhere: Stage) -> None:
    with pytest.raises(PipelineStepFailed, match=r"Stream a has the key id, but .*table_format"):
        anywhere.load([schema(), record(id=1)])
    assert not anywhere.pipeline.has_pending_data
    assert not list(anywhere.folder.glob("files/data/a/*"))


@pytest.mark.parametrize("warehouse", ["parquet"], indirect=True)
def test_files_append_all_rows_of_a_key_if_asked_to(anywhere: Stage) -> None:
    anywhere.load([schema(), record(id=1), record(id=1)], run={"write_disposition": "append"})
    assert anywhere.into.read("a", "id") == [(1,), (1,)]


@pytest.mark.parametrize("warehouse", ["delta"], indirect=True)
def test_key_on_delta_may_only_become_wider(anywhere: Stage) -> None:
    """An update of several rows by one key would make them equal, and keep them all."""
    text = {"type": "string"}
    anywhere.load([schema(k=text), record(id=1, k="x")])
    wider = schema(keys=("id", "k"), k=text)
    anywhere.load([wider, record(id=1, k="x"), record(id=1, k="y")])
    assert anywhere.into.read("a", "id", "k") == [(1, "x"), (1, "y")]
    with pytest.raises(PipelineStepFailed, match="Read the stream from its start"):
        anywhere.load([schema(k=text), record(id=1, k="z")])
    assert anywhere.into.read("a", "id", "k") == [(1, "x"), (1, "y")]


@merging
def test_deleted_records_are_removed_if_asked_for(anywhere: Stage) -> None:
    head = schema(v=TEXT, _sdc_deleted_at=INSTANT)
    hard = {"hard_delete": True}
    gone = {"_sdc_deleted_at": GONE}
    anywhere.load([head, record(id=1, v="a"), record(id=2, v="b")], options=hard)
    anywhere.load(
        [
            head,
            record(id=1, **gone),  # of an earlier run
            record(id=3),
            record(id=3, **gone),  # created and deleted
            record(id=4, **gone),
            record(id=4, v="d"),  # deleted and created again
            record(id=5, **gone),  # never seen
        ],
        options=hard,
    )
    assert anywhere.into.read("a", "id", "v") == [(2, "b"), (4, "d")]


@sql
def test_activated_version_holds_over_packages(anywhere: Stage) -> None:
    anywhere.streams = {"a": "FULL_TABLE"}
    anywhere.load([schema(), record(id=1) | {"version": 1}, record(id=2) | {"version": 1}])
    lines = [
        schema(),
        record(id=2) | {"version": 2},
        bookmark(a={"x": 1}),
        record(id=3) | {"version": 2},
        bookmark(a={"x": 2}),
        ACTIVATION,
    ]
    infos = load(anywhere.pipeline, anywhere.source(lines), checkpoint_every=0)
    assert len(infos) == 3
    assert anywhere.into.read("a", "id") == [(2,), (3,)]


@pytest.mark.parametrize("warehouse", ["delta"], indirect=True)
def test_activation_is_refused_where_it_would_delete_nothing(anywhere: Stage) -> None:
    with pytest.raises(PipelineStepFailed, match="can't delete rows of older versions"):
        anywhere.load([schema(), record(id=1), ACTIVATION])
    assert not anywhere.pipeline.has_pending_data


def test_bookmark_is_restored_from_the_destination(anywhere: Stage) -> None:
    anywhere.load([schema(keys=()), record(id=1), bookmark(a={"x": 1})])
    anywhere.pipeline = anywhere.new_pipeline("another machine")
    anywhere.load([schema(keys=()), record(id=2), bookmark(a={"x": 2})])
    assert anywhere.given["state"] == {"bookmarks": {"a": {"x": 1}}}
    assert anywhere.into.read("a", "id") == [(1,), (2,)]
    anywhere.pipeline = anywhere.new_pipeline("a third")
    anywhere.load([schema(keys=())])
    assert anywhere.given["state"] == {"bookmarks": {"a": {"x": 2}}}
