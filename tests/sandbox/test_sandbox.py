"""The sandbox keeps its own promises: the same data, the right responses, the faults asked for."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from click.testing import CliRunner
from demo import ROOT

from tap_chat.sandbox import API_KEY, Fault, Options, Sandbox, World
from tap_chat.sandbox.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMAND = str(Path(sys.executable).parent / "tap-chat-sandbox")


def page(sandbox: Sandbox, **params: Any) -> requests.Response:
    params = dict[str, Any](api_key=API_KEY, limit=100) | params
    return requests.get(f"{sandbox.url}/v1/messages", params, timeout=10)


def test_same_seed_is_the_same_world() -> None:
    assert World(seed=3).chat.messages == World(seed=3).chat.messages
    assert World(seed=3).chat.messages != World(seed=4).chat.messages


def test_larger_world_is_the_smaller_one_with_newer_messages() -> None:
    small, large = World(messages=500).chat.messages, World(messages=900).chat.messages
    assert large[:500] == small
    assert min(row["timestamp"] for row in large[500:]) > max(row["timestamp"] for row in small)


def test_pages_are_slices(sandbox: Sandbox) -> None:
    rows = sandbox.world.chat.messages
    assert page(sandbox).json() == {"data": rows[:100]}
    assert page(sandbox, offset=440).json() == {"data": rows[440:]}
    assert page(sandbox, offset=450).json() == {"data": []}
    assert page(sandbox, limit=1000).json() == {"data": rows[:100]}
    assert page(sandbox, since=rows[400]["timestamp"]).json()["data"] == [
        row for row in rows if row["timestamp"] >= rows[400]["timestamp"]
    ]


def test_wrong_requests_are_refused(sandbox: Sandbox) -> None:
    assert page(sandbox, api_key="wrong").status_code == 401
    assert page(sandbox, offset="x").status_code == 400
    assert requests.get(f"{sandbox.url}/elsewhere", timeout=10).status_code == 404


def test_rate_limit_is_real_and_says_when_to_come_back() -> None:
    with Sandbox(options=Options(rate_limit=3, rate_window=30)) as sandbox:
        answers = [page(sandbox) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert 0 < float(answers[3].headers["Retry-After"]) <= 30
        assert sandbox.app.refused == 2


def test_latency_is_waited() -> None:
    with Sandbox(options=Options(latency=0.3)) as sandbox:
        start = time.monotonic()
        page(sandbox)
        assert time.monotonic() - start >= 0.3


def test_fault_strikes_when_and_as_often_as_asked(sandbox: Sandbox) -> None:
    sandbox.options.faults = [Fault(kind="status", status=503, after=2, times=2)]
    statuses = [page(sandbox).status_code for _ in range(6)]
    assert statuses == [200, 200, 503, 503, 200, 200]


def test_fault_of_another_path_does_not_strike(sandbox: Sandbox) -> None:
    sandbox.options.faults = [Fault(kind="status", path="/v2/")]
    assert page(sandbox).status_code == 200


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (Fault(kind="reset"), requests.ConnectionError),
        (Fault(kind="cut"), requests.exceptions.ChunkedEncodingError),
    ],
)
def test_connection_breaks(sandbox: Sandbox, fault: Fault, error: type[Exception]) -> None:
    sandbox.options.faults = [fault]
    with pytest.raises(error):
        page(sandbox)
    assert page(sandbox).status_code == 200


def test_spoilt_responses_have_good_headers(sandbox: Sandbox) -> None:
    rows = sandbox.world.chat.messages
    sandbox.options.faults = [
        Fault(kind="truncate"),
        Fault(kind="empty"),
        Fault(kind="html"),
        Fault(kind="null"),
        Fault(kind="repeat"),
        Fault(kind="drop"),
        Fault(kind="replace", field="user_id", literal="1.10"),
    ]
    answers = [page(sandbox, offset=100) for _ in range(7)]
    assert {answer.status_code for answer in answers} == {200}
    bodies = [answer.text for answer in answers]
    whole = page(sandbox, offset=100).text
    assert whole.startswith(bodies[0])
    assert 0 < len(bodies[0]) < len(whole)
    assert bodies[1] == ""
    assert answers[2].headers["Content-Type"].startswith("text/html")
    assert bodies[3] == "null"
    assert answers[4].json()["data"] == rows[:100]
    assert "id" not in answers[5].json()["data"][-1]
    assert bodies[6].endswith('"user_id":1.10}]}')


@pytest.fixture
def url() -> Iterator[str]:
    """The address of a sandbox that runs as a command."""
    fault = '{"kind": "status", "status": 500, "times": 1}'
    sizes = ["--messages=12", "--users=3", "--conversations=4", "--dixa-conversations=5"]
    command = [COMMAND, *sizes, "--chats=6", "--seed=5", f"--fault={fault}"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def test_command_prints_its_address_and_is_steered_over_http(url: str) -> None:
    params: dict[str, str | int] = {"api_key": API_KEY, "limit": 100}
    assert requests.get(f"{url}/v1/messages", params, timeout=10).status_code == 500
    rows = requests.get(f"{url}/v1/messages", params, timeout=10).json()["data"]
    assert rows == World(seed=5, messages=12).chat.messages
    report = requests.get(f"{url}/_sandbox", timeout=10).json()
    world = World(seed=5, messages=12, users=3, conversations=4, dixa_conversations=5, chats=6)
    assert report["rows"] == world.rows
    assert report["rows"]["freshchat_users"] == 3
    assert report["requests"] == 2

    changed = requests.patch(f"{url}/_sandbox", json={"faults": [{"kind": "null"}]}, timeout=10)
    assert changed.status_code == 200
    assert requests.get(f"{url}/v1/messages", params, timeout=10).text == "null"
    for change in ({"latencyy": 1}, {"now": "2026-02-15T00:00:00"}, {"now": 3}, {"messages": -1}):
        wrong = requests.patch(f"{url}/_sandbox", json=change, timeout=10)
        assert wrong.status_code == 400
        assert next(iter(change)) in wrong.text


def test_time_moves_on_over_http(sandbox: Sandbox) -> None:
    before = requests.get(f"{sandbox.url}/_sandbox", timeout=10).json()
    change = {"now": "2026-02-15T00:00:00Z"}
    after = requests.patch(f"{sandbox.url}/_sandbox", json=change, timeout=10).json()
    assert after["world"] == before["world"] | change
    assert after["options"] == before["options"]
    assert sandbox.world == replace(World(messages=450), now=datetime(2026, 2, 15, tzinfo=UTC))
    assert after["rows"]["dixa_conversation_export"] > before["rows"]["dixa_conversation_export"]


@pytest.mark.parametrize("path", ["/v1/messages", "/v2/users", "/v1/conversation_export", "/chats"])
def test_every_api_passes_the_gate(path: str) -> None:
    faults = [Fault(kind="status", path=path, status=503), Fault(kind="html", path=path)]
    with Sandbox(options=Options(rate_limit=3, faults=faults)) as sandbox:
        answers = [requests.get(sandbox.url + path, timeout=10) for _ in range(4)]
    assert [answer.status_code for answer in answers][:2] == [503, 200]
    assert answers[2].status_code in {400, 401}
    assert answers[3].status_code == 429
    assert "Retry-After" in answers[3].headers


def test_rows_count_the_truth() -> None:
    opening = datetime(2025, 10, 1, tzinfo=UTC)
    none = World(messages=0, users=0, conversations=9, dixa_conversations=0, chats=0)
    worlds = [World(), World(seed=2, now=datetime(2026, 3, 1, tzinfo=UTC)), none]
    worlds += [World(users=1, now=opening + timedelta(hours=hours)) for hours in (-1, 0, 1, 99)]
    for world in worlds:
        assert world.rows == {stream: len(rows) for stream, rows in world.truth.items()}


def test_every_option_is_a_flag_and_on_the_page() -> None:
    flags = {flag for parameter in main.params for flag in parameter.opts}
    page = (ROOT / "docs" / "sandbox.md").read_text()
    lists = {"limits": "limit", "faults": "fault", "drifts": "drift"}
    # The changes that have happened are not an option.
    names = World.names() - {"changes"} | vars(Options()).keys()
    for name in names:
        flag = f"--{lists.get(name, name).replace('_', '-')}"
        assert flag in flags
        assert f"`{flag}`" in page


def test_command_takes_limits_and_drifts() -> None:
    options = ["--message-links", "--messages-end=404", "--hidden=9", "--dixa-odd=ahead"]
    options += ['--limit={"kind": "leaky", "reports": ["date"]}', '--limit={"kind": "at_once"}']
    options += ['--drift={"kind": "delete", "of": "chats"}']
    command = [COMMAND, *options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        report = requests.get(f"{process.stdout.readline().strip()}/_sandbox", timeout=10).json()
        process.terminate()
    assert [limit["kind"] for limit in report["options"]["limits"]] == ["leaky", "at_once"]
    assert report["options"]["drifts"][0]["of"] == "chats"
    assert report["options"]["message_links"] is True
    assert report["options"]["messages_end"] == "404"
    assert (report["world"]["hidden"], report["world"]["dixa_odd"]) == (9, "ahead")


@pytest.mark.parametrize(
    ("flag", "word"),
    [
        ('--fault={"kind": "flood"}', "flood"),
        ('--limit={"kind": "fixed", "count": 0}', "count"),
        ('--drift={"kind": "update", "of": "chats"}', "chats does not support update"),
        ("--now=yesterday", "now"),
        ("--dixa-bounds=<>", "dixa_bounds"),
        ("--links=none", "links"),
        ("--chats=-1", "chats"),
        ("--livechat-timezone=Mars", "Mars"),
    ],
)
def test_command_refuses_unknown_arguments(flag: str, word: str) -> None:
    done = subprocess.run([COMMAND, flag], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert word in done.stderr


@pytest.mark.parametrize(
    ("fault", "body"),
    [
        (Fault(kind="body", literal="[]"), b"[]"),
        (Fault(kind="gzip_junk"), b"no gzip"),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
def test_bodies_are_spoilt_as_asked(sandbox: Sandbox, fault: Fault, body: bytes) -> None:
    sandbox.options.faults = [fault]
    params: dict[str, Any] = {"api_key": API_KEY}
    url = f"{sandbox.url}/v1/messages"
    with requests.get(url, params, timeout=10, stream=True) as answer:
        assert answer.raw.read(decode_content=False) == body


def test_charset_is_not_utf_8(sandbox: Sandbox) -> None:
    sandbox.options.faults = [Fault(kind="charset"), Fault(kind="charset", charset="utf-16")]
    with pytest.raises(UnicodeDecodeError):
        page(sandbox).content.decode()
    assert page(sandbox).content.decode("utf-16") == page(sandbox).text


def test_compressed_body_that_breaks_off_is_half_of_it(sandbox: Sandbox) -> None:
    whole = page(sandbox).content
    sandbox.options.faults = [Fault(kind="gzip_cut")]
    begun = page(sandbox).content
    assert begun
    assert whole.startswith(begun)
    assert begun != whole


@pytest.mark.parametrize(("kind", "seconds"), [("hang", 0.2), ("stall", 0.2), ("drip", 0.002)])
def test_slow_responses_arrive_complete(sandbox: Sandbox, kind: Any, seconds: float) -> None:
    whole = page(sandbox, limit=1).json()
    sandbox.options.faults = [Fault(kind=kind, seconds=seconds)]
    start = time.monotonic()
    assert page(sandbox, limit=1).json() == whole
    assert time.monotonic() - start >= 0.1


def test_fault_of_another_query_does_not_strike(sandbox: Sandbox) -> None:
    sandbox.options.faults = [Fault(kind="status", query={"offset": "100", "limit": "100"})]
    assert page(sandbox).status_code == 200
    assert page(sandbox, offset=100).status_code == 500


def test_clock_of_the_server_may_be_wrong(sandbox: Sandbox) -> None:
    sandbox.options.clock = 3600
    sandbox.options.faults = [Fault(kind="status", status=429, until=5)]
    answer = page(sandbox)
    dates = [parsedate_to_datetime(answer.headers[name]) for name in ("Date", "Retry-After")]
    assert timedelta(minutes=59) < dates[0] - datetime.now(UTC) < timedelta(minutes=61)
    assert timedelta(seconds=4) <= dates[1] - dates[0] <= timedelta(seconds=6)
    assert "Date" in page(sandbox).headers


def test_next_link_is_the_one_asked_for(sandbox: Sandbox) -> None:
    sandbox.options.faults = [Fault(kind="link", literal="//elsewhere.invalid/v2/agents?page=2")]
    headers = {"Authorization": f"Bearer {API_KEY}"}
    body = requests.get(f"{sandbox.url}/v2/agents", headers=headers, timeout=10).json()
    assert body["links"]["next_page"]["href"] == "//elsewhere.invalid/v2/agents?page=2"


def test_port_in_use_is_one_sentence() -> None:
    with Sandbox() as sandbox:
        port = sandbox.url.rpartition(":")[2]
        done = CliRunner().invoke(main, ["--port", port])
    assert done.exit_code == 1
    assert done.output == (
        f"Error: Port {port} can't be used: Address already in use. Choose another, or 0 for a"
        " free one.\n"
    )
