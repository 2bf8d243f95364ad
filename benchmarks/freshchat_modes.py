"""Measure a later run of each mode of Freshchat: requests, rows, and what is missing.

All modes start from the STATE of one run over all users. Then a part of the conversations has news:
messages, or a change without a message.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from tap_chat.sandbox import DIALECTS, Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Mapping

TAP = Path(sys.executable).parent / "tap-chat"
MESSAGES, TALKS = "freshchat_conversations_messages", "freshchat_conversations"
KEYS = {TALKS: ("conversation_id",), MESSAGES: ("conversation_id", "id")}

COLUMNS = ("run", "requests", "of a first run", "rows", "missing messages", "stale conversations")


@dataclass(frozen=True)
class Result:
    """What a run did.

    Attributes:
        requests: The number of its requests.
        rows: Its records of each stream.
        state: Its last STATE.
    """

    requests: int
    rows: dict[str, list[dict[str, Any]]]
    state: dict[str, Any]

    @property
    def total(self) -> int:
        """The number of its records."""
        return sum(map(len, self.rows.values()))


def run(sandbox: Sandbox, mode: str, state: dict[str, Any]) -> Result:
    """Run the tap in a mode."""
    [dialect] = [found for found in DIALECTS if found.name == "freshchat"]
    section = dialect.config(sandbox.url) | {"mode": mode, "extra_streams": []}
    config = {"end_date": sandbox.world.now.isoformat(), "freshchat": section}
    before = sandbox.requests
    with TemporaryDirectory() as folder:
        command = [str(TAP)]
        for name, content in {"config": config, "state": state}.items():
            path = Path(folder, f"{name}.json")
            path.write_text(json.dumps(content))
            command += [f"--{name}", str(path)]
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
        )
    rows: dict[str, list[dict[str, Any]]] = {}
    for line in done.stdout.splitlines():
        message = json.loads(line)
        if message["type"] == "RECORD":
            rows.setdefault(message["stream"], []).append(message["record"])
        elif message["type"] == "STATE":
            state = message["value"]
    return Result(sandbox.requests - before, rows, state)


def changed(
    before: Mapping[str, Any], now: Mapping[str, Any], stream: str
) -> dict[tuple[Any, ...], Any]:
    """Return the rows of a stream that are new or changed, by key."""
    old, new = ({key_of(stream, row): row for row in truth[stream]} for truth in (before, now))
    return {key: row for key, row in new.items() if old.get(key) != row}


def key_of(stream: str, row: dict[str, Any]) -> tuple[Any, ...]:
    """Return the key of a row."""
    return tuple(row[name] for name in KEYS[stream])


def main() -> None:
    """Run the benchmark and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--conversations", type=int, default=10_000)
    parser.add_argument("--days", type=float, default=1.0)
    options = parser.parse_args()
    size = options.conversations
    world = World(users=size // 3, conversations=size)
    with Sandbox(world) as sandbox:
        first = run(sandbox, "all", {})
        before = sandbox.world.truth
        sandbox.world = replace(world, now=world.now + timedelta(days=options.days))
        news = {stream: changed(before, sandbox.world.truth, stream) for stream in KEYS}
        talks = {key[0] for rows in news.values() for key in rows}
        title = (
            f"{size:,} conversations, {len(talks):,} with news after {options.days:g} days:"
            f" {len(news[MESSAGES]):,} messages"
        )
        table = Table(title=title)
        for column in (
            "run",
            "requests",
            "of a first run",
            "rows",
            "missing messages",
            "stale conversations",
        ):
            table.add_column(column, justify="left" if column == "run" else "right")
        table.add_row("first", f"{first.requests:,}", "100.0 %", f"{first.total:,}", "", "")
        for mode in ("all", "updated", "reports"):
            result = run(sandbox, mode, first.state)
            missing = {
                stream: news[stream].keys()
                - {key_of(stream, row) for row in result.rows.get(stream, ())}
                for stream in KEYS
            }
            table.add_row(
                mode,
                f"{result.requests:,}",
                f"{100 * result.requests / first.requests:.1f} %",
                f"{result.total:,}",
                f"{len(missing[MESSAGES]):,}",
                f"{len(missing[TALKS]):,}",
            )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
