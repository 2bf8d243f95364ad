"""The notebook in examples/notebook shows what is in the warehouse, and then what is new."""

from __future__ import annotations

import json
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING, Any

import dlt
import duckdb
from dist import ROOT
from interop.environments import program
from running import full_config

from dlt_bridge import singer
from tap_chat.sandbox import Sandbox, World

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLE = ROOT / "examples" / "notebook"
STREAMS = ["freshchat_conversations*", "dixa_conversation_export", "livechat_threads"]
#: Runs the cells, and prints the rows of the charts.
SHOW = """
import json, sys
sys.argv = ["chats.py", *sys.argv[1:]]
from chats import app
_, names = app.run()
print(json.dumps([names[name] for name in ("volume", "responses", "satisfaction", "texts")]))
"""


def shown(file: Path) -> Any:
    """Return the rows that the notebook shows."""
    words = ["-c", SHOW, f"--file={file}", "--dataset=chats"]
    done = subprocess.run(
        [program("notebook", "python"), *words],
        cwd=EXAMPLE,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def rows_of(file: Path, stream: str) -> int:
    with closing(duckdb.connect(file, read_only=True)) as database:
        [(count,)] = database.execute(f"select count(*) from chats.{stream}").fetchall()
    return int(count)


def test_charts_show_each_conversation(tmp_path: Path) -> None:
    file = tmp_path / "warehouse.duckdb"
    destination = dlt.destinations.duckdb(str(file))
    pipeline = dlt.pipeline("charts", str(tmp_path), destination=destination, dataset_name="chats")
    totals: list[int] = []
    with Sandbox(World(users=5, conversations=8, dixa_conversations=30, chats=20)) as sandbox:
        for now in (sandbox.world.now.isoformat(), "2026-06-01T00:00:00Z"):
            sandbox.world = sandbox.world.changed({"now": now})
            pipeline.run(singer("tap-chat", full_config(sandbox), select=STREAMS))
            volume, responses, satisfaction, texts = shown(file)
            for platform, stream in {
                "Freshchat": "freshchat_conversations",
                "Dixa": "dixa_conversation_export",
                "LiveChat": "livechat_threads",
            }.items():
                counts = [row["conversations"] for row in volume if row["platform"] == platform]
                assert sum(counts) == rows_of(file, stream), platform
            totals.append(sum(row["conversations"] for row in volume))
            assert responses
            assert satisfaction
            assert any(row["text"] for row in texts)
    assert totals[0] < totals[1]


def test_requirements_are_those_of_the_test() -> None:
    tested = ROOT / "tests" / "interop" / "requirements" / "notebook.in"
    assert (EXAMPLE / "requirements.txt").read_text() == tested.read_text()
