"""Promises of all platforms: nothing is lost after a kill, and memory does not grow."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from running import (
    ALL,
    BIN,
    assert_complete,
    by_stream,
    catalog_of,
    ended_after,
    full_config,
    in_order,
    merged,
    missing,
)

from tap_chat.platforms.registry import BUILT_IN
from tap_chat.sandbox import Sandbox, World

if TYPE_CHECKING:
    from running import Runner

LATER = datetime(2026, 3, 15, tzinfo=UTC)
WORLD = World(messages=500, users=30, conversations=60, dixa_conversations=300, chats=200)


def test_every_row_of_every_stream_arrives_once(tap: Runner) -> None:
    with Sandbox(WORLD) as sandbox:
        run = tap(full_config(sandbox, *ALL))
        assert_complete(run, sandbox, *sandbox.world.truth)
        assert set(by_stream(run)) == set(sandbox.world.truth)


@pytest.mark.parametrize("seed", range(6))
def test_next_run_completes_a_killed_one(tap: Runner, seed: int) -> None:
    with Sandbox(replace(WORLD, seed=seed)) as sandbox:
        lines = sum(sandbox.world.rows.values())
        moment = random.Random(seed).randrange(1, lines)
        killed = ended_after(tap.command(full_config(sandbox, *ALL)), moment, signal.SIGKILL)
        whole = replace(killed, out=killed.out[: killed.out.rfind(b"\n") + 1])
        resumed = tap(full_config(sandbox, *ALL), state=whole.state)
        assert resumed.code == 0, resumed.err
        tables = merged([whole, resumed])
        for stream, truth in sandbox.world.truth.items():
            found = list(tables[stream].values())
            assert in_order(found) == in_order(truth), stream


def test_second_run_brings_a_merging_loader_up_to_date(tap: Runner) -> None:
    with Sandbox(WORLD) as sandbox:
        first = tap(full_config(sandbox, *ALL))
        sandbox.world = replace(sandbox.world, now=LATER)
        second = tap(full_config(sandbox, *ALL), state=first.state)
        assert second.code == 0, second.err
        tables = merged([first, second])
        for stream, truth in sandbox.world.truth.items():
            found = list(tables[stream].values())
            assert missing(truth, found) == [], stream
        third = tap(full_config(sandbox, *ALL), state=second.state)
        for stream, marks in second.state["bookmarks"].items():
            before = marks.get("replication_key_value")
            after = third.state["bookmarks"][stream].get("replication_key_value")
            assert before is None or before <= after, stream


def test_memory_does_not_grow_with_the_account(tap: Runner) -> None:
    peaks = []
    # Below three times, the smallest buffers are not full yet.
    for factor in (3, 15):
        world = World(
            messages=2000 * factor,
            users=30 * factor,
            conversations=60 * factor,
            dixa_conversations=1200 * factor,
            chats=200 * factor,
        )
        with Sandbox(world) as sandbox:
            config = full_config(sandbox, *ALL, dixa={"max_response_mb": 1})
            command = tap.command(config)
            peaks.append(peak_memory(command))
    assert peaks[1] < 1.2 * peaks[0]


def peak_memory(command: list[str]) -> int:
    """Return the peak memory of a command in KiB."""
    measure = (
        "import resource, subprocess, sys;"
        "subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,"
        " check=True);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    return int(subprocess.check_output([sys.executable, "-c", measure, *command]))


def test_streams_of_all_platforms_are_discovered_without_a_config(tap: Runner) -> None:
    run = tap.run([str(BIN / "tap-chat"), "--discover"])
    streams = json.loads(run.out)["streams"]
    extra = [stream.name for platform in BUILT_IN for stream in platform.extra_streams]
    names = {entry["tap_stream_id"] for entry in streams}
    assert names == set(World().truth) - set(extra)
    for entry in (*streams, *catalog_of(*extra)["streams"]):
        assert entry["key_properties"], entry["tap_stream_id"]
        if entry["tap_stream_id"].startswith(tuple(f"{platform.name}_" for platform in BUILT_IN)):
            # The fields of a declaration are those of the API, which describes them.
            for name, field in entry["schema"]["properties"].items():
                assert field["description"], f"{entry['tap_stream_id']}.{name}"
