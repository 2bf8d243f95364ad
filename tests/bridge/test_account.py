"""Accounts of one tap that share tables: equal keys, and rows that belong to one account alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import bookmark, record, schema

from dlt_bridge import load

if TYPE_CHECKING:
    from collections.abc import Mapping

    from staging import Stage

TEXT = {"type": ["string", "null"]}
ODD = 'O\'Brien "& Co" \\ 100% {x} %s :y 🐘 Ümlaut'
LONG = "x" * 500
SQL = pytest.mark.parametrize("warehouse", ["duckdb", "postgres", "exact postgres"], indirect=True)
KEYED = pytest.mark.parametrize("keys", [("id",), ()])


def go(
    stage: Stage,
    account: str | None,
    lines: list[Any],
    *,
    options: Mapping[str, Any] | None = None,
    **script: Any,
) -> None:
    stage.load(lines, options={"account": account, **(options or {})}, **script)


def read(stage: Stage, *columns: str) -> list[tuple[Any, ...]]:
    return sorted(stage.into.read("a", *(columns or ("_account", "id", "v"))), key=str)


@SQL
@pytest.mark.parametrize("account", [ODD, LONG, " "])
def test_equal_keys_of_accounts_are_rows_of_their_own(anywhere: Stage, account: str) -> None:
    head = schema(v=TEXT)
    go(anywhere, account, [head, record(id=1, v="a"), record(id=2, v="a")])
    go(anywhere, "acme", [head, record(id=1, v="b")])
    go(anywhere, account, [head, record(id=2, v="a2"), record(id=3, v="a")])
    go(anywhere, "acme", [head, record(id=1, v="b2")])
    assert read(anywhere) == sorted(
        [(account, 1, "a"), (account, 2, "a2"), (account, 3, "a"), ("acme", 1, "b2")], key=str
    )
    names, _ = anywhere.into.fetched("a")
    assert names[0] == "_account"


@SQL
def test_table_without_key_is_replaced_for_one_account(anywhere: Stage) -> None:
    anywhere.streams = {"a": "FULL_TABLE"}
    head = schema(keys=(), v=TEXT)
    for account in (ODD, "acme"):
        go(anywhere, account, [head, record(id=1, v=account), record(id=1, v=account)])
    go(anywhere, ODD, [head, record(id=5, v="new")])
    acme = [("acme", 1, "acme")] * 2
    assert read(anywhere) == sorted([*acme, (ODD, 5, "new")], key=str)
    go(anywhere, ODD, [head])
    assert read(anywhere) == acme


@pytest.mark.parametrize("every", [0, 600])
def test_replaced_rows_wait_for_the_end_of_the_tap(stage: Stage, every: float) -> None:
    stage.streams = {"a": "FULL_TABLE", "b": "INCREMENTAL"}
    head = schema(keys=(), v=TEXT)
    others = [schema("b"), record("b", id=1), bookmark(b=1), record("b", id=2), bookmark(b=2)]

    def run(account: str, lines: list[Any], **script: Any) -> None:
        source = stage.source(lines, options={"account": account}, **script)
        load(stage.pipeline, source, checkpoint_every=every)

    run("acme", [head, record(id=1, v="a"), *others, record(id=2, v="a")])
    run("beta", [head, record(id=1, v="b"), *others])
    with pytest.raises(PipelineStepFailed):
        run("acme", [head, record(id=3, v="a"), *others], exit=1)
    assert read(stage) == [("acme", 1, "a"), ("acme", 2, "a"), ("beta", 1, "b")]
    run("acme", [head, *others])
    assert read(stage) == [("beta", 1, "b")]
    assert stage.rows("select _account, id from data.b order by all") == [
        ("acme", 1),
        ("acme", 2),
        ("beta", 1),
        ("beta", 2),
    ]


@SQL
@KEYED
def test_versions_are_activated_for_one_account(anywhere: Stage, keys: tuple[str, ...]) -> None:
    head = schema(keys=keys, v=TEXT)

    def version(number: int, *ids: int) -> list[Any]:
        rows = [{**record(id=each, v=str(number)), "version": number} for each in ids]
        return [head, *rows, {"type": "ACTIVATE_VERSION", "stream": "a", "version": number}]

    go(anywhere, ODD, version(1, 1, 2))
    go(anywhere, "acme", version(1, 1, 2))
    go(anywhere, ODD, version(2, 2, 3))
    assert read(anywhere) == sorted(
        [("acme", 1, "1"), ("acme", 2, "1"), (ODD, 2, "2"), (ODD, 3, "2")], key=str
    )
    go(anywhere, "acme", version(3))
    assert read(anywhere) == [(ODD, 2, "2"), (ODD, 3, "2")]
