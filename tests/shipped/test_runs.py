"""The platforms whose declarations are shipped: every row arrives, whatever happens."""

from __future__ import annotations

import json
import random
import signal
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace as changed
from running import (
    Run,
    by_stream,
    ended_after,
    full_config,
    in_order,
    merged,
    missing,
)
from shipped.facts import SHIPPED, Shipped

from tap_chat.sandbox import Fault, Options, Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from running import Runner

LATER = (datetime(2026, 2, 9, tzinfo=UTC), datetime(2026, 3, 15, tzinfo=UTC))


@pytest.fixture(params=SHIPPED, scope="module")
def facts(request: pytest.FixtureRequest) -> Shipped:
    return SHIPPED[request.param]


@pytest.fixture(scope="module")
def shared(facts: Shipped) -> Iterator[Sandbox]:
    with Sandbox(facts.world) as running:
        yield running


@pytest.fixture
def sandbox(shared: Sandbox, facts: Shipped) -> Sandbox:
    shared.world = facts.world
    fresh = Options()
    for name in vars(fresh):
        setattr(shared.options, name, getattr(fresh, name))
    return shared


def assert_whole(run: Run, facts: Shipped, world: World) -> None:
    """Check that a run wrote every row once."""
    assert run.code == 0, run.err
    found, truth = by_stream(run), facts.truth(world)
    assert found.keys() == {stream for stream, rows in truth.items() if rows}
    for stream, rows in truth.items():
        assert in_order(found.get(stream, [])) == in_order(rows), stream


def test_every_row_of_every_stream_arrives_once(
    tap: Runner, sandbox: Sandbox, facts: Shipped
) -> None:
    assert_whole(tap(full_config(sandbox, facts.name)), facts, sandbox.world)


def test_later_runs_bring_a_merging_loader_up_to_date(
    tap: Runner, sandbox: Sandbox, facts: Shipped
) -> None:
    runs = [tap(full_config(sandbox, facts.name))]
    for moment in LATER:
        sandbox.world = replace(sandbox.world, now=moment)
        runs.append(tap(full_config(sandbox, facts.name), state=runs[-1].state))
        assert runs[-1].code == 0, runs[-1].err
        tables = merged(runs)
        for stream, rows in facts.truth(sandbox.world).items():
            assert missing(rows, list(tables[stream].values())) == [], stream
    # A run reads what changed, and not everything again.
    assert len(runs[1].records) < 0.6 * len(runs[0].records)
    again = tap(full_config(sandbox, facts.name), state=runs[-1].state)
    assert again.code == 0, again.err
    assert len(again.records) < 0.3 * len(runs[0].records)


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="status", status=429, headers={"Retry-After": "0.1"}),
        Fault(kind="status", status=500),
        Fault(kind="status", status=503, times=3),
        Fault(kind="reset"),
        Fault(kind="cut"),
        Fault(kind="truncate"),
        Fault(kind="empty"),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
def test_passing_faults_lose_nothing(
    tap: Runner, sandbox: Sandbox, facts: Shipped, fault: Fault
) -> None:
    faults = [changed(fault, path=path, after=after) for path, after in facts.paths.items()]
    sandbox.options.faults = faults
    assert_whole(tap(full_config(sandbox, facts.name)), facts, sandbox.world)
    assert [struck.times for struck in faults] == [0] * len(faults)


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_lasting_faults_fail_with_a_sentence(
    tap: Runner, sandbox: Sandbox, facts: Shipped, status: int
) -> None:
    path, after = next(iter(facts.paths.items()))
    sandbox.options.faults = [
        Fault(kind="status", status=status, path=path, after=after, times=None)
    ]
    run = tap(full_config(sandbox, facts.name))
    assert run.code == 1
    [error] = run.errors
    assert f"returned {status} " in error
    assert facts.prefix in error
    section = facts.section(sandbox)
    assert section[facts.secret] not in run.err + run.out.decode()


@pytest.mark.parametrize("seed", range(3))
def test_next_run_completes_a_killed_one(
    tap: Runner, sandbox: Sandbox, facts: Shipped, seed: int
) -> None:
    lines = sum(len(rows) for rows in facts.truth(sandbox.world).values())
    moment = random.Random(f"{facts.name} {seed}").randrange(1, lines)
    command = tap.command(full_config(sandbox, facts.name))
    killed = ended_after(command, moment, signal.SIGKILL)
    whole = replace(killed, out=killed.out[: killed.out.rfind(b"\n") + 1])
    sandbox.world = replace(sandbox.world, now=LATER[0])
    resumed = tap(full_config(sandbox, facts.name), state=whole.state)
    assert resumed.code == 0, resumed.err
    tables = merged([whole, resumed])
    for stream, rows in facts.truth(sandbox.world).items():
        assert missing(rows, list(tables[stream].values())) == [], stream


def test_rate_limit_is_kept(tap: Runner, sandbox: Sandbox, facts: Shipped) -> None:
    for name, value in facts.limit.items():
        setattr(sandbox.options, name, value)
    before = sandbox.app.refused
    run = tap(full_config(sandbox, facts.name))
    assert_whole(run, facts, sandbox.world)
    assert sandbox.app.refused - before < 40


def test_connection_is_tested(tap: Runner, sandbox: Sandbox, facts: Shipped) -> None:
    config = full_config(sandbox, facts.name)
    before = sandbox.requests
    right = tap.run([*tap.command(config), "--test"])
    assert right.code == 0, right.err
    assert right.out.decode().startswith(f"{facts.name} ")
    assert " ok " in right.out.decode()
    assert sandbox.requests - before == 1
    config[facts.name][facts.secret] = "wrong"
    wrong = tap.run([*tap.command(config), "--test"])
    assert wrong.code == 1
    assert f"{facts.name}.{facts.secret}" in wrong.out.decode()


def test_streams_are_discovered(tap: Runner, sandbox: Sandbox, facts: Shipped) -> None:
    run = tap.run([*tap.command(full_config(sandbox, facts.name)), "--discover"])
    assert run.code == 0, run.err
    streams = {entry["tap_stream_id"]: entry for entry in json.loads(run.out)["streams"]}
    assert streams.keys() == facts.truth(sandbox.world).keys()
    for name, rows in facts.truth(sandbox.world).items():
        assert streams[name]["key_properties"], name
        assert streams[name]["schema"]["properties"].keys() >= rows[0].keys(), name


def test_parts_out_of_reach_are_a_warning(tap: Runner) -> None:
    with Sandbox(World(intercom_conversations=9, intercom_parts=500)) as sandbox:
        run = tap(full_config(sandbox, "intercom"))
        assert_whole(run, SHIPPED["intercom"], sandbox.world)
        assert run.err.count("the most that the API returns") == 1
        first = sandbox.world.truth["intercom_conversations"][0]["id"]
        assert f"The list of intercom_conversation_parts of {first} has 500 rows" in run.err


def test_messages_take_one_request_for_each_hundred(tap: Runner) -> None:
    with Sandbox(World(chatwoot_conversations=9, chatwoot_messages=230)) as sandbox:
        never = Fault(kind="hang", path="/messages", after=1000)
        sandbox.options.faults = [never]
        assert_whole(tap(full_config(sandbox, "chatwoot")), SHIPPED["chatwoot"], sandbox.world)
        # Two pages that are followed by another, and one for each conversation.
        assert 1000 - never.after == 2 + len(sandbox.world.truth["chatwoot_conversations"])
