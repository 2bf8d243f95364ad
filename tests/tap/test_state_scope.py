"""A run whose settings go beyond the scope of a STATE reads what is missing, and nothing else.

Each test runs the tap at least twice, with a change of the config between the runs.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from running import Run, by_stream, chat_config, full_config, merged, missing
from serving import Server, paged, rows

from tap_chat.sandbox import API_KEY, Fault, Sandbox, World
from tap_chat.streams.state_scope import SCOPE_KEY, normalise_url, read_scope

if TYPE_CHECKING:
    from running import Runner
    from starlette.requests import Request

INCREMENTAL = {"replication_key": "timestamp"}
MESSAGES = "chat_messages"
TREE = [
    "freshchat_users_conversations",
    "freshchat_conversations",
    "freshchat_conversations_messages",
]
CHATS = ["livechat_chats", "livechat_messages", "livechat_events"]
DIXA = "dixa_conversation_export"
SMALL = World(
    livechat_version="2", users=30, conversations=60, dixa_conversations=60, chats=60, messages=60
)
LATER = datetime(2026, 3, 15, tzinfo=UTC)
AGAIN = "the stream is read from its start again"


def catalog(tap: Runner, config: dict[str, Any], *deselected: str) -> dict[str, Any]:
    """Return the catalog of a config without these streams selected."""
    found: dict[str, Any] = json.loads(tap.run([*tap.command(config), "--discover"]).out)
    for entry in found["streams"]:
        for item in entry["metadata"]:
            if not item["breadcrumb"]:
                item["metadata"]["selected"] = entry["tap_stream_id"] not in deselected
    return found


def assert_whole(sandbox: Sandbox, streams: list[str], *runs: Run) -> None:
    for stream in streams:
        found = [record for run in runs for record in run.rows(stream)]
        assert missing(sandbox.world.truth[stream], found) == [], stream


def joined(new: Any, old: Any) -> Any:
    """Merge a partial STATE into a complete one, as Meltano does."""
    if not (isinstance(new, dict) and isinstance(old, dict)):
        return new
    return old | {name: joined(value, old.get(name)) for name, value in new.items()}


# What stream maps leave out


def test_records_of_a_removed_filter_are_read(tap: Runner, sandbox: Sandbox) -> None:
    config = chat_config(sandbox, **INCREMENTAL)
    middle = sandbox.world.chat.messages[200]["timestamp"]
    maps = {"stream_maps": {MESSAGES: {"__filter__": f"timestamp > '{middle}'"}}}
    first = tap(config | maps)
    assert 0 < len(first.records) < 450
    same = tap(config | maps, state=first.state)
    assert AGAIN not in same.err
    second = tap(config, state=same.state)
    assert len(merged([first, second])[MESSAGES]) == 450
    assert (
        f"The STATE of {MESSAGES} lacks records that stream maps or settings left out" in second.err
    )
    third = tap(config, state=second.state)
    assert (len(third.records), AGAIN in third.err) == (1, False)
    # A filter that is put there leaves out more, and nothing is missing.
    fourth = tap(config | maps, state=third.state)
    assert (len(fourth.records), AGAIN in fourth.err) == (1, False)


def test_changed_filter_reads_the_stream_again(tap: Runner, sandbox: Sandbox) -> None:
    config = chat_config(sandbox, **INCREMENTAL)

    def filtered(least: str) -> dict[str, Any]:
        maps = {MESSAGES: {"__filter__": "timestamp > config['least']"}}
        return config | {"stream_maps": maps, "stream_map_config": {"least": least}}

    times = [row["timestamp"] for row in sandbox.world.chat.messages]
    moments = [times[place] for place in (300, 100)]
    first = tap(filtered(moments[0]))
    second = tap(filtered(moments[1]), state=first.state)
    for run, least in zip((first, second), moments, strict=True):
        assert len(run.records) == sum(time > least for time in times)
    assert not any(moment in json.dumps(second.state) for moment in moments)


def test_new_table_of_a_stream_map_is_filled(tap: Runner, sandbox: Sandbox) -> None:
    config = chat_config(sandbox, **INCREMENTAL)
    first = tap(config)
    second = tap(config | {"stream_maps": {MESSAGES: {"__alias__": "said"}}}, state=first.state)
    assert len(by_stream(second)["said"]) == 450
    null = tap(config | {"stream_maps": {MESSAGES: None}}, state=second.state)
    assert null.records == []
    third = tap(config, state=null.state)
    assert len(third.records) == 450


@pytest.mark.parametrize(("kind", "deselected"), [("filter", []), ("null", []), ("null", TREE[:1])])
def test_children_of_filtered_parents_are_read(
    tap: Runner, kind: str, deselected: list[str]
) -> None:
    with Sandbox(SMALL) as sandbox:
        config = full_config(sandbox, "freshchat")
        users = sorted(row["user_id"] for row in sandbox.world.truth[TREE[0]])
        some = {"__filter__": f"user_id > '{users[len(users) // 2]}'"}
        maps = {"stream_maps": {TREE[0]: some if kind == "filter" else None}}
        files: dict[str, Any] = {"catalog": catalog(tap, config, *deselected)}
        first = tap(config | maps, **files)
        assert first.code == 0, first.err
        found = by_stream(first)
        assert len(found.get(TREE[2], [])) < len(sandbox.world.truth[TREE[2]])
        second = tap(config, state=first.state, **files)
        assert_whole(sandbox, TREE[len(deselected) :], first, second)
        third = tap(config, state=second.state, **files)
        assert AGAIN not in third.err
        assert len(by_stream(third).get(TREE[2], [])) < len(sandbox.world.truth[TREE[2]])


def test_interrupted_pass_with_a_filter_is_not_resumed(tap: Runner) -> None:
    with Sandbox(SMALL) as sandbox:
        config = full_config(sandbox, "freshchat")
        files: dict[str, Any] = {"catalog": catalog(tap, config, TREE[0])}
        user = sandbox.world.truth["freshchat_users"][-1]["id"]
        sandbox.options.faults = [Fault(kind="status", status=400, path=user, times=None)]
        first = tap(config | {"stream_maps": {TREE[0]: None}}, **files)
        assert first.code == 1
        assert "interrupted_pass" in json.dumps(first.state)
        sandbox.options.faults = []
        second = tap(config, state=first.state, **files)
        assert_whole(sandbox, TREE[1:], first, second)


# Whose it is


def test_another_account_is_read_from_its_start(tap: Runner) -> None:
    with Sandbox(replace(SMALL, seed=1)) as ours, Sandbox(replace(SMALL, seed=2)) as theirs:
        first = tap(full_config(ours, chat=INCREMENTAL))
        assert first.code == 0, first.err
        second = tap(full_config(theirs, chat=INCREMENTAL), state=first.state)
        assert_whole(theirs, [MESSAGES, DIXA, *TREE, *CHATS, "freshchat_users"], second)
        scoped = ["true_of" in entry for entry in first.state["bookmarks"].values()]
        assert second.err.count("belongs to another account than the settings") == sum(scoped)
        third = tap(full_config(theirs, chat=INCREMENTAL), state=second.state)
        assert AGAIN not in third.err


@pytest.mark.parametrize(
    ("section", "change", "stream"),
    [
        ("livechat", {"entity_id": "another@example.com"}, "livechat_chats"),
        ("chat", {"path": "/v1//messages"}, MESSAGES),
    ],
)
def test_changed_account_setting_reads_the_stream_again(
    tap: Runner, section: str, change: dict[str, str], stream: str
) -> None:
    with Sandbox(SMALL) as sandbox:
        changes = {"chat": INCREMENTAL, section: {**(INCREMENTAL if section == "chat" else {})}}
        first = tap(full_config(sandbox, section, **changes))
        changes[section] = changes[section] | change
        second = tap(full_config(sandbox, section, **changes), state=first.state)
        assert f"The STATE of {stream} belongs to another account" in second.err
        assert "another@example.com" not in json.dumps(second.state)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("https://a.example/v2", "HTTPS://A.example:443/v2/"),
        ("http://127.0.0.1:80", "http://127.0.0.1/"),
    ],
)
def test_equal_urls_are_equal_in_any_spelling(one: str, other: str) -> None:
    assert normalise_url(one) == normalise_url(other)
    assert normalise_url(one) != normalise_url(one + "/more")


def test_changed_credential_is_reported_and_not_stored(tap: Runner) -> None:
    def answer(request: Request) -> Any:
        return paged(rows(3, timestamp="2026-01-01T00:00:00Z"))(request)

    keys = ["hunter2-first", "hunter2-second"]
    with Server(answer) as api:
        first = tap(chat_config(api, **INCREMENTAL, api_key=keys[0]))
        second = tap(chat_config(api, **INCREMENTAL, api_key=keys[1]), state=first.state)
        third = tap(chat_config(api, **INCREMENTAL, api_key=keys[1]), state=second.state)
    said = "The credential in chat.api_key is not that of the last run."
    assert [said in run.err for run in (first, second, third)] == [False, True, False]
    assert all(AGAIN not in run.err for run in (first, second, third))
    for run, key in zip((first, second, third), [keys[0], keys[1], keys[1]], strict=True):
        assert key not in json.dumps(run.state) + run.err
        truth = run.state["bookmarks"][MESSAGES]["true_of"]
        # So few bits that no one finds a key by them.
        assert len(truth["credential"]) == 3


# From when on


@pytest.mark.parametrize("section", ["chat", "dixa", "livechat", "freshchat"])
def test_earlier_start_date_reads_the_stream_from_there(tap: Runner, section: str) -> None:
    with Sandbox(SMALL) as sandbox:
        config = full_config(sandbox, section, chat=INCREMENTAL)
        streams = {
            "chat": [MESSAGES],
            "dixa": [DIXA],
            "livechat": CHATS,
            "freshchat": ["freshchat_users"],
        }[section]
        late, early = "2026-01-10", "2025-06-01"
        if section == "chat":
            late, early = "2025-01-01T00:40:00Z", "2025-01-01T00:35:00Z"
        first = tap(config | {"start_date": late})
        assert any(missing(sandbox.world.truth[stream], first.rows(stream)) for stream in streams)
        lower = config | {"start_date": "2024-01-01"}
        second = tap(lower, state=first.state)
        assert second.code == 0, second.err
        assert_whole(sandbox, streams, first, second)
        assert "starts at a later start_date than the setting" in second.err
        third = tap(lower, state=second.state)
        assert AGAIN not in third.err
        # One that is raised, but not above the bookmark, leaves no gap, and can be lowered again.
        raised = tap(config | {"start_date": early}, state=third.state)
        fifth = tap(lower, state=raised.state)
        assert AGAIN not in raised.err + fifth.err


def test_start_date_moved_past_the_bookmark_and_back_leaves_no_gap(
    tap: Runner,
) -> None:
    with Sandbox(SMALL) as sandbox:
        config = full_config(sandbox, "dixa", "livechat")
        first = tap(config | {"end_date": "2025-06-01"})
        sandbox.world = replace(sandbox.world, now=LATER)
        config["end_date"] = LATER.isoformat()
        second = tap(config | {"start_date": "2026-02-01"}, state=first.state)
        third = tap(config, state=second.state)
        assert third.code == 0, third.err
        assert_whole(sandbox, [DIXA, *CHATS], first, second, third)


def test_moved_end_date_leaves_no_gap(tap: Runner) -> None:
    with Sandbox(SMALL) as sandbox:
        config = full_config(sandbox, "dixa", "livechat")
        first = tap(config | {"end_date": "2025-09-01"})
        second = tap(config | {"end_date": "2025-03-01"}, state=first.state)
        third = tap(config, state=second.state)
        assert AGAIN not in second.err + third.err
        assert_whole(sandbox, [DIXA, *CHATS], first, second, third)


# Settings


def test_pending_chats_that_are_included_later_are_read(tap: Runner) -> None:
    with Sandbox(SMALL) as sandbox:
        first = tap(full_config(sandbox, "livechat"))
        pending = full_config(sandbox, "livechat", livechat={"include_pending": 1})
        second = tap(pending, state=first.state)
        assert_whole(sandbox, CHATS, second)
        third = tap(pending, state=second.state)
        back = tap(full_config(sandbox, "livechat"), state=third.state)
        assert AGAIN not in third.err + back.err


# STATEs


def test_state_without_a_scope_is_used_and_gets_one(tap: Runner) -> None:
    with Sandbox(SMALL) as sandbox:
        config = full_config(sandbox, chat=INCREMENTAL)
        first = tap(config)
        for bookmark in first.state["bookmarks"].values():
            bookmark.pop("true_of", None)
        second = tap(config, state=first.state)
        assert AGAIN not in second.err
        kept = {name for name, own in second.state["bookmarks"].items() if "true_of" in own}
        assert kept >= {MESSAGES, DIXA, "livechat_chats", "freshchat_users", *TREE}


@pytest.mark.parametrize("section", ["chat", "dixa", "livechat", "freshchat"])
def test_next_run_completes_one_that_failed_while_reading_missing_records(
    tap: Runner, section: str
) -> None:
    with Sandbox(replace(SMALL, seed=1)) as ours, Sandbox(replace(SMALL, seed=2)) as theirs:
        old = tap(full_config(ours, section, chat=INCREMENTAL)).state
        config = full_config(theirs, section, chat=INCREMENTAL)
        theirs.options.faults = [Fault(kind="status", status=400, after=7, times=None)]
        if section == "chat":
            theirs.options.faults = [Fault(kind="status", status=400, times=None)]
        failed = tap(config, state=old)
        assert failed.code == 1
        theirs.options.faults = []
        streams = {
            "chat": [MESSAGES],
            "dixa": [DIXA],
            "livechat": CHATS,
            "freshchat": [*TREE, "freshchat_users"],
        }[section]
        for state in (failed.state, joined(failed.state, old)):
            assert_whole(theirs, streams, failed, tap(config, state=state))


def test_scope_with_a_nameless_table_is_invalid() -> None:
    odd: dict[str, Any] = {"account": "a", "credential": "c", "start": None, "written": [[]]}
    assert read_scope({SCOPE_KEY: odd}) is None
    assert read_scope({SCOPE_KEY: odd | {"written": [["t"]]}}) is not None


def test_full_table_streams_have_no_scope(tap: Runner, sandbox: Sandbox) -> None:
    assert "true_of" not in json.dumps(tap(chat_config(sandbox)).state)


@pytest.mark.parametrize(
    "odd", [7, "x", None, {}, {"account": 7}, {"account": "x", "written": [[]]}]
)
def test_invalid_scope_is_none(tap: Runner, odd: Any, sandbox: Sandbox) -> None:
    first = tap(chat_config(sandbox, **INCREMENTAL))
    first.state["bookmarks"][MESSAGES]["true_of"] = odd
    second = tap(chat_config(sandbox, **INCREMENTAL), state=first.state)
    assert (second.code, len(second.records)) == (0, 1)
    assert API_KEY not in json.dumps(second.state)
