"""The query of docs/from-airbyte.md finds the rows that one of the two has alone."""

from __future__ import annotations

import duckdb
from pages.blocks import ROOT, blocks


def test_query_finds_rows_of_one_side() -> None:
    [query] = [b.text for b in blocks(ROOT / "docs/from-airbyte.md") if b.file == "compare.sql"]
    with duckdb.connect() as warehouse:
        for table, rows in {
            "chats.freshchat_users": [("a", 1), ("b", 2), ("new", 5)],
            "airbyte.users": [("a", 1), ("a", 1), ("b", 2), ("gone", 3)],
        }.items():
            warehouse.execute(f"create schema {table.partition('.')[0]}")
            warehouse.execute(f"create table {table} (id text, updated_time int)")
            for name, day in rows:
                warehouse.execute(f"insert into {table} values ('{name}', {day})")
        found = warehouse.execute(query).fetchall()
    assert found == [(1, 1, 2, 5, 3)]
