"""`dlt singer init` writes a project."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import duckdb
import pytest
from running import full_config

from tap_chat.sandbox import Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bridge.command_line import Command


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(World(messages=450)) as running:
        yield running


def test_init_writes_a_project_that_runs(dlt: Command, sandbox: Sandbox) -> None:
    done = dlt.process("singer", "init", "tap-chat")
    assert done.returncode == 0, done.stderr
    secrets = dlt.folder / ".dlt" / "secrets.toml"
    assert secrets.stat().st_mode & 0o077 == 0
    assert "secrets.toml" in (dlt.folder / ".gitignore").read_text()
    assert "[sources.singer.tap_chat]" in (dlt.folder / ".dlt" / "config.toml").read_text()
    text = secrets.read_text()
    assert "[sources.singer.tap_chat.config.freshchat]" in text
    # As a user would: the comment signs of one platform go, and its values are filled in.
    config = full_config(sandbox, "chat")["chat"]
    lines = ["[sources.singer.tap_chat.config.chat]"]
    lines += [f"{name} = {json.dumps(config[name])}" for name in ("api_url", "api_key")]
    assert f"# {lines[0]}" in text
    secrets.write_text(text.replace(f"# {lines[0]}", "\n".join(lines)))
    script = [sys.executable, "tap_chat_pipeline.py"]
    run = subprocess.run(script, cwd=dlt.folder, env=dlt.env, capture_output=True, check=False)
    assert run.returncode == 0, run.stderr.decode()
    with duckdb.connect(str(dlt.folder / "tap_chat.duckdb"), read_only=True) as database:
        count = "select count(*) from tap_chat_data.chat_messages"
        assert database.execute(count).fetchall() == [(450,)]


def test_init_asks_for_what_the_destination_needs(dlt: Command) -> None:
    assert dlt("singer", "init", "tap-chat", "--destination", "postgres").returncode == 0
    found = tomllib.loads((dlt.folder / ".dlt" / "secrets.toml").read_text())
    credentials = found["destination"]["postgres"]["credentials"]
    assert credentials.keys() >= {"database", "username", "password", "host"}
    assert credentials["port"] == 5432
    assert 'destination="postgres"' in (dlt.folder / "tap_chat_pipeline.py").read_text()


def test_init_leaves_what_is_there(dlt: Command) -> None:
    (dlt.folder / ".dlt").mkdir()
    secrets = dlt.folder / ".dlt" / "secrets.toml"
    secrets.write_text('[destination.postgres]\ncredentials = "s3cret"\n')
    (dlt.folder / ".gitignore").write_text("mine\n")
    (dlt.folder / "requirements.txt").write_text("mine\n")
    assert dlt("singer", "init", "tap-chat").returncode == 0
    assert secrets.read_text().startswith('[destination.postgres]\ncredentials = "s3cret"\n')
    assert "mine" in (dlt.folder / ".gitignore").read_text().splitlines()
    assert (dlt.folder / "requirements.txt").read_text() == "mine\n"
    script = dlt.folder / "tap_chat_pipeline.py"
    script.write_text("mine")
    done = dlt("singer", "init", "tap-chat")
    assert done.returncode != 0
    assert "is there already" in done.stderr
    assert script.read_text() == "mine"


def test_init_of_a_tap_that_tells_nothing_of_itself(dlt: Command) -> None:
    tap = dlt.folder / "tap-plain"
    tap.write_text(f"#!{sys.executable}\nimport sys\nsys.exit(2)\n")
    tap.chmod(0o700)
    assert dlt("singer", "init", str(tap)).returncode == 0
    text = (dlt.folder / ".dlt" / "secrets.toml").read_text()
    assert text.startswith("[sources.singer.tap_plain.config]")
