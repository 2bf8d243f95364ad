"""`dlt singer run --accounts` and `--shards` on a terminal show each run that is under way."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

from running import BIN, config_of
from terminal import on_terminal

from tap_chat.sandbox import Sandbox, World

if TYPE_CHECKING:
    from pathlib import Path

#: A tap whose account waits until the terminal has shown all that it is to show.
TAP = """
import json, os, sys, time

config = json.load(open(sys.argv[sys.argv.index("--config") + 1]))

def write(**message):
    print(json.dumps(message), flush=True)

def wait(file):
    while not os.path.exists(file):
        time.sleep(0.02)

if config["rows"] < 0:
    sys.exit("ERROR no such account")
print("WARNING " + "a long text " * 10 + "of an account", file=sys.stderr, flush=True)
schema = {"properties": {"id": {"type": "integer"}}}
write(type="SCHEMA", stream="shop_a", schema=schema, key_properties=["id"])
for number in range(config["rows"]):
    write(type="RECORD", stream="shop_a", record={"id": number})
if config["rows"] > 100:
    wait("read")
    wait("failed")
"""
ACCOUNTS = """
[accounts.acme]
rows = 150
[accounts.umlaut]
rows = 30
[accounts.broken]
rows = -1
"""
SIGNALS = {
    "read": r"acme +150 rows .*reading: shop_a",
    "failed": r"\d+ s: 2 of 3 accounts, 180 rows, 1 failed",
}


def commanded(folder: Path, *words: str) -> list[str]:
    (folder / "tap.py").write_text(TAP)
    (folder / "accounts.toml").write_text(ACCOUNTS)
    tap = f"{sys.executable} tap.py"
    command = [str(BIN / "dlt"), "singer", "run", tap, "--no-discover", "--accounts"]
    command += ["accounts.toml", "--workers", "2", "--destination", "duckdb"]
    return [*command, "--pipelines-dir", "pipelines", *words]


def test_terminal_shows_each_account_and_is_clean_at_the_end(tmp_path: Path) -> None:
    for turn in range(2):
        for name in SIGNALS:
            (tmp_path / name).unlink(missing_ok=True)
        screen, done = on_terminal(
            commanded(tmp_path),
            folder=tmp_path,
            signals={pattern: tmp_path / name for name, pattern in SIGNALS.items()},
        )
        # What an account says is above the progress, as a line of its own.
        lines = screen.text.splitlines()
        assert done.returncode == 1, screen.text
        for account in ("acme", "umlaut"):
            assert f"{account}: python: {'a long text ' * 10}of an account" in lines
        assert any(re.fullmatch(r"broken failed \(\d of 3\): .*", line) for line in lines), lines
        assert any(re.fullmatch(r"acme: 150 rows in .*", line) for line in lines), (turn, lines)
        # Nothing of the progress is left.
        assert not re.search("reading|starting|of 3 accounts", screen.text), screen.text
        assert "acme" in done.stdout.decode()


def test_progress_can_be_hidden(tmp_path: Path) -> None:
    for name in SIGNALS:
        (tmp_path / name).touch()
    screen, done = on_terminal(commanded(tmp_path, "--progress", "none"), folder=tmp_path)
    assert done.returncode == 1
    assert "\x1b" not in screen.written
    assert "Loading 3 accounts" in screen.text


def test_progress_of_dlt_is_for_one_account(tmp_path: Path) -> None:
    command = commanded(tmp_path, "--progress", "log")
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "--progress can't be combined with --accounts" in done.stderr


def test_terminal_shows_the_shards(tmp_path: Path) -> None:
    with Sandbox(World(messages=0, conversations=20)) as sandbox:
        config = {**config_of(sandbox, "acme", "dixa"), "start_date": "2025-10-01T00:00:00Z"}
        (tmp_path / "config.json").write_text(json.dumps(config))
        command = [str(BIN / "dlt"), "singer", "run", "tap-chat", "--config", "config.json"]
        command += ["--account", "acme", "--shards", "2", "--workers", "2"]
        command += ["--select", "dixa_conversation_export", "--destination", "duckdb"]
        command += ["--pipelines-dir", "pipelines"]
        for runs in (3, 1):
            screen, done = on_terminal(command, folder=tmp_path)
            assert done.returncode == 0, screen.text
            assert re.search(rf"\d+ s: 0 of {runs} runs?, \d+ rows", screen.written)
            assert f"({runs} of {runs})" in screen.text
            shows_shards = re.search(r"acme \(shard 1 of 2\) +\d+ rows? ", screen.written)
            assert bool(shows_shards) == (runs == 3)
            # No line of the progress is left.
            assert not re.search("starting|of 3 runs", screen.text), screen.text
