"""A pipeline creates a dataset, a table or a column that another run creates at the same time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import dlt
import psycopg2
import pytest

from dlt_bridge.postgres import postgres as exact_postgres

if TYPE_CHECKING:
    from pathlib import Path

    from postgres import PostgresServer

WAITING = "select count(*) from pg_stat_activity where wait_event_type = 'Lock'"
DLT_COLUMNS = "_dlt_load_id varchar not null, _dlt_id varchar not null unique"


@pytest.mark.parametrize(
    ("before", "at_the_same_time"),
    [
        ("select 1", "create schema raw"),
        ("create schema raw", f"create table raw.orders (id bigint, {DLT_COLUMNS})"),
        (
            f"create schema raw; create table raw.orders ({DLT_COLUMNS})",
            "alter table raw.orders add column id bigint",
        ),
    ],
)
def test_what_another_run_creates_at_the_same_time_is_used(
    postgres: PostgresServer, tmp_path: Path, before: str, at_the_same_time: str
) -> None:
    with (
        postgres.database() as url,
        closing(psycopg2.connect(url)) as other,
        closing(psycopg2.connect(url)) as observer,
        ThreadPoolExecutor(1) as thread,
    ):
        observer.autocommit = True
        look = observer.cursor()
        look.execute(before)
        other.cursor().execute(at_the_same_time)
        pipeline = dlt.pipeline(
            "acme",
            destination=exact_postgres(url),
            dataset_name="raw",
            pipelines_dir=str(tmp_path),
        )
        load = thread.submit(pipeline.run, [{"id": 1}], table_name="orders")
        while not load.done():
            look.execute(WAITING)
            if look.fetchall() == [(1,)]:
                other.commit()
        load.result()
        look.execute("select id from raw.orders")
        assert look.fetchall() == [(1,)]
