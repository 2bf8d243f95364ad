"""Groups of tables that can't be merged: each table is merged as dlt does, and one fails alone."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
from dlt.common.storages.load_package import PackageStorage
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import Stage, bookmark, record, schema

from dlt_bridge import load, singer
from dlt_bridge.destinations import quick_load
from dlt_bridge.run.checkpoints import committed_packages
from dlt_bridge.run.failures import sentence

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = {"type": ["string", "null"]}


class Killed(BaseException):
    """The process ends here."""


def unique(run: int, *, twice: str = "") -> Iterator[str]:
    """Yield the lines of a run whose values are unique in each table, except in one."""
    for number in range(8):
        name = f"s{number}"
        yield json.dumps(schema(name, v=TEXT))
        for row in range(run, run + 3):
            yield json.dumps(record(name, id=row, v="same" if name == twice else f"{run}.{row}"))
    yield json.dumps(bookmark(run=run))


def stored(stage: Stage, number: int) -> list[tuple[Any, ...]]:
    return sorted(stage.into.read(f"s{number}", "id", "v"))


@pytest.mark.parametrize("warehouse", ["duckdb", "postgres"], indirect=True)
def test_table_that_cannot_be_merged_fails_alone_and_by_its_name(anywhere: Stage) -> None:
    database: Any = anywhere.into
    load(anywhere.pipeline, singer(unique(0), name="many"))
    database.execute("create unique index once on data.s5 (v)")
    packages = committed_packages(anywhere.pipeline, singer(unique(1, twice="s5"), name="many"))
    with pytest.raises(PipelineStepFailed) as failed:
        list(packages)
    assert "table `s5`" in sentence(failed.value)
    others = [number for number in range(8) if number != 5]
    for number in others:
        assert (1, "1.1") in stored(anywhere, number)
    assert (1, "same") not in stored(anywhere, 5)
    database.execute("drop index data.once")
    load(anywhere.pipeline, singer(unique(2), name="many"))
    for number in others:
        assert stored(anywhere, number)[:2] == [(0, "0.0"), (1, "1.1")]
    assert stored(anywhere, 5)[:3] == [(0, "0.0"), (1, "same"), (2, "2.2")]


@pytest.mark.parametrize("call", [1, 4, 8])
def test_killed_while_tables_of_a_failed_group_get_merges_of_their_own(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    database: Any = stage.into
    load(stage.pipeline, singer(unique(0), name="many"))
    database.execute("create unique index once on data.s5 (v)")
    step, calls = PackageStorage.import_job, 0

    def killing(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > call:
            raise Killed
        return step(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(PackageStorage, "import_job", killing)
        with pytest.raises(Killed):
            load(stage.pipeline, singer(unique(1, twice="s5"), name="many"))
    database.execute("drop index data.once")
    [leftover, _] = load(stage.new_pipeline("pipelines"), singer(unique(2), name="many"))
    jobs = leftover.load_packages[0].jobs["completed_jobs"]
    merged = Counter(
        job.job_file_info.table_name for job in jobs if job.job_file_info.file_format == "sql"
    )
    # The first one also has the name of the group.
    assert merged == {"s0": 2} | {f"s{number}": 1 for number in range(1, 8)}
    for number in range(8):
        changed = "same" if number == 5 else "1.1"
        assert stored(stage, number)[:3] == [(0, "0.0"), (1, changed), (2, "2.2")]


@pytest.mark.parametrize("warehouse", ["postgres"], indirect=True)
def test_merges_do_not_wait_for_programs_that_write_into_a_table(
    anywhere: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quick_load, "LOCK_TIMEOUT", "100ms")
    load(anywhere.pipeline, singer(unique(0), name="many"))
    database: Any = anywhere.into
    with closing(psycopg2.connect(database.url)) as writer:
        # As VACUUM, or as an UPDATE of another row.
        writer.cursor().execute("lock table data.s5 in share update exclusive mode")
        load(anywhere.pipeline, singer(unique(1), name="many"))
    for number in range(8):
        assert (1, "1.1") in stored(anywhere, number)
