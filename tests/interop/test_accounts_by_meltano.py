"""`meltano run` with two accounts, which share tables: three times, with changes between."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from interop.targets import DuckDB
from interop.test_declared_by_meltano import meltano
from ruamel.yaml import YAML
from running import BIN, config_of

from tap_chat.sandbox import Sandbox, World

if TYPE_CHECKING:
    from pathlib import Path

#: Any text is an account; the name of its extractor is not.
ACCOUNTS = {"tap-acme": "acme", "tap-umlaut": 'Ümlaut & "Co"'}
STREAM = "dixa_conversation_export"


def plugins(sandbox: Sandbox, loaders: list[dict[str, Any]]) -> dict[str, Any]:
    settings = [{"name": "account"}, {"name": "dixa", "kind": "object"}, {"name": "end_date"}]
    tap = {
        "name": "tap-chat",
        "namespace": "tap_chat",
        "executable": str(BIN / "tap-chat"),
        "capabilities": ["catalog", "discover", "state", "about"],
        "settings": settings,
    }
    world = sandbox.world_of("acme")
    config = {"end_date": world.now.isoformat()}
    inherited = [
        {
            "name": name,
            "inherit_from": "tap-chat",
            "config": config | config_of(sandbox, account, "dixa") | {"account": account},
        }
        for name, account in ACCOUNTS.items()
    ]
    return {"extractors": [tap, *inherited], "loaders": loaders}


def truth(sandbox: Sandbox) -> list[tuple[Any, ...]]:
    return sorted(
        (account, row["id"], row["updated_at"])
        for account in ACCOUNTS.values()
        for row in sandbox.world_of(account).truth[STREAM]
    )


@pytest.mark.timeout(600)
def test_accounts_share_tables_in_each_run(tmp_path: Path) -> None:
    project, ours = tmp_path / "project", tmp_path / "ours.duckdb"
    target = DuckDB(tmp_path / "theirs.duckdb")
    theirs = {
        "name": "target-duckdb",
        "namespace": "target_duckdb",
        "executable": target.path,
        "config": target.config,
    }
    dlt = {
        "name": "target-dlt",
        "namespace": "target_dlt",
        "executable": str(BIN / "target-dlt"),
        "settings": [{"name": "destination"}, {"name": "credentials"}, {"name": "dataset_name"}],
        "config": {"destination": "duckdb", "credentials": str(ours), "dataset_name": "raw"},
    }
    meltano(tmp_path, "init", str(project), "--no-usage-stats")
    with Sandbox(World()) as sandbox:
        path, reader = project / "meltano.yml", YAML()
        content = reader.load(path)
        for _ in range(3):
            for account in ACCOUNTS.values():
                world = sandbox.world_of(account)
                sandbox.set_world(account, replace(world, now=world.now + timedelta(days=2)))
            content["plugins"] = plugins(sandbox, [theirs, dlt])
            reader.dump(content, path)
            blocks = [(name, "target-duckdb", name, "target-dlt") for name in ACCOUNTS]
            meltano(project, "run", *chain.from_iterable(blocks))
            held = target.held(STREAM)
            assert truth(sandbox) == sorted(
                (row["_account"], row["id"], row["updated_at"]) for row in held
            )
            with duckdb.connect(str(ours), read_only=True) as database:
                query = f"select _account, id, updated_at from raw.{STREAM}"
                assert truth(sandbox) == sorted(database.execute(query).fetchall())
