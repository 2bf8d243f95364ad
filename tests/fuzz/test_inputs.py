"""With any content of a user's files, a run is complete, or ends with a sentence."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
from fuzz.effort import examples
from hypothesis import HealthCheck, example, given
from hypothesis import strategies as st
from running import Runner, full_config

from tap_chat.http.rate_limits import headers as limits
from tap_chat.platforms.freshchat.resume import (
    ApproximateSet,
    find_progress,
    position_of,
    remaining,
)
from tap_chat.sandbox import API_KEY, Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Iterator

SECTIONS = ("chat", "dixa")
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.sampled_from(
        [10**400, -1, 1e308, "2025-01-01", "9999-12-31T23:59:59-23:59", "\ud83d", "*"]
    ),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=3,
)
KEYS = st.sampled_from(["timestamp", "updated_at", "id", ""])
BOOKMARKS = st.fixed_dictionaries(
    {},
    optional={
        "replication_key": KEYS | JUNK,
        "replication_key_value": st.datetimes().map(str) | JUNK,
        "starting_replication_value": JUNK,
        "replication_key_signpost": JUNK,
        "progress_markers": JUNK
        | st.fixed_dictionaries({"replication_key": KEYS, "replication_key_value": JUNK}),
        "partitions": JUNK | st.lists(st.fixed_dictionaries({"context": JUNK}), max_size=2),
        "interrupted_pass": JUNK,
        "true_of": JUNK
        | st.fixed_dictionaries(
            {"account": st.text(max_size=3), "credential": st.just("abc"), "start": JUNK},
            optional={"written": JUNK | st.just([["chat_messages"]])},
        ),
    },
)
STREAMS = st.sampled_from(["chat_messages", "dixa_conversation_export", "other", ""])
STATES = (
    st.fixed_dictionaries({"bookmarks": st.dictionaries(STREAMS, BOOKMARKS | JUNK, max_size=3)})
    | st.dictionaries(st.sampled_from(["bookmarks", "value", "x"]), JUNK, max_size=2)
    | JUNK
)


@pytest.fixture(scope="module")
def api() -> Iterator[Sandbox]:
    with Sandbox(World(messages=20, dixa_conversations=20)) as running:
        yield running


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    return Runner(tmp_path_factory.mktemp("inputs"))


def config_of(api: Sandbox) -> dict[str, Any]:
    config = full_config(api, *SECTIONS, chat={"replication_key": "timestamp"})
    for section in SECTIONS:
        config[section] |= {"max_retries": 0, "request_timeout": 5}
    return config


def checked(runner: Runner, config: Any, **files: Any) -> tuple[int, list[dict[str, Any]]]:
    """Run the tap, check its log, and return its exit code and its messages."""
    run = runner(config, **files)
    assert run.code in {0, 1, 2}, run.err
    assert "Traceback" not in run.err
    assert "may hold values of rows" not in run.err, run.err
    assert API_KEY not in run.err
    if run.code == 1:
        assert run.errors, run.err
    return run.code, run.messages


QUICK = {"suppress_health_check": list(HealthCheck)}


@examples(20)
@given(state=STATES)
@example(state={"bookmarks": {"chat_messages": {"progress_markers": 1}}})
@example(state={"bookmarks": {"chat_messages": {"partitions": 1}}})
@example(state={"bookmarks": {"chat_messages": {"partitions": [{"context": 1}]}}})
def test_state_is_refused_or_kept(api: Sandbox, runner: Runner, state: Any) -> None:
    code, messages = checked(runner, config_of(api), state=state)
    if code:
        return
    states = [message["value"] for message in messages if message["type"] == "STATE"]
    assert states
    # Parts of other streams stay, and every stream has a bookmark at the end.
    for stream, kept in (state or {}).get("bookmarks", {}).items():
        # The SDK drops an empty one.
        if stream in {"other", ""} and kept:
            assert states[-1]["bookmarks"][stream] == kept
    for stream in ("chat_messages", "dixa_conversation_export"):
        assert states[-1]["bookmarks"][stream]["replication_key_value"] is not None


@st.composite
def changes(draw: st.DrawFn, whole: dict[str, Any]) -> dict[str, Any]:
    """Draw an object with a changed or missing part."""
    found = deepcopy(whole)
    for _ in range(draw(st.integers(1, 2))):
        part: Any = found
        while part:
            key = draw(
                st.sampled_from(sorted(part) if isinstance(part, dict) else range(len(part)))
            )
            inner = part[key]
            if isinstance(inner, (dict, list)) and inner and draw(st.integers(0, 3)):
                part = inner
                continue
            if draw(st.booleans()):
                part[key] = draw(JUNK)
            elif isinstance(part, dict):
                part[draw(st.sampled_from([f"{key}x", "", "*", "properties", "type"]))] = part.pop(
                    key
                )
            else:
                part.pop(key)
            break
    return found


@pytest.fixture(scope="module")
def catalog(api: Sandbox, runner: Runner) -> dict[str, Any]:
    command = runner.command(config_of(api))
    found: dict[str, Any] = json.loads(runner.run([*command, "--discover"]).out)
    return found


@examples(25)
@given(data=st.data())
def test_catalog_is_refused_or_followed(
    api: Sandbox, runner: Runner, catalog: dict[str, Any], data: st.DataObject
) -> None:
    given = data.draw(changes(catalog))
    code, messages = checked(runner, config_of(api), catalog=given)
    assert code or all(message["type"] in {"SCHEMA", "RECORD", "STATE"} for message in messages)


@examples(25)
@given(data=st.data())
def test_config_is_refused_or_followed(api: Sandbox, runner: Runner, data: st.DataObject) -> None:
    config = config_of(api)
    checked(runner, data.draw(changes(config)))


WORDS = (
    "Mon, Wed , 21 Oct 2015 07:28:00 GMT -0100 +9999 99999999999 24:00:00 Feb 30 31 UTC ( ) inf nan"
    " 1e5 ٣ ² 0 -1 _ \x00"
)


@examples(300)
@given(st.lists(st.sampled_from(WORDS.split(" ")) | st.text(max_size=3), max_size=8).map(" ".join))
def test_retry_after_of_any_text_is_a_wait_or_none(value: str) -> None:
    seconds = limits.read(429, {"Retry-After": value}, None).wait
    assert seconds is None or 0 <= seconds <= limits.DAY


IDS = st.lists(st.text(max_size=2), max_size=8, unique=True)
PLACES = IDS.map(lambda ids: max(map(position_of, ids), default="")) | JUNK


@examples(200)
@given(IDS, PLACES, IDS.map(lambda ids: ApproximateSet.of(ids).text) | JUNK, st.just("kind") | JUNK)
@example(["a"], "", "", "kind")
@example(["a"], "g", "-1", "kind")
def test_mark_leaves_out_no_parent_that_was_not_written(
    ids: list[str], place: Any, missed: Any, kind: Any
) -> None:
    state = {"interrupted_pass": {"kind": kind, "started": "x", "place": place, "missed": missed}}
    mark = find_progress(state, "kind")
    left = remaining(ids, mark)
    assert left == sorted(left, key=position_of)
    for parent in {*ids} - {*left}:
        assert mark is not None
        assert position_of(parent) <= mark.place
        assert parent not in mark.missing
    assert mark is not None or {*left} == {*ids}
