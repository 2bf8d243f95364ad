"""STATEs that a runner merges: an entry that a run omits comes back from the previous STATE.

Meltano merges them with `--merge-state`, and with `--full-refresh`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from running import Run, full_config
from serving import Server
from talking import Account, moment, talking_config
from typing_extensions import override

from tap_chat.sandbox import Sandbox, World

if TYPE_CHECKING:
    from running import Runner

MESSAGES = "freshchat_conversations_messages"
NAMES = [f"u{number:03d}" for number in range(60)]


def joined(new: Any, old: Any) -> Any:
    if not (isinstance(new, dict) and isinstance(old, dict)):
        return new
    return old | {name: joined(value, old.get(name)) for name, value in new.items()}


def after(run: Run, state: dict[str, Any]) -> dict[str, Any]:
    """Return the state of a runner that merges each STATE of a run into it."""
    for message in run.of_type("STATE"):
        state = joined(message["value"], state)
    return state


class Miscounting(Account):
    """An account whose list of users has a wrong total for some time."""

    more = 0

    @override
    def listing(self, query: dict[str, str]) -> Any:
        body = super().listing(query)
        body["pagination"]["total_items"] += self.more
        return body


@pytest.mark.parametrize("end", [None, "2026-01-01T00:00:00Z"])
def test_finished_pass_is_not_resumed(tap: Runner, end: str | None) -> None:
    account = Miscounting(page_size=20)
    account.add(*NAMES)
    state: dict[str, Any] = {}
    found: list[dict[str, Any]] = []
    with Server(account, date_header=False) as api:
        config = talking_config(api) | ({"end_date": end} if end else {})
        for number in range(4):
            account.more = int(number == 1)
            for name in NAMES if number else ():
                account.say(name, f"m-{name}-{number}", datetime.now(UTC) - timedelta(seconds=1))
                account.users[name]["updated_time"] = moment(datetime.now(UTC))
            run = tap(config, state=state)
            assert run.code == 0, run.errors
            assert "Resuming the interrupted run" not in run.err
            assert "The interrupted run" not in run.err
            found += run.rows(MESSAGES)
            state = after(run, state)
    said = {row["id"] for rows in account.messages.values() for row in rows}
    assert {row["id"] for row in found} == said


@pytest.mark.parametrize("section", ["chat", "freshchat", "dixa", "livechat"])
def test_interrupted_refresh_leaves_no_older_bookmark(tap: Runner, section: str) -> None:
    """The tables are new, so they hold only the rows of the last two runs."""
    world = World(users=30, conversations=60, dixa_conversations=60, chats=60, messages=60)
    with Sandbox(world) as sandbox:
        changes = {"chat": {"replication_key": "timestamp"}} if section == "chat" else {}
        config = full_config(sandbox, section, **changes)
        del config["start_date"]
        state = after(tap(config), {})
        lines = tap(config).out.splitlines(keepends=True)
        cut_off = Run(-9, b"".join(lines[: len(lines) // 2]), "")
        last = tap(config, state=after(cut_off, state))
        assert last.code == 0, last.errors
        for stream, rows in sandbox.world.truth.items():
            if stream.startswith(f"{section}_"):
                brought = [row for run in (cut_off, last) for row in run.rows(stream)]
                assert [row for row in rows if row not in brought] == [], stream
