"""`meltano run tap-chat target-duckdb` with declarations: in a file, and within meltano.yml."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from interop.targets import DuckDB
from rest.rooms import Rooms, rooms_declaration
from ruamel.yaml import YAML
from running import BIN
from serving import Server

if TYPE_CHECKING:
    from pathlib import Path


def meltano(folder: Path, *words: str) -> str:
    done = subprocess.run(
        [str(BIN / "meltano"), *words],
        cwd=folder,
        env=os.environ | {"MELTANO_ENVIRONMENT": "dev", "NO_COLOR": "1", "ROOMS_TOKEN": "t0ken"},
        capture_output=True,
        text=True,
        check=False,
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


def plugins(rest: dict[str, Any], target: DuckDB) -> dict[str, Any]:
    extractor = {
        "name": "tap-chat",
        "namespace": "tap_chat",
        "executable": str(BIN / "tap-chat"),
        "capabilities": ["catalog", "discover", "state", "about"],
        "settings": [{"name": "rest", "kind": "object"}, {"name": "max_workers"}],
        "config": {"rest": rest, "max_workers": 4},
    }
    loader = {
        "name": "target-duckdb",
        "namespace": "target_duckdb",
        "executable": target.path,
        "config": target.config,
    }
    return {"extractors": [extractor], "loaders": [loader]}


@pytest.mark.timeout(600)
def test_rows_of_declarations_arrive_in_each_run(tmp_path: Path) -> None:
    server, target = Rooms(), DuckDB(tmp_path / "rows.duckdb")
    project = tmp_path / "project"
    meltano(tmp_path, "init", str(project), "--no-usage-stats")
    with Server(server) as api:
        declaration = rooms_declaration(api.url)
        declaration["client"]["auth"]["token"] = "${ROOMS_TOKEN}"
        (project / "rooms.yaml").write_text(yaml.safe_dump(declaration))
        path, reader = project / "meltano.yml", YAML()
        content = reader.load(path)
        content["plugins"] = plugins({"filed": "rooms.yaml", "inline": declaration}, target)
        reader.dump(content, path)
        for added in (4, 2, 0):
            server.add(added)
            said = meltano(project, "run", "tap-chat", "target-duckdb")
            assert "t0ken" not in said
            for name in ("filed", "inline"):
                rooms = {row["room_id"]: row["name"] for row in target.held(f"{name}_rooms")}
                assert rooms == {room["room_id"]: room["name"] for room in server.rooms}
                messages = target.held(f"{name}_messages")
                assert len(messages) == sum(map(len, server.messages.values()))
    assert all(headers["authorization"] == "Bearer t0ken" for headers in server.headers)
