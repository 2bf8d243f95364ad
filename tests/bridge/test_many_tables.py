"""Many tables: the same rows as one by one, and work that does not grow with their square."""

from __future__ import annotations

import json
from collections import Counter
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import dlt
import pytest
from bridge.destinations import DATASET
from dlt.common.configuration import inject
from dlt.common.destination import utils as destination_utils
from dlt.common.schema import utils as schema_utils
from dlt.common.storages.load_package import PackageStorage
from dlt.common.storages.schema_storage import SchemaStorage
from dlt.load.load import Load
from staging import Stage, bookmark, record, schema

from dlt_bridge import load, singer
from dlt_bridge.destinations import quick_load
from dlt_bridge.destinations.quick_tables import quick_tables
from dlt_bridge.destinations.staging import separate_staging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WORKERS = 5
# More than the jobs that dlt runs side by side.
STREAMS = 12
TEXT = {"type": ["string", "null"]}
SQL = ["duckdb", "postgres", "exact postgres"]


class Killed(BaseException):
    """The process ends here."""


@pytest.fixture(scope="module", autouse=True)
def few_workers() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LOAD__WORKERS", str(WORKERS))
        yield


def lines(
    run: int, *, streams: int = STREAMS, rows: int = 3, keys: tuple[str, ...] = ("id",)
) -> Iterator[str]:
    """Yield the lines of a run: rows of earlier runs change, and every tenth stream has a column
    more in the third run."""
    for number in range(streams):
        name, extra = f"s{number}", {"extra": TEXT} if run >= 2 and number % 10 == 0 else {}
        yield json.dumps(schema(name, keys, v=TEXT, **extra))
        for row in range(run, run + rows):
            values = {"v": f"{run}.{row}"} | dict.fromkeys(extra, f"x{row}")
            yield json.dumps(record(name, id=row, **values))
        yield json.dumps(record(name, id=run, v=f"last of {run}"))
    yield json.dumps(bookmark(**{f"s{number}": run for number in range(streams)}))


def truth(runs: int, *, rows: int = 3) -> list[tuple[int, str]]:
    """Return the rows of each table after these runs."""
    values: dict[int, str] = {}
    for run in range(runs):
        values |= {row: f"{run}.{row}" for row in range(run, run + rows)}
        values[run] = f"last of {run}"
    return sorted(values.items())


def stored(into: Any) -> list[list[tuple[Any, ...]]]:
    """Return `id` and `v` of each table, by one query: a connection for each would take long."""
    tables: list[list[tuple[Any, ...]]] = [[] for _ in range(STREAMS)]
    one_by_one = (f"select {n}, id, v from {DATASET}.s{n}" for n in range(STREAMS))
    for number, *row in into.query(" union all ".join(one_by_one)):
        tables[number].append(tuple(row))
    return [sorted(rows) for rows in tables]


@pytest.mark.parametrize("warehouse", SQL, indirect=True)
def test_three_runs_leave_the_last_rows_of_every_table(anywhere: Stage) -> None:
    for run in range(3):
        load(anywhere.pipeline, singer(lines(run), name="many"))
        assert stored(anywhere.into) == [truth(run + 1)] * STREAMS
    # The last record of a run lacks the column.
    assert sorted(anywhere.into.read("s10", "id", "extra"))[2:] == [(2, None), (3, "x3"), (4, "x4")]
    assert anywhere.pipeline.state["sources"]["many"]["singer"]["bookmarks"]["s7"] == 2


@pytest.mark.parametrize("warehouse", ["parquet"], indirect=True)
def test_files_of_many_tables_hold_every_record(anywhere: Stage) -> None:
    for run in range(2):
        load(anywhere.pipeline, singer(lines(run, keys=()), name="many"))
    for number in range(STREAMS):
        assert sorted(anywhere.into.read(f"s{number}", "id")) == [
            (0,),
            (0,),
            (1,),
            (1,),
            (1,),
            (2,),
            (2,),
            (3,),
        ]


