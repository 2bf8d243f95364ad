"""DuckDB merges a large file itself: the rows are those of dlt's own way, killed or not."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from bridge.destinations import DATA
from dlt.common.storages.load_package import PackageStorage
from dlt.destinations import duckdb as dlt_duckdb
from dlt.destinations.sql_jobs import SqlMergeFollowupJob
from dlt.load.load import Load
from dlt.pipeline.exceptions import PipelineStepFailed
from fuzz.effort import examples
from hypothesis import given
from hypothesis import strategies as st
from staging import Stage, record, schema

from dlt_bridge.destinations import duckdb_merge
from dlt_bridge.destinations.duckdb_file import with_quick_paths
from dlt_bridge.destinations.staging import separate_staging
from dlt_bridge.tables import sink

if TYPE_CHECKING:
    from collections.abc import Sequence

PROPERTIES: dict[str, Any] = {
    "n": {"type": ["integer", "null"]},
    "price": {"type": ["number", "null"], "multipleOf": 0.01},
    "at": {"type": ["string", "null"], "format": "date-time"},
    "more": {"type": ["object", "null"]},
    "_sdc_deleted_at": {"type": ["string", "null"], "format": "date-time"},
}
VALUES: dict[str, Any] = {
    # Some do not fit their column, and go into a variant.
    "n": st.sampled_from([None, 1, 2**63, "x"]),
    "price": st.sampled_from([None, 0.25, 12345678.99]),
    "at": st.sampled_from([None, "2026-01-02T03:04:05+01:00", "soon"]),
    "more": st.sampled_from([None, {}, {"a": [1.10]}]),
    "_sdc_deleted_at": st.sampled_from([None, None, "2026-01-01T00:00:00Z"]),
}
# One run: which properties its SCHEMA has, and its records.
RUN = st.sets(st.sampled_from(sorted(PROPERTIES))).flatmap(
    lambda names: st.tuples(
        st.just(names),
        st.lists(
            st.fixed_dictionaries(
                {"id": st.integers(0, 4)}, optional={name: VALUES[name] for name in names}
            ),
            min_size=1,
            max_size=12,
        ),
    )
)


@pytest.fixture(autouse=True)
def _any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(duckdb_merge, "LEAST_BYTES", 0)


def staged(stage: Stage, table: str = "a") -> int:
    """Return how many rows of a table dlt has copied into the staging dataset."""
    tables = stage.rows(
        "select table_schema from information_schema.tables"
        f" where table_name = '{table}' and table_schema like '%staging%'"
    )
    return sum(stage.rows(f"select count(*) from {name}.{table}")[0][0] for (name,) in tables)


def take_dlts_way(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(duckdb_merge, "with_direct_merge", lambda destination: destination)


# Several tables in a load, which takes as long as that of one.
@examples(3)
@given(st.lists(st.fixed_dictionaries(dict.fromkeys("abc", RUN)), min_size=2, max_size=3))
def test_rows_are_those_of_dlts_own_way(runs: list[dict[str, tuple[set[str], list[Any]]]]) -> None:
    results = []
    for direct in (True, False):
        with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
            patch.setattr(duckdb_merge, "LEAST_BYTES", 0)
            if not direct:
                take_dlts_way(patch)
            stage = Stage(Path(folder), dict.fromkeys("abc", "INCREMENTAL"))
            for run in runs:
                lines = []
                for name, (properties, records) in run.items():
                    lines.append(
                        schema(name, **{key: PROPERTIES[key] for key in sorted(properties)})
                    )
                    lines += [record(name, **values) for values in records]
                stage.load(lines)
            assert {staged(stage, name) > 0 for name in "abc"} == {not direct}
            rows = [stage.rows(f"select {DATA} from data.{name} order by id") for name in "abc"]
            results.append((rows, [stage.rows(f"describe data.{name}") for name in "abc"]))
    assert results[0] == results[1]


FIRST = [schema(v={"type": "integer"}), record(id=1, v=1), record(id=2, v=1), record(id=2, v=2)]
SECOND = [schema(v={"type": "integer"}), record(id=2, v=3), record(id=3, v=3), record(id=3, v=4)]


@pytest.mark.parametrize("marked", [True, False], ids=["after the mark", "before the mark"])
@pytest.mark.parametrize("first_direct", [True, False], ids=["begun here", "begun by dlt"])
def test_killed_load_is_continued_in_either_way(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, *, first_direct: bool, marked: bool
) -> None:
    """The process ends when the rows of the file are in the database, and dlt does not know it."""
    stage.load(FIRST)

    def killed(*_: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patch:
        if not first_direct:
            take_dlts_way(patch)
            stage.pipeline = stage.new_pipeline("pipelines")
        patch.setattr(Load, "create_followup_jobs", killed)
        if not marked:
            patch.setattr(PackageStorage, "save_pending_transition", lambda *_: None)
        with pytest.raises(PipelineStepFailed):
            stage.load(SECOND)
    assert stage.rows("select max(v) from data.a") == [(4 if first_direct else 2,)]
    assert staged(stage) == (0 if first_direct else len(SECOND) - 1)
    database = str(stage.folder / "w.duckdb")
    other: Any = dlt_duckdb(database) if first_direct else duckdb_merge.duckdb(database)
    pipeline = stage.new_pipeline("pipelines")
    pipeline.destination = other
    separate_staging(pipeline)
    pipeline.load()
    assert not pipeline.has_pending_data
    assert stage.rows("select id, v from data.a order by id") == [(1, 1), (2, 3), (3, 4)]


@pytest.mark.parametrize("least_bytes", [0, 1_000_000], ids=["large", "small"])
def test_failed_merge_changes_nothing_and_is_repeated(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, least_bytes: int
) -> None:
    monkeypatch.setattr(duckdb_merge, "LEAST_BYTES", least_bytes)
    stage.load(FIRST)
    make = SqlMergeFollowupJob.generate_sql

    def with_error(tables: Sequence[Any], client: Any) -> list[str]:
        delete, insert = make(tables, client)
        return [delete, "SELECT * FROM data.missing;", insert]

    with monkeypatch.context() as patch:
        patch.setattr(SqlMergeFollowupJob, "generate_sql", with_error)
        with pytest.raises(PipelineStepFailed):
            stage.load(SECOND)
    assert stage.rows("select id, v from data.a order by id") == [(1, 1), (2, 2)]
    database: Any = stage.into
    database.execute("create table data.missing (id integer)")
    stage.pipeline.load()
    assert stage.rows("select id, v from data.a order by id") == [(1, 1), (2, 3), (3, 4)]


@pytest.mark.parametrize("least_bytes", [0, 1_000_000], ids=["large", "small"])
@pytest.mark.parametrize("columns", ["id", "id, v"])
def test_table_with_a_unique_index_is_merged(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, columns: str, least_bytes: int
) -> None:
    monkeypatch.setattr(duckdb_merge, "LEAST_BYTES", least_bytes)
    database: Any = stage.into
    stage.load(FIRST)
    database.execute(f"create unique index once on data.a ({columns})")
    for _ in range(2):
        stage.load(SECOND)
    assert (staged(stage) > 0) == (least_bytes > 0)
    assert stage.rows("select id, v from data.a order by id") == [(1, 1), (2, 3), (3, 4)]


def test_several_files_take_dlts_way(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink, "BATCH_ROWS", 2)
    monkeypatch.setenv("DATA_WRITER__FILE_MAX_ITEMS", "1")
    monkeypatch.setenv("DATA_WRITER__BUFFER_MAX_ITEMS", "1")
    stage.load(FIRST)
    # A column that only later rows have: they are in another file.
    later = [schema(v={"type": "integer"}, w={"type": "integer"}), record(id=2, v=5, w=5)]
    stage.load([*SECOND, *later, record(id=1, v=6, w=6)])
    jobs = stage.pipeline.last_trace.last_load_info.load_packages[0].jobs["completed_jobs"]  # type: ignore[union-attr]
    assert sum(job.job_file_info.table_name == "a" for job in jobs) > 2
    assert staged(stage) > 0
    assert stage.rows("select id, v, w from data.a order by id") == [
        (1, 6, 6), (2, 5, 5), (3, 4, None),
    ]  # fmt: skip


def test_child_tables_are_merged_with_their_parents(stage: Stage) -> None:
    head = schema(tags={"type": "array", "items": {"type": "string"}})
    options = {"nested": "tables"}
    stage.load([head, record(id=1, tags=["x"]), record(id=2, tags=["y", "z"])], options=options)
    stage.load([head, record(id=2, tags=["w"]), record(id=3, tags=[])], options=options)
    assert stage.rows("select id from data.a order by id") == [(1,), (2,), (3,)]
    assert stage.rows("select value from data.a__tags order by value") == [("w",), ("x",)]


def test_other_destinations_stay_as_they_are() -> None:
    other = object()
    assert duckdb_merge.with_direct_merge(other) is other  # type: ignore[arg-type]
    given_by_user: Any = dlt_duckdb("x.duckdb", destination_name="y", naming_convention="direct")
    ours = duckdb_merge.with_direct_merge(given_by_user)
    assert (ours.destination_type, ours.destination_name) == ("dlt.destinations.duckdb", "y")
    assert ours.config_params == given_by_user.config_params
    assert ours.caps_params == given_by_user.caps_params
    assert duckdb_merge.with_direct_merge(ours) is ours


def test_commands_merge_files_themselves() -> None:
    destination = with_quick_paths(dlt_duckdb("x.duckdb"))
    assert destination.client_class is duckdb_merge.Client
    assert duckdb_merge.with_direct_merge(destination) is destination
