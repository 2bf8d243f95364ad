"""The history of one account in shards: equal to a plain run, whatever order they end in."""

from __future__ import annotations

import json
import subprocess
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
from running import BIN, config_of

from dlt_bridge.accounts import Account, run
from dlt_bridge.accounts.runner import Warehouse
from dlt_bridge.accounts.shards import History, ShardPlan, last_bookmarks, run_shards
from dlt_bridge.errors import BridgeError
from tap_chat.sandbox import Fault, Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from postgres import PostgresServer

    from dlt_bridge.accounts import AccountResult


class Shards:
    """Loads an account of the sandbox in shards."""

    def __init__(self, sandbox: Sandbox, url: str, folder: Path) -> None:
        self.sandbox, self.url, self._folder = sandbox, url, folder
        self._machines = 0

    def later(self, platform: str) -> dict[str, Any]:
        """Let three days pass at the sandbox, and return the config of a run that is then."""
        world = self.sandbox.world_of("acme")
        self.sandbox.set_world("acme", world := replace(world, now=world.now + timedelta(days=3)))
        bounds = {"start_date": "2025-09-01", "end_date": world.now.isoformat()}
        return config_of(self.sandbox, "acme", platform) | bounds

    def run(self, config: dict[str, Any], shards: int = 3) -> Generator[AccountResult]:
        # Each run is on another machine.
        self._machines += 1
        account = Account(name="acme", config=config)
        return run_shards(account, shards=shards, workers=2, **self.place)

    @property
    def place(self) -> dict[str, Any]:
        """Where the account is loaded, from the machine of the last run."""
        return {
            "destination": "postgres",
            "dataset_name": "raw",
            "credentials": self.url,
            "pipelines_dir": str(self._folder / f"machine {self._machines}"),
        }

    def load(self, config: dict[str, Any], shards: int = 3) -> list[AccountResult]:
        return list(self.run(config, shards))

    def ids(self, table: str, columns: str = "id, updated_at") -> list[tuple[Any, ...]]:
        with closing(psycopg2.connect(self.url)) as database:
            cursor = database.cursor()
            cursor.execute(f"select {columns} from raw.{table} where _account = 'acme'")
            return sorted(cursor.fetchall())

    def truth(self, stream: str, *columns: str) -> list[tuple[Any, ...]]:
        rows = self.sandbox.world_of("acme").truth[stream]
        return sorted(tuple(row[name] for name in columns) for row in rows)


@pytest.fixture
def shards(postgres: PostgresServer, tmp_path: Path) -> Iterator[Shards]:
    with Sandbox(World()) as sandbox, postgres.database() as url:
        yield Shards(sandbox, url, tmp_path)


@pytest.mark.parametrize(
    ("platform", "stream", "columns"),
    [
        ("dixa", "dixa_conversation_export", ("id", "updated_at")),
        ("livechat", "livechat_threads", ("id", "chat_id")),
    ],
)
def test_shards_load_what_a_plain_run_loads(
    shards: Shards, platform: str, stream: str, columns: tuple[str, ...]
) -> None:
    names = ", ".join(columns)
    for number in range(2):
        results = shards.load(shards.later(platform))
        assert [result.failure for result in results] == [None] * (1 if number else 4)
        assert shards.ids(stream, names) == shards.truth(stream, *columns)
        # The shards read most of it, and the account's own run the rest.
        rows = {result.part: result.rows[stream] for result in results}
        assert number or sum(rows.values()) > 5 * rows[""]


def test_shards_that_were_stopped_are_continued_elsewhere(shards: Shards) -> None:
    with closing(shards.run(shards.later("dixa"))) as stopped:
        first = next(stopped)
    assert first.failure is None
    # Conversations change that the first shard has read.
    results = shards.load(shards.later("dixa"), shards=7)
    assert [result.failure for result in results] == [None] * 4
    read_again = next(result for result in results if result.part == first.part)
    assert read_again.rows["dixa_conversation_export"] < first.rows["dixa_conversation_export"]
    # The account's own run reads their messages again.
    assert shards.ids("dixa_messages", "id, text") == shards.truth("dixa_messages", "id", "text")
    columns = ("id", "updated_at")
    assert shards.ids("dixa_conversation_export") == shards.truth(
        "dixa_conversation_export", *columns
    )


