"""Redirects and foreign links are errors, absent hosts are retried, deleted records skipped."""

from __future__ import annotations

import socket
import subprocess
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from fault_matrix.case import WORLD, Case
from fault_matrix.runs import Outcome, assert_made_good, config_of, meet
from running import Run, assert_complete
from serving import Server

from tap_chat.sandbox import API_KEY, Fault, Sandbox

if TYPE_CHECKING:
    from running import Runner


@pytest.mark.parametrize(
    ("platform", "status"), [("chat", 301), ("freshchat", 302), ("dixa", 307), ("livechat", 308)]
)
def test_redirect_to_another_host_is_not_followed(
    tap: Runner, api: Sandbox, platform: str, status: int
) -> None:
    with Server(lambda _: {"data": []}) as elsewhere:
        location = {"Location": f"{elsewhere.url}/v1/messages"}
        fault = Fault(kind="status", status=status, headers=location, times=None)
        outcome = meet(tap, api, Case("", "", fault), platform)
        assert elsewhere.requests == []
    assert outcome.run.code == 1
    assert f"towards {elsewhere.url}, which is not followed" in outcome.said


@pytest.mark.parametrize("status", [301, 307, 308])
def test_redirect_on_the_same_host_is_an_error_too(tap: Runner, api: Sandbox, status: int) -> None:
    location = {"Location": "/v1/messages?offset=200"}
    fault = Fault(kind="status", status=status, headers=location, times=None)
    outcome = meet(tap, api, Case("", "", fault), "chat")
    assert outcome.run.code == 1
    assert "towards another path of the host, which is not followed" in outcome.said


def test_next_link_to_another_host_is_not_followed(tap: Runner, api: Sandbox) -> None:
    with Server(lambda _: {"agents": []}) as elsewhere:
        link = f"{elsewhere.url}/v2/agents?page=3"
        fault = Fault(kind="link", literal=link, times=None)
        outcome = meet(tap, api, Case("", "", fault), "freshchat")
        assert elsewhere.requests == []
    assert outcome.run.code == 1


def test_host_that_is_not_up_yet_is_retried(tap: Runner) -> None:
    with socket.socket() as bound:
        # The port is reserved, but nothing listens.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        settings = {"backoff_factor": 0.5, "max_retries": 5}
        chat = {"api_url": f"http://127.0.0.1:{port}", "api_key": API_KEY} | settings
        command = tap.command({"chat": chat})
        out = tap.folder / "out"
        with (
            out.open("wb") as written,
            subprocess.Popen(
                command, cwd=tap.folder, stdout=written, stderr=subprocess.PIPE, text=True
            ) as process,
        ):
            assert process.stderr is not None
            first = next(line for line in process.stderr if "It has failed for" in line)
            assert "no connection to that host and port" in first
            bound.close()
            with Sandbox(WORLD, port=port) as sandbox:
                process.stderr.read()
                code = process.wait()
                assert_complete(Run(code, out.read_bytes(), ""), sandbox, "chat_messages")


def test_host_that_never_comes_up_is_an_error(tap: Runner) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        run = tap(
            {"chat": {"api_url": url, "api_key": API_KEY, "backoff_factor": 0.01, "max_retries": 3}}
        )
    assert run.code == 1
    assert "could not be sent: no connection to that host and port" in run.errors[0]
    assert "Gave up after 4 tries" in run.errors[0]


def test_404_of_a_conversation_is_skipped_with_a_warning(tap: Runner, api: Sandbox) -> None:
    gone = api.world.truth["freshchat_conversations"][3]["conversation_id"]
    api.options.faults = [Fault(kind="status", status=404, path=gone, times=None)]
    run = tap(config_of(api, "freshchat"), level="DEBUG")
    api.options.faults = []
    assert run.code == 0
    [conversations, messages] = [line for line in run.err.splitlines() if "Requests for /" in line]
    path = "Requests for /conversations/{conversation_id}"
    assert f"{path} that returned 404 Not Found: 1." in conversations
    assert f"{path}/messages that returned 404 Not Found: 1." in messages


@pytest.mark.parametrize("status", [401, 403])
def test_refusal_of_one_conversation_fails_and_the_next_run_completes(
    tap: Runner, api: Sandbox, status: int
) -> None:
    gone = api.world.truth["freshchat_conversations"][3]["conversation_id"]
    api.options.faults = [Fault(kind="status", status=status, path=gone, times=None)]
    run = tap(config_of(api, "freshchat"), level="DEBUG")
    api.options.faults = []
    assert run.code == 1
    assert f"/conversations/{quote(gone, safe='')} returned {status}" in run.errors[0]
    assert_made_good(tap, api, {"freshchat": Outcome(run, {}, {})})
