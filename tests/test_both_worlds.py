"""Both ecosystems see the same data, through the real Meltano and the real dlt."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import demo
import duckdb

from tap_chat.sandbox import World

ROWS = 3000


def rows(schema: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(demo.WAREHOUSE), read_only=True) as database:
        database.execute("set timezone = 'UTC'")
        return database.execute(
            "select id, message, strftime(timestamp::timestamp, '%Y-%m-%dT%H:%M:%S.%gZ'), user_id"
            f' from "{schema}".chat_messages order by id'
        ).fetchall()


def test_demo_brings_every_row_twice() -> None:
    done = subprocess.run(
        [sys.executable, demo.__file__, f"--messages={ROWS}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Every row arrived, in both." in done.stdout
    expected = [tuple(row.values()) for row in World(messages=ROWS).chat_messages]
    assert rows(demo.MELTANO_SCHEMA) == expected
    assert rows(demo.DLT_SCHEMA) == expected


def test_demo_fails_when_a_row_is_missing() -> None:
    expected = {"a": 2, "b": 1}
    assert demo.verdict(expected, {"a": 2, "b": 1}, {"a": 2, "b": 1}) == 0
    assert demo.verdict(expected, {"a": 1, "b": 1}, {"a": 2, "b": 1}) == 1
    assert demo.verdict(expected, {"a": 2, "b": 1}, {"a": 2, "b": 0}) == 1
