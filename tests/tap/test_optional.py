"""A stream that the API does not allow is left out only if the settings say so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from running import SelectingRunner, by_stream, full_config

from tap_chat.sandbox import Fault, Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from running import Runner

ROLES, DIXA = "freshchat_roles", "dixa_conversation_export"


@pytest.fixture
def served() -> Iterator[Sandbox]:
    with Sandbox(World(messages=10, users=3, conversations=5, dixa_conversations=40)) as running:
        yield running


@pytest.mark.parametrize("status", [401, 402, 403])
def test_stream_is_left_out_with_a_warning(tap: Runner, served: Sandbox, status: int) -> None:
    served.options.faults = [Fault(kind="status", status=status, path="/roles", times=None)]
    config = full_config(served, "freshchat", freshchat={"optional": [ROLES]})
    run = tap(config)
    assert run.code == 0, run.err
    assert ROLES not in by_stream(run)
    assert by_stream(run)["freshchat_agents"]
    [warning] = [line for line in run.err.splitlines() if "is left out" in line]
    assert f"Stream {ROLES}: GET " in warning
    assert str(status) in warning
    assert "as it is in freshchat.optional" in warning
    config["freshchat"].pop("optional")
    strict = tap(config)
    assert strict.code == 1
    assert str(status) in strict.errors[-1]


def test_left_out_stream_keeps_its_bookmark(tap: Runner, served: Sandbox) -> None:
    tap = SelectingRunner(tap.folder, (DIXA,))
    config = full_config(served, "dixa", dixa={"optional": [DIXA], "batch_size": 7})
    config |= {"start_date": "2025-12-01", "max_workers": 1}
    served.options.faults = [Fault(kind="status", status=403, path="export", after=4, times=None)]
    first = tap(config)
    assert first.code == 0, first.err
    served.options.faults = []
    second = tap(config, state=first.state)
    whole = tap(config)
    ids = {row["id"] for run in (first, second) for row in run.rows(DIXA)}
    assert first.rows(DIXA)
    assert ids == {row["id"] for row in whole.rows(DIXA)}
    assert len(second.rows(DIXA)) < len(whole.rows(DIXA))


@pytest.mark.parametrize("name", ["freshchat_role", "freshchat_users_conversations", "dixa_roles"])
def test_streams_that_are_read_together_are_not_optional(
    tap: Runner, served: Sandbox, name: str
) -> None:
    run = tap(full_config(served, "freshchat", freshchat={"optional": [name]}))
    assert run.code == 1
    [error] = run.errors
    assert "`freshchat.optional` names a stream that can't be left out. It can name" in error
    assert ROLES in error
    assert name not in error.partition("It can name")[0]
