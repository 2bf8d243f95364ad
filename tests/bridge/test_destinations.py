"""Rows, keys, deletes and state: the same at every destination that the bridge is tested with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from bridge.destinations import MERGING, SQL
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import Stage, bookmark, record, schema

from dlt_bridge import load

if TYPE_CHECKING:
    from collections.abc import Sequence

TEXT = {"type": ["string", "null"]}
INSTANT = {"type": ["string", "null"], "format": "date-time"}
ACTIVATION = {"type": "ACTIVATE_VERSION", "stream": "a", "version": 2}
GONE = "2026-01-01T00:00:00Z"

merging = pytest.mark.parametrize("warehouse", MERGING, indirect=True)
sql = pytest.mark.parametrize("warehouse", SQL, indirect=True)


@merging
def test_last_version_of_a_key_wins_within_and_across_runs(anywhere: Stage) -> None:
    anywhere.load([schema(v=TEXT), record(id=1, v="a"), record(id=2, v="b"), record(id=1, v="c")])
    assert anywhere.into.read("a", "id", "v") == [(2, "b"), (1, "c")]
    anywhere.load([schema(v=TEXT), record(id=2, v="d"), record(id=3, v="e"), record(id=2, v="f")])
    assert anywhere.into.read("a", "id", "v") == [(1, "c"), (3, "e"), (2, "f")]


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


@merging
def test_compound_key_is_one_key(anywhere: Stage) -> None:
    head = schema(keys=("id", "k"), k={"type": "string"}, v=TEXT)
    anywhere.load([head, record(id=1, k="x", v="a"), record(id=1, k="y"), record(id=1, k="x")])
    anywhere.load([head, record(id=1, k="y", v="b"), record(id=2, k="y", v="c")])
    assert anywhere.into.read("a", "id", "k", "v") == [
        (1, "x", None),
        (1, "y", "b"),
        (2, "y", "c"),
    ]


@merging
@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ({"type": "string"}, ["", "a b", "'", '"', "é\n"]),
        ({"type": "string", "format": "date-time"}, ["2026-01-01T02:00:00+02:00", GONE]),
        ({"type": "number", "multipleOf": 0.01}, [1.25, 1.5]),
        ({"type": "boolean"}, [True, False]),
    ],
)
def test_key_of_any_type_is_a_key(anywhere: Stage, kind: dict[str, Any], values: list[Any]) -> None:
    different = 1 if "format" in kind else len(values)  # one instant, written in two ways
    for version in ("a", "b"):
        anywhere.load(
            [
                schema(keys=("k",), k=kind, v=TEXT),
                *(record(id=number, k=value, v=version) for number, value in enumerate(values)),
            ]
        )
    assert [v for (v,) in anywhere.into.read("a", "v")] == ["b"] * different


def test_stream_without_a_key_is_appended(anywhere: Stage) -> None:
    for _ in range(2):
        anywhere.load([schema(keys=()), record(id=1), record(id=1)])
    assert anywhere.into.read("a", "id") == [(1,)] * 4


def test_full_table_without_a_key_holds_the_rows_of_the_last_run(anywhere: Stage) -> None:
    anywhere.streams = {"a": "FULL_TABLE"}
    anywhere.load([schema(keys=()), record(id=1), record(id=1)])
    anywhere.load([schema(keys=()), record(id=2)])
    assert anywhere.into.read("a", "id") == [(2,)]


@merging
def test_full_table_is_merged_on_its_key(anywhere: Stage) -> None:
    anywhere.streams = {"a": "FULL_TABLE"}
    anywhere.load([schema(v=TEXT), record(id=1, v="a"), record(id=2, v="b"), record(id=1, v="c")])
    anywhere.load([schema(v=TEXT), record(id=2, v="d")])
    assert anywhere.into.read("a", "id", "v") == [(1, "c"), (2, "d")]


@sql
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        # One more key: what was one record becomes several.
        ([("id",), ("id", "k")], [(1, "x", "1"), (1, "y", "1")]),
        # One less: the last of several is the record.
        ([("id", "k"), ("id",)], [(1, "y", "1")]),
        ([("id",), ()], [(1, "y", "0"), (1, "x", "1"), (1, "y", "1")]),
        ([("id",), (), ("id",)], [(1, "y", "2")]),
        ([(), ("id",)], [(1, "y", "1")]),
        ([("id",), ("k",)], [(1, "x", "1"), (1, "y", "1")]),
        ([("id",), ("k",), ("id",)], [(1, "y", "2")]),
    ],
)
def test_key_may_change_between_runs(
    anywhere: Stage, changes: Sequence[tuple[str, ...]], expected: list[tuple[Any, ...]]
) -> None:
    for run, keys in enumerate(changes):
        head = schema(keys=keys, k={"type": "string"}, v=TEXT)
        rows = [record(id=1, k=k, v=str(run)) for k in ("x", "y")]
        anywhere.load([head, *rows])
    assert anywhere.into.read("a", "id", "k", "v") == expected


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


@sql
def test_column_that_is_no_longer_a_key_may_be_null(anywhere: Stage) -> None:
    both = schema(keys=("id", "k"), k={"type": "string"})
    anywhere.load([both, record(id=1, k="x")])
    anywhere.load([schema(k=TEXT), record(id=1, k=None), record(id=2)])
    assert anywhere.into.read("a", "id", "k") == [(1, None), (2, None)]


@merging
def test_deleted_records_stay_and_are_marked(anywhere: Stage) -> None:
    head = schema(v=TEXT, _sdc_deleted_at=INSTANT)
    anywhere.load([head, record(id=1, v="a"), record(id=2, v="b")])
    anywhere.load([head, record(id=1, v="a", _sdc_deleted_at=GONE)])
    rows = anywhere.into.read("a", "id", "v", "_sdc_deleted_at")
    assert [(number, v, bool(gone)) for number, v, gone in rows] == [
        (2, "b", False),
        (1, "a", True),
    ]


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
@pytest.mark.parametrize("keys", [("id",), ("id", "k"), ()])
def test_activated_version_holds_the_rows_of_the_last_run(
    anywhere: Stage, keys: tuple[str, ...]
) -> None:
    anywhere.streams = {"a": "FULL_TABLE"}
    head = schema(keys=keys, k={"type": "string"})
    for version, numbers in ((1, (1, 2)), (2, (2, 3)), (3, ())):
        active = ACTIVATION | {"version": version}
        rows = [record(id=number, k="x") | {"version": version} for number in numbers]
        anywhere.load([head, *rows, active])
        assert anywhere.into.read("a", "id") == [(number,) for number in numbers]


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


@merging
def test_column_that_a_later_schema_adds_is_null_before(anywhere: Stage) -> None:
    anywhere.load([schema(), record(id=1), schema(v=TEXT), record(id=2, v="x")])
    anywhere.load([schema(v=TEXT, w=TEXT), record(id=2, w="y"), record(id=3)])
    assert anywhere.into.read("a", "id", "v", "w") == [
        (1, None, None),
        (2, None, "y"),
        (3, None, None),
    ]
