"""`dlt singer run --accounts`: many accounts in several processes, each with its own outcome."""

from __future__ import annotations

import json
import re
import subprocess
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
from running import BIN, config_of

from tap_chat.sandbox import Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from postgres import PostgresServer

#: Any text is an account.
ACCOUNTS = ("acme", "Ümlaut & Co", 'b "x"\\y')


@dataclass
class Runner:
    """Loads accounts of the sandbox by the command, into a database.

    Attributes:
        folder: The working folder, with the file of accounts.
        credentials: The database.
    """

    folder: Path
    credentials: str

    def write(self, accounts: dict[str, dict[str, Any]], config: dict[str, Any]) -> None:
        # JSON texts are TOML texts, too.
        lines = ["[config]", *_settings(config)]
        for name, settings in accounts.items():
            lines += [f"[accounts.{json.dumps(name)}]", *_settings(settings)]
        (self.folder / "accounts.toml").write_text("\n".join(lines))

    def command(self, *words: str) -> list[str]:
        command = [str(BIN / "dlt"), "singer", "run", "tap-chat", "--accounts", "accounts.toml"]
        to = ["--destination", "postgres", "--credentials", self.credentials, "--dataset", "raw"]
        return [*command, *to, "--pipelines-dir", "pipelines", *words]

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self.command(*words), cwd=self.folder, capture_output=True, text=True, check=False
        )

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with closing(psycopg2.connect(self.credentials)) as database:
            cursor = database.cursor()
            cursor.execute(query)
            return list(cursor)


def _settings(settings: dict[str, Any]) -> list[str]:
    """Return lines of TOML: sections as inline tables."""
    lines = []
    for name, value in settings.items():
        if isinstance(value, dict):
            inner = ", ".join(f"{key} = {json.dumps(item)}" for key, item in value.items())
            lines.append(f"{name} = {{{inner}}}")
        else:
            lines.append(f"{name} = {json.dumps(value)}")
    return lines


@pytest.fixture
def runner(postgres: PostgresServer, tmp_path: Path) -> Iterator[Runner]:
    with postgres.database() as url:
        yield Runner(tmp_path, url)


def accounts_of(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    return {name: config_of(sandbox, name, "freshchat") for name in ACCOUNTS}


def test_accounts_share_tables_and_one_that_fails_is_loaded_first_next_time(
    runner: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_KEY", "wrong-key-of-acme")
    with Sandbox(World()) as sandbox:
        accounts = accounts_of(sandbox)
        key = accounts["acme"]["freshchat"]["api_key"]
        accounts["acme"]["freshchat"]["api_key"] = "${ACME_KEY}"
        runner.write(accounts, {"max_workers": 2})
        done = runner("--select", "freshchat_users", "freshchat_agents", "--workers", "2", "--json")
        assert done.returncode == 1
        first = json.loads(done.stdout)
        assert (first["loaded"], first["failed"]) == (2, 1)
        failed = {item["account"]: item["failure"] for item in first["accounts"]}
        assert "401" in failed["acme"]
        assert "wrong-key" not in done.stdout + done.stderr
        requests = {
            item["account"]: (item["requests"], item["waited"]) for item in first["accounts"]
        }
        assert requests["Ümlaut & Co"] == (sandbox.requests_of("Ümlaut & Co"), 0)
        assert failed["Ümlaut & Co"] is failed['b "x"\\y'] is None
        assert re.search(r"\nacme failed \([123] of 3\): tap-chat failed", done.stderr)

        monkeypatch.setenv("ACME_KEY", key)
        done = runner("--select", "freshchat_users", "freshchat_agents", "--workers", "1")
        assert done.returncode == 0, done.stderr
        order = [line for line in done.stderr.splitlines() if " rows in " in line]
        assert [line.partition(":")[0] for line in order] == ["acme", *ACCOUNTS[1:]]
        counts = [line.rpartition("(")[2] for line in order]
        assert counts == ["1 of 3).", "2 of 3).", "3 of 3)."]
        assert "3 loaded" in done.stdout
        emails = runner.rows("select _account, id, email from raw.freshchat_users")
        assert set(emails) == {
            (name, user["id"], user["email"])
            for name in ACCOUNTS
            for user in sandbox.world_of(name).truth["freshchat_users"]
        }
        assert len(emails) == len(set(emails))


def test_accounts_are_read_from_a_table(runner: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    with Sandbox(World()) as sandbox:
        config = config_of(sandbox, "acme", "freshchat")
        monkeypatch.setenv("ACME_KEY", config["freshchat"]["api_key"])
        config["freshchat"]["api_key"] = "${ACME_KEY}"
        with closing(psycopg2.connect(runner.credentials)) as database:
            database.cursor().execute("create schema setup")
            database.cursor().execute("create table setup.accounts (account text, config jsonb)")
            database.cursor().execute(
                "insert into setup.accounts values (%s, %s)", ("acme", json.dumps(config))
            )
            database.commit()
        command = runner.command("--select", "freshchat_agents")
        place = command.index("--accounts")
        command[place : place + 2] = ["--accounts-table", "setup.accounts"]
        done = subprocess.run(
            command, cwd=runner.folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert runner.rows("select distinct _account from raw.freshchat_agents") == [("acme",)]