def test_a_start_date_that_moves_earlier_before_the_end_loses_nothing(shards: Shards) -> None:
    config = shards.later("dixa")
    with closing(shards.run(config | {"start_date": "2025-12-08"})) as stopped:
        assert next(stopped).failure is None
    results = shards.load(config)
    assert [result.failure for result in results] == [None] * 4
    assert results[-1].warnings
    assert shards.ids("dixa_conversation_export") == shards.truth(
        "dixa_conversation_export", "id", "updated_at"
    )


def test_shards_share_the_rate_of_the_account(shards: Shards) -> None:
    config = shards.later("dixa")
    config["dixa"] |= {"requests_per_minute": 9, "main_requests_per_minute": 300}
    history = History(Account(name="acme", config=config), Warehouse(**shards.place).pipeline("x"))
    for workers, rate in ((2, 4.5), (8, 3)):
        parts = list(history.parts(ShardPlan(3, "2025-01-01T00Z", "2025-04-01T00Z"), workers))
        for name, of_main in (("requests_per_minute", 1), ("main_requests_per_minute", 100 / 3)):
            rates = [part.config["dixa"][name] for part in parts]
            assert rates == pytest.approx([rate * of_main] * 3), name
        assert len({part.source_name for part in parts}) == 3


def test_a_shard_that_fails_keeps_the_account_from_what_is_new(shards: Shards) -> None:
    config = shards.later("dixa")
    shards.sandbox.options.faults = [Fault(kind="status", status=403, after=2)]
    results = shards.load(config)
    assert [bool(result.failure) for result in results].count(True) >= 1
    assert "" not in {result.part for result in results}


def test_the_command_loads_shards_and_shows_each(shards: Shards, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(shards.later("dixa")))
    command = [str(BIN / "dlt"), "singer", "run", "tap-chat", "--config", "config.json"]
    command += ["--destination", "postgres", "--credentials", shards.url, "--dataset", "raw"]
    # This machine has loaded the account into another database.
    place = {"destination": "duckdb", "credentials": str(tmp_path / "other.duckdb")}
    acme = Account(name="acme", config=config_of(shards.sandbox, "acme", "dixa"))
    run(acme, **shards.place | place | {"pipelines_dir": str(tmp_path / "pipelines")})
    command += [
        "--pipelines-dir",
        "pipelines",
        "--shards",
        "2",
        "--workers",
        "2",
        "--account",
        "acme",
        "--json",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    parts = [run["part"] for run in json.loads(done.stdout)["accounts"]]
    assert sorted(parts[:2]) == ["shard 1 of 2", "shard 2 of 2"]
    assert parts[2:] == [""]
    assert len(shards.ids("dixa_conversation_export")) == len(
        shards.truth("dixa_conversation_export")
    )
    done = subprocess.run(
        [*command, "--name", "x"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "--name can't be combined with --shards" in done.stderr


@pytest.mark.parametrize(
    ("config", "problem"),
    [
        ({"dixa": {"api_token": "t"}}, "account acme: shards divide the time from the setting"),
        ({"freshchat": {"api_url": "https://a.b/v2", "api_key": "k"}}, "none of the configured"),
        ({"dixa": {}}, "api_token"),
    ],
)
def test_what_has_no_windows_has_no_shards(
    shards: Shards, config: dict[str, Any], problem: str
) -> None:
    with pytest.raises(BridgeError, match=f"(?i){problem}"):
        shards.load(config)


def test_account_gets_the_bookmark_of_a_shard_that_stayed_behind() -> None:
    # A thread of LiveChat was active when the first shard was read, and has ended since.
    ends = [datetime(2026, 1, day, tzinfo=UTC) for day in (10, 20, 30)]

    def bookmarks(threads: str, chats: int, messages: int) -> dict[str, Any]:
        values = {"threads": threads, "chats": chats, "messages": messages}
        return {name: {"replication_key_value": value} for name, value in values.items()}

    seconds = [int(end.timestamp()) for end in ends]
    shards = [
        bookmarks("2026-01-02T00:00:00.000000Z", seconds[0] - 50_000, seconds[0] * 1000),
        bookmarks("2026-01-20T00:00:00.000000Z", seconds[1] - 50_000, seconds[1] * 1000),
        bookmarks("2026-01-30T00:00:00.000000Z", seconds[2] - 50_000, seconds[2] * 1000),
    ]
    found = last_bookmarks(ends, shards)
    assert found["threads"] == shards[0]["threads"]
    assert found["chats"] == shards[2]["chats"]
    assert found["messages"] == shards[2]["messages"]
    # The stream was left out of the second shard.
    shards[1]["messages"] = {}
    assert last_bookmarks(ends, shards)["messages"] == {}
