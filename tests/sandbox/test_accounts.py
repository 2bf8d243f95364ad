"""The sandbox has many accounts: equal ids, other values, limits and counts of their own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import requests
from running import ALL, by_stream, config_of

from tap_chat.sandbox import API_KEY, Fault, Options, Sandbox, World

if TYPE_CHECKING:
    from running import Runner

SMALL = World(messages=30, users=4, conversations=6, dixa_conversations=10, chats=10)


def ids(sandbox: Sandbox, account: str) -> list[str]:
    query = f"api_key={API_KEY}&limit=100"
    response = requests.get(f"{sandbox.url_of(account)}/v1/messages?{query}", timeout=10)
    response.raise_for_status()
    assert response.json()["data"] == sandbox.world_of(account).chat.messages
    return [row["id"] for row in response.json()["data"]]


def test_accounts_have_equal_ids_and_other_values() -> None:
    with Sandbox(SMALL) as sandbox:
        names = ["", "acme", "Ümlaut & Co/🚚?", "accounts"]
        assert len({tuple(ids(sandbox, name)) for name in names}) == 1
        texts = [str(sandbox.world_of(name).chat.messages) for name in names]
        assert len(set(texts)) == len(names)
        assert [sandbox.requests_of(name) for name in names] == [1, 1, 1, 1]
        assert sandbox.requests == 4


def test_tap_reads_an_account_from_all_platforms(tap: Runner) -> None:
    with Sandbox(SMALL) as sandbox:
        name = "Ümlaut & Co"
        run = tap(config_of(sandbox, name, *ALL))
        assert run.code == 0, run.err
        truth = sandbox.world_of(name).truth
        counts = {stream: len(rows) for stream, rows in by_stream(run).items()}
        assert counts == {stream: len(rows) for stream, rows in truth.items() if rows}
        assert run.rows("chat_messages") == truth["chat_messages"]
        assert sandbox.requests_of(name) == sandbox.requests


def test_data_of_one_account_changes_alone() -> None:
    with Sandbox(SMALL) as sandbox:
        sandbox.set_world("acme", replace(sandbox.world_of("acme"), messages=31))
        assert [len(ids(sandbox, name)) for name in ("acme", "other", "")] == [31, 30, 30]
        sandbox.world = replace(sandbox.world, messages=29)
        assert [len(ids(sandbox, name)) for name in ("acme", "other", "")] == [31, 29, 29]
        requests.patch(
            f"{sandbox.url_of('other')}/_sandbox", '{"messages": 5}', timeout=10
        ).raise_for_status()
        assert [len(ids(sandbox, name)) for name in ("acme", "other", "")] == [31, 5, 29]
        report = requests.get(f"{sandbox.url}/_sandbox", timeout=10).json()
        assert report["requests_by_account"] == {"acme": 3, "other": 3}


def test_each_account_has_the_whole_rate_limit() -> None:
    with Sandbox(SMALL, Options(rate_limit=2, rate_window=30)) as sandbox:
        for name in ("acme", "acme", "other", "other"):
            ids(sandbox, name)
        with pytest.raises(requests.HTTPError, match="429"):
            ids(sandbox, "acme")
        assert sandbox.app.refused == 1


def test_fault_strikes_one_account() -> None:
    with Sandbox(SMALL) as sandbox:
        sandbox.options.faults = [Fault(kind="status", path="/accounts/acme/", times=None)]
        ids(sandbox, "other")
        with pytest.raises(requests.HTTPError, match="500"):
            ids(sandbox, "acme")
