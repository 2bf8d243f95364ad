"""The project in examples/meltano loads an account, and then what is new."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from dist import ROOT
from guides.scheduled import SMALL
from ruamel.yaml import YAML
from running import BIN

from tap_chat.sandbox import API_KEY, Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXAMPLE = ROOT / "examples" / "meltano"
READER = YAML(typ="safe", pure=True)


def plugins(project: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for kind in project["plugins"].values():
        yield from kind


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The example, with the programs of this environment instead of those that it installs."""
    folder = tmp_path / "project"
    shutil.copytree(EXAMPLE, folder)
    file = folder / "meltano.yml"
    content = READER.load(file.read_text())
    for plugin in plugins(content):
        del plugin["pip_url"]
        plugin["executable"] = str(BIN / plugin["name"])
    with file.open("w") as changed:
        READER.dump(content, changed)
    return folder


def meltano(folder: Path, account: Sandbox, *words: str) -> None:
    own = {
        "TAP_CHAT_FRESHCHAT_API_URL": f"{account.url}/v2",
        "TAP_CHAT_FRESHCHAT_API_KEY": API_KEY,
    }
    done = subprocess.run(
        [str(BIN / "meltano"), *words],
        cwd=folder,
        env=os.environ | own,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert API_KEY not in done.stdout + done.stderr


def test_schedule_continues_from_the_state_of_the_first_run(project: Path) -> None:
    def users() -> list[str]:
        with closing(duckdb.connect(project / "chats_dlt.duckdb", read_only=True)) as database:
            assert "phone" not in database.sql("from chats.freshchat_users").columns
            return [
                name for (name,) in database.sql("select id from chats.freshchat_users").fetchall()
            ]

    with Sandbox(SMALL) as account:
        meltano(project, account, "run", "tap-chat", "target-dlt")
        first = users()
        [state] = (project / "state").glob("**/state.json")
        bookmark = state.read_text()
        account.world = account.world.changed({"now": "2026-06-01T00:00:00Z"})
        meltano(project, account, "schedule", "run", "hourly")
        every = {row["id"] for row in account.world.truth["freshchat_users"]}
    assert state.read_text() != bookmark
    assert len(first) < len(users()) == len(set(users()))
    assert set(users()) <= every


def test_project_installs_what_the_repository_tests() -> None:
    tested = {
        p["name"]: p["pip_url"] for p in plugins(READER.load((ROOT / "meltano.yml").read_text()))
    }
    for plugin in plugins(READER.load((EXAMPLE / "meltano.yml").read_text())):
        if plugin["name"] == "target-duckdb":
            assert plugin["pip_url"] == tested[plugin["name"]]
        else:
            assert plugin["pip_url"].endswith(" @ git+https://github.com/tap-chat/tap-chat")