def test_many_tables_of_sqlite_hold_the_last_rows(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    for run in range(2):
        pipeline = dlt.pipeline(
            "many",
            pipelines_dir=str(tmp_path),
            destination=dlt.destinations.sqlalchemy(f"sqlite:///{path}"),
            dataset_name="data",
        )
        load(pipeline, singer(lines(run), name="many"))
    with pipeline.sql_client() as client:
        for number in range(STREAMS):
            rows = client.execute_sql(f"SELECT id, v FROM data.s{number} ORDER BY id")
            assert [tuple(row) for row in rows or ()] == truth(2)


@pytest.mark.parametrize("warehouse", SQL, indirect=True)
def test_tables_are_merged_in_groups(anywhere: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quick_load, "MERGED_TOGETHER", 5)
    for run in range(2):
        [info] = load(anywhere.pipeline, singer(lines(run), name="many"))
        [package] = info.load_packages
        formats = Counter(job.job_file_info.file_format for job in package.jobs["completed_jobs"])
        assert formats["sql"] == 3
        assert not package.jobs["started_jobs"]
        assert not package.jobs["new_jobs"]
    assert stored(anywhere.into) == [truth(2)] * STREAMS


def test_tables_without_a_key_and_large_files_are_loaded_one_by_one(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def records() -> Iterator[str]:
        for number in range(10):
            yield json.dumps(schema(f"s{number}", keys=() if number < 3 else ("id",), v=TEXT))
            # At random, so that files can't compress it.
            yield json.dumps(record(f"s{number}", id=1, v=token_hex(9_000 if number < 5 else 1)))

    merged = []
    make = quick_load.MergeOfTables.from_table_chain.__func__  # type: ignore[attr-defined]

    def noting(cls: Any, tables: Any, client: Any) -> Any:
        merged.append([table["name"] for table in tables])
        return make(cls, tables, client)

    monkeypatch.setattr(quick_load.MergeOfTables, "from_table_chain", classmethod(noting))
    monkeypatch.setattr(quick_load, "SMALL_BYTES", 4_000)
    for _ in range(2):
        load(stage.pipeline, singer(records(), name="many"))
    assert merged == [[f"s{number}" for number in range(5, 10)]] * 2
    counts = [len(stage.into.read(f"s{number}", "id")) for number in range(10)]
    assert counts == [2, 2, 2, 1, 1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("resume", ["bridge", "dlt"])
@pytest.mark.parametrize("warehouse", ["duckdb", "postgres"], indirect=True)
@pytest.mark.parametrize(
    ("step", "call"),
    [
        (PackageStorage.import_job, 0),
        (PackageStorage.complete_job, 0),
        (PackageStorage.complete_job, 7),
        (PackageStorage.complete_job, STREAMS - 1),
        (PackageStorage.complete_job, STREAMS + 1),
        (PackageStorage.clear_pending_transition, 3),
        (PackageStorage.start_job, STREAMS + 1),
    ],
)
def test_killed_merges_are_continued(
    anywhere: Stage,
    monkeypatch: pytest.MonkeyPatch,
    step: Callable[..., Any],
    call: int,
    resume: str,
) -> None:
    load(anywhere.pipeline, singer(lines(0), name="many"))
    calls = 0

    def killing(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > call:
            raise Killed
        return step(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(PackageStorage, step.__name__, killing)
        with pytest.raises(Killed):
            load(anywhere.pipeline, singer(lines(1), name="many"))
    again = anywhere.new_pipeline("pipelines")
    assert again.list_normalized_load_packages()
    if resume == "bridge":
        load(again, singer(lines(1), name="many"))
    else:
        # The package was made for the staging dataset of this pipeline.
        separate_staging(again)
        # With more workers, dlt may merge a table twice at the same time, as it always could. The
        # variable would count for more than the argument.
        monkeypatch.delenv("LOAD__WORKERS")
        again.load(workers=1)
    assert stored(anywhere.into) == [truth(2)] * STREAMS
    load(again, singer(lines(2), name="many"))
    assert stored(anywhere.into) == [truth(3)] * STREAMS


def test_no_table_is_merged_twice_after_a_kill(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete = PackageStorage.complete_job

    def killing(self: Any, load_id: str, name: str) -> Any:
        if name.startswith("s6"):
            raise Killed
        return complete(self, load_id, name)

    with monkeypatch.context() as patch:
        patch.setattr(PackageStorage, "complete_job", killing)
        with pytest.raises(Killed):
            load(stage.pipeline, singer(lines(0), name="many"))
    [leftover, _] = load(stage.new_pipeline("pipelines"), singer(lines(0), name="many"))
    jobs = leftover.load_packages[0].jobs["completed_jobs"]
    assert sum(job.job_file_info.file_format == "sql" for job in jobs) == 1


def test_work_grows_with_the_tables_and_not_with_their_square(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: Counter[str] = Counter()

    def counting(owner: Any, name: str) -> None:
        plain = getattr(owner, name)

        def counted(*arguments: Any, **options: Any) -> Any:
            counts[name] += 1
            return plain(*arguments, **options)

        monkeypatch.setattr(owner, name, counted)

    counting(PackageStorage, "get_load_package_jobs")
    counting(SchemaStorage, "load_schema")
    counting(Load, "create_followup_jobs")
    counting(Load, "_persist_job_metrics_to_state")
    found = []
    for streams in (10, 30):
        folder = tmp_path / str(streams)
        folder.mkdir()
        stage = Stage(folder)
        for run in range(2):
            counts.clear()
            load(stage.pipeline, singer(lines(run, streams=streams), name="many"))
        found.append(dict(counts))
    few, many = found
    assert few["load_schema"] == many["load_schema"]
    # Files are listed for each group of tables, and for dlt's own.
    assert many["get_load_package_jobs"] <= few["get_load_package_jobs"] + 3
    assert many["create_followup_jobs"] <= few["create_followup_jobs"] + 3


def test_functions_of_dlt_are_its_own_again_afterwards(stage: Stage) -> None:
    def current() -> list[Any]:
        return [
            inject.resolve_configuration,  # type: ignore[attr-defined]
            schema_utils.get_nested_tables,
            destination_utils.prepare_load_table,
        ]

    before = current()
    with quick_tables(), quick_tables():
        assert not any(now is then for now, then in zip(current(), before, strict=True))
    assert current() == before
    load(stage.pipeline, singer(lines(0, streams=2), name="many"))
    assert current() == before
