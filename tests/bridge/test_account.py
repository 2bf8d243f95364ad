"""Accounts of one tap that share tables: equal keys, and rows that belong to one account alone."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from bridge.destinations import DATASET, opened
from dlt import pipeline
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import Stage, bookmark, record, schema

from dlt_bridge import BridgeError, chat, load, singer
from dlt_bridge.run.locks import FileLock
from dlt_bridge.tap.inputs import account_source_name
from dlt_bridge.target.target import TargetDlt
from tap_chat.sandbox import API_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from bridge.command_line import Command
    from bridge.destinations import Warehouse

    from tap_chat.sandbox import Sandbox

TEXT = {"type": ["string", "null"]}
ODD = 'O\'Brien "& Co" \\ 100% {x} %s :y 🐘 Ümlaut'
LONG = "x" * 500
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


def version(stream: str, number: int, *ids: int) -> list[Any]:
    head = schema(stream, keys=("id",) if stream == "keyed" else (), v=TEXT)
    rows = [{**record(stream, id=each, v=str(number)), "version": number} for each in ids]
    return [head, *rows, {"type": "ACTIVATE_VERSION", "stream": stream, "version": number}]


def versions(number: int, *ids: int) -> list[Any]:
    return [*version("keyed", number, *ids), *version("keyless", number, *ids)]


EQUAL = schema("equal", v=TEXT)
REPLACED = schema("replaced", keys=(), v=TEXT)
#: The streams of several tests are loaded together: the account of each run, and its lines.
RUNS: list[tuple[str, list[Any]]] = [
    (
        ODD,
        [
            *[EQUAL, record("equal", id=1, v="a"), record("equal", id=2, v="a")],
            *[REPLACED, *[record("replaced", id=1, v=ODD)] * 2],
            *versions(1, 1, 2),
        ],
    ),
    (
        "acme",
        [
            *[EQUAL, record("equal", id=1, v="b")],
            *[REPLACED, *[record("replaced", id=1, v="acme")] * 2],
            *versions(1, 1, 2),
        ],
    ),
    (
        ODD,
        [
            *[EQUAL, record("equal", id=2, v="a2"), record("equal", id=3, v="a")],
            *[REPLACED, record("replaced", id=5, v="new")],
            *versions(2, 2, 3),
        ],
    ),
    (ODD, [REPLACED]),
    ("acme", [EQUAL, record("equal", id=1, v="b2"), *versions(3)]),
]


@dataclass(frozen=True)
class Loaded:
    """What is in a destination.

    Attributes:
        into: The destination.
        after: Account, id and v of the rows after each of RUNS, by stream.
    """

    into: Warehouse
    after: list[dict[str, list[tuple[Any, ...]]]]


@pytest.fixture(scope="module", params=["duckdb", "postgres", "exact postgres"])
def loaded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Loaded]:
    folder = tmp_path_factory.mktemp("accounts")
    streams = dict.fromkeys(("equal", "keyed", "keyless"), "INCREMENTAL")
    with opened(request, folder) as warehouse:
        stage = Stage(folder, {**streams, "replaced": "FULL_TABLE"}, warehouse)
        after = []
        for account, lines in RUNS:
            go(stage, account, lines)
            after.append(
                {
                    stream: sorted(warehouse.read(stream, "_account", "id", "v"), key=str)
                    for stream in stage.streams
                }
            )
        yield Loaded(warehouse, after)


def test_equal_keys_of_accounts_are_rows_of_their_own(loaded: Loaded) -> None:
    assert loaded.after[-1]["equal"] == sorted(
        [(ODD, 1, "a"), (ODD, 2, "a2"), (ODD, 3, "a"), ("acme", 1, "b2")], key=str
    )
    names, _ = loaded.into.fetched("equal")
    assert names[0] == "_account"


def test_table_without_key_is_replaced_for_one_account(loaded: Loaded) -> None:
    _, _, replaced, emptied, _ = [found["replaced"] for found in loaded.after]
    acme = [("acme", 1, "acme")] * 2
    assert replaced == sorted([*acme, (ODD, 5, "new")], key=str)
    assert emptied == acme


@KEYED
def test_versions_are_activated_for_one_account(loaded: Loaded, keys: tuple[str, ...]) -> None:
    _, _, second, _, third = [found["keyed" if keys else "keyless"] for found in loaded.after]
    assert second == sorted(
        [("acme", 1, "1"), ("acme", 2, "1"), (ODD, 2, "2"), (ODD, 3, "2")], key=str
    )
    assert third == [(ODD, 2, "2"), (ODD, 3, "2")]


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


OWN_KEYS = [("id",), ("_account", "id"), ()]


@pytest.fixture(scope="module")
def own_accounts(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """A stream for each of OWN_KEYS, of two pipelines that take turns."""
    streams = [f"s{number}" for number in range(len(OWN_KEYS))]
    stage = Stage(tmp_path_factory.mktemp("own"), dict.fromkeys(streams, "FULL_TABLE"))

    def lines(account: str, *ids: int) -> Iterator[Any]:
        for stream, keys in zip(streams, OWN_KEYS, strict=True):
            yield schema(stream, keys=keys, _account={"type": "string", "const": account})
            for each in ids:
                yield {**record(stream, id=each, _account=account), "version": each}
            yield {"type": "ACTIVATE_VERSION", "stream": stream, "version": max(ids)}

    pipelines = [stage.new_pipeline("one"), stage.new_pipeline("two")]
    for number, (account, ids) in enumerate([(ODD, (1, 2)), ("acme", (1, 2)), (ODD, (3,))]):
        pipelines[number % 2].run(stage.source([*lines(account, *ids)]))
    return stage


@pytest.mark.parametrize("keys", OWN_KEYS)
def test_account_of_the_tap_confines_versions_and_replaced_rows(
    own_accounts: Stage, keys: tuple[str, ...]
) -> None:
    """A tap that adds accounts itself declares the account of its run as `const`."""
    found = own_accounts.into.read(f"s{OWN_KEYS.index(keys)}", "_account", "id")
    # Without a key, a run replaces the rows of its account, and keeps each version of its own.
    kept = [("acme", 2)] if keys else [("acme", 1), ("acme", 2)]
    assert sorted(found) == [(ODD, 3), *kept]


def test_account_in_two_places_is_refused(stage: Stage) -> None:
    with pytest.raises(PipelineStepFailed, match="Set the account in one place"):
        go(stage, "acme", [schema(_account=TEXT)])


@pytest.mark.parametrize("account", ["", "a\0b", "\ud800", 1])
def test_account_that_can_be_none_is_refused(account: Any) -> None:
    with pytest.raises(BridgeError, match="An account is a text"):
        singer(["tap-x"], {}, catalog={"streams": []}, account=account)


@KEYED
def test_rows_without_an_account_are_refused_next_to_accounts(
    stage: Stage, keys: tuple[str, ...]
) -> None:
    stage.streams = {"a": "FULL_TABLE"}
    go(stage, "acme", [schema(keys=keys), record(id=1)])
    destination = stage.into.destination()
    other = pipeline("other", destination=destination, dataset_name=DATASET)
    with pytest.raises(PipelineStepFailed, match="rows without an account would replace"):
        other.run(stage.source([schema(keys=keys), record(id=1)]))
    with pytest.raises(PipelineStepFailed, match="now has none"):
        go(stage, None, [schema(keys=keys)], name="scripted_tap_acme")
    assert read(stage, "_account", "id") == [("acme", 1)]


def test_another_account_of_a_source_is_read_from_the_start(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    lines = [schema(), record(id=1), bookmark(a={"x": 1}), {"type": "STATE", "value": {"y": 2}}]
    for account, given, words in (
        (None, None, None),
        ("acme", None, "delete those whose column `_account` is null"),
        ("acme", {"y": 2}, None),
        ("beta", None, "The rows of the account acme stay"),
        ("beta", {"y": 2}, None),
    ):
        caplog.clear()
        go(stage, account, lines, name="own")
        assert stage.given.get("state") == given
        assert (words in caplog.text) if words else "account" not in caplog.text
    rows = stage.rows("select _account, id from data.a order by all")
    assert rows == [("acme", 1), ("beta", 1), (None, 1)]


def test_sources_of_accounts_share_tables_within_one_run(stage: Stage) -> None:
    """A property may have another type in another account: its values go into a variant."""
    sources = []
    for account, kind, value in (("acme", "integer", 7), ("beta", "string", "007")):
        (folder := stage.folder / account).mkdir()
        lines = [schema(v={"type": kind}), record(id=1, v=value), bookmark(a={"x": 1})]
        sources.append(type(stage)(folder).source(lines, options={"account": account}))
    for _ in range(2):
        stage.pipeline.run(sources)
    expected = [("acme", 1, 7, None), ("beta", 1, None, "007")]
    assert read(stage, "_account", "id", "v", "v__v_text") == expected


def test_command_has_an_argument(dlt: Command) -> None:
    for account, value in (("acme", 1), ("Ümlaut & Co", 2)):
        # Without credentials, all accounts of the tap are in one file.
        words = ("--account", account)
        dlt.run([schema(v=TEXT), record(id=1, v=str(value)), bookmark(a={"x": value})], *words)
        shown = dlt("singer", "state", dlt.plays([]), "--json", *words)
        assert json.loads(shown.stdout) == {"bookmarks": {"a": {"x": value}}}
    query = "select _account, id, v from scripted_tap_dataset.a order by v"
    assert dlt.rows(query) == [("acme", 1, "1"), ("Ümlaut & Co", 1, "2")]
    assert "it must not be empty" in dlt("singer", "run", "tap-x", "--account", "").stderr
    # Each account has a pipeline of its own, so that they can be loaded at the same time.
    query = "select distinct pipeline_name from scripted_tap_dataset._dlt_pipeline_state"
    names = {account_source_name("scripted_tap", name) for name in ("acme", "Ümlaut & Co")}
    assert {name for (name,) in dlt.rows(query)} == names


def test_the_command_does_not_load_an_account_that_another_run_holds(dlt: Command) -> None:
    words = ("--account", "acme")
    lines = [schema(v=TEXT), record(id=1, v="x")]
    for _ in range(2):
        dlt.run(lines, *words)
        lock = dlt.folder / "scripted_tap.duckdb.scripted_tap_acme.lock"
        assert not lock.exists()
        with FileLock(lock) as held:
            assert held.acquire()
            done = dlt("singer", "run", dlt.plays(lines), *words)
        assert done.returncode == 1
        assert "Account acme: another run loads it (process " in done.stderr
    query = "select failure, loaded_at is not null from scripted_tap_dataset._singer_accounts"
    assert dlt.rows(query) == [(None, True)]


def test_a_run_has_one_of_the_arguments_of_many_accounts(dlt: Command) -> None:
    for others in (["--shards", "2"], ["--accounts-table", "raw.accounts"]):
        done = dlt("singer", "run", "tap-x", "--accounts", "accounts.toml", *others)
        assert done.returncode == 2
        assert f"argument {others[0]}: not allowed with argument --accounts" in done.stderr


def test_variables_of_accounts_are_utf_8(dlt: Command) -> None:
    (dlt.folder / "accounts.toml").write_text("[accounts.acme]")
    (dlt.folder / ".env").write_bytes(b"KEY=\xff")
    done = dlt("singer", "run", "tap-x", "--accounts", "accounts.toml")
    assert done.returncode == 1
    assert done.stderr.startswith("The file .env is not UTF-8 text.\nDocs: ")


def test_target_has_a_setting(stage: Stage, tmp_path: Path) -> None:
    settings = {"destination": "duckdb", "credentials": str(tmp_path / "w.duckdb")}
    for account in ("acme", "beta", "acme"):
        target = TargetDlt(config={**settings, "account": account})
        lines = [schema(), record(id=1), bookmark(a={"x": 1})]
        target.load(StringIO("\n".join(map(json.dumps, lines))))
    rows = stage.rows("select _account, id from target_dlt_dataset.a order by all")
    assert rows == [("acme", 1), ("beta", 1)]


@pytest.mark.usefixtures("project")
def test_accounts_of_chat_platforms_share_tables(stage: Stage, sandbox: Sandbox) -> None:
    for account in ("acme", "beta", "acme"):
        url = sandbox.url_of(account)
        stage.pipeline.run(chat("chat", api_url=url, api_key=API_KEY, account=account))
    for account in ("acme", "beta"):
        rows = stage.rows(
            f"select id, message from data.chat_messages where _account = '{account}'"
        )
        messages = sandbox.world_of(account).chat.messages
        assert Counter(rows) == Counter((each["id"], each["message"]) for each in messages)
