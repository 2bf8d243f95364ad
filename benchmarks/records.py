"""Measure records per CPU second by path: from memory and from a socket, to /dev/null.

The plain SDK tap follows the SDK's documentation. All paths run in turn, each in a separate
process. The machine is noisy: compare the ratios.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, cast

import requests
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent.parent))

from typing_extensions import override

from benchmarks.measure import saved
from tap_chat.http.client import Client
from tap_chat.http.responses import Response
from tap_chat.sandbox import World
from tap_chat.tap import TapChat

if TYPE_CHECKING:
    from tap_chat.http.request import Request

HERE = Path(__file__).parent
START = 1_735_689_600_000  # 2025-01-01, ms
# The peak memory of the child. wait4 returns one that starts at the peak of its parent.
REPORT = """
import json, pathlib, sys, time
sys.stdout.flush()
peak = pathlib.Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]
print(json.dumps({"seconds": time.process_time(), "memory": int(peak) / 1024}), file=sys.stderr)
"""

# Whole programs, so that the benchmark itself does not count.
PROGRAMS = {
    "dixa plain": """
import sys
from plain_tap import PlainDixaTap
PlainDixaTap(config={"api_url": sys.argv[1]}).sync_all()
""",
    "dixa tap-chat": """
import sys
from tap_chat.tap import TapChat
section = {"api_url": sys.argv[1], "api_token": "t"}
TapChat(config={"start_date": "2025-01-01", "end_date": "2025-01-30", "dixa": section}).sync_all()
""",
}
FIELDS: dict[str, Any] = {
    "conversation_id": {"type": ["string", "null"]},
    "updated_at": {"type": ["string", "null"], "format": "date-time"},
    "type": {"type": ["string", "null"]},
    "channel": {"type": ["string", "null"]},
    "read": {"type": ["boolean", "null"]},
    "score": {"type": ["number", "null"]},
    "position": {"type": ["integer", "null"]},
    "author": {"type": ["object", "null"]},
    "tags": {"type": ["array", "null"]},
    "attachments": {"type": ["array", "null"]},
    "metadata": {"type": ["object", "null"]},
}


@dataclass(frozen=True)
class Measured:
    """The cost of a run.

    Attributes:
        seconds: The CPU seconds, user and system. From memory, they exclude the start.
        memory: The peak MiB; None from memory, where the pages take most of it.
    """

    seconds: float
    memory: float | None


def chat_record(number: int) -> dict[str, Any]:
    """Return a chat message of 0.75 KB."""
    return {
        "id": f"m{number:09d}",
        "conversation_id": f"c{number // 7}",
        "timestamp": f"2025-03-01T12:{number // 60 % 60:02d}:{number % 60:02d}.123Z",
        "updated_at": "2025-03-01T13:00:00.000Z",
        "message": f'Hello, my order {number} did not arrive. Where is it? "Soon" is not enough. '
        * 3,
        "type": "text",
        "channel": "web",
        "read": True,
        "score": 0.5,
        "position": number,
        "user_id": f"u{number % 97}",
        "author": {"id": f"u{number % 97}", "name": "Zoë", "role": "user", "address": {"zip": "1"}},
        "tags": ["order", "late", "priority"],
        "attachments": [
            {"url": "https://example.com/" + "f" * 40, "size": 12345, "mime": "image/png"}
        ],
        "metadata": {"k1": "v1", "k2": [1, 2, 3], "k3": {"x": 1.25}},
    }


def chat_records(count: int) -> list[bytes]:
    """Return the JSON of chat messages."""
    return [
        json.dumps(chat_record(number), ensure_ascii=False, separators=(",", ":")).encode()
        for number in range(count)
    ]


def chat_page(records: list[bytes], offset: int, limit: int = 100) -> bytes:
    """Return the body of a page of chat messages."""
    return b'{"data":[%b]}' % b",".join(records[offset : offset + limit])


def dixa_month(count: int) -> bytes:
    """Return an array of conversations of 1.4 KB."""
    rows = World(dixa_conversations=2000).truth["dixa_conversation_export"]
    return b"[%b]" % b",".join(
        json.dumps(
            rows[number % len(rows)] | {"id": number, "updated_at": START + number},
            separators=(",", ":"),
        ).encode()
        for number in range(count)
    )


def from_memory(mode: str, count: int) -> None:
    """Run a tap whose responses come from memory."""
    records = chat_records(count)
    config: dict[str, Any] = {"api_url": "http://127.0.0.1", "api_key": "k"}
    if "plain" in mode:
        plain_tap = importlib.import_module("plain_tap")

        pages = (chat_page(records, offset) for offset in range(0, count + 100, 100))

        def send(*_: Any) -> requests.Response:  # noqa: ANN401
            response = requests.Response()
            response.status_code, response._content = 200, next(pages)  # noqa: SLF001
            return response

        plain_tap.Messages._request = send  # noqa: SLF001
        plain_tap.Messages.schema["properties"] |= FIELDS
        if "incremental" in mode:
            plain_tap.Messages.replication_key = "timestamp"
        tap: Any = plain_tap.PlainTap(config=config)
    else:

        def read_page(_: Client, request: Request, read: Any, **__: Any) -> Any:  # noqa: ANN401
            params = cast("dict[str, Any]", request.params)
            body = chat_page(records, int(params["offset"]), int(params["limit"]))
            return read(Response(200, {}, body))

        Client.send = read_page  # type: ignore[method-assign, assignment]
        fields = {name: field for name, field in FIELDS.items() if name != "score"}
        section = config | {"fields": fields if "decoded" in mode else FIELDS}
        if "incremental" in mode:
            section["replication_key"] = "timestamp"
        whole: dict[str, Any] = {"chat": section}
        if "mapped" in mode:
            whole["stream_maps"] = {"chat_messages": {"__filter__": "True"}}
        tap = TapChat(config=whole)
    before = time.process_time()
    tap.sync_all()
    sys.stdout.flush()
    seconds = time.process_time() - before
    print(json.dumps({"seconds": seconds, "memory": None}), file=sys.stderr)


def measured(mode: str, argument: str) -> Measured:
    """Run one path in a separate process."""
    program = [__file__, "--from-memory", mode]
    if mode in PROGRAMS:
        program = ["-c", PROGRAMS[mode] + REPORT]
    quiet = {"TAP_CHAT_LOGLEVEL": "ERROR", "TAP_PLAIN_LOGLEVEL": "ERROR"}
    path = os.pathsep.join((str(HERE), os.environ.get("PYTHONPATH", "")))
    done = subprocess.run(
        [sys.executable, *program, argument],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=os.environ | quiet | {"PYTHONPATH": path},
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{mode}: {done.stderr[-1000:]}")
    [report] = [line for line in done.stderr.splitlines() if line.startswith('{"seconds"')]
    return Measured(**json.loads(report))


class Month(BaseHTTPRequestHandler):
    """Responds to every request with the same bytes."""

    body = b""

    def do_GET(self) -> None:
        """Send the bytes."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    @override
    def log_message(self, *_: Any) -> None:
        """Log nothing."""


def compare(
    title: str, modes: list[str], argument: str, count: int, rounds: int
) -> list[dict[str, Any]]:
    """Measure paths in turn, and print a table that compares them with the first."""
    best: dict[str, Measured] = {}
    for _ in range(rounds):
        for mode in modes:
            found = measured(mode, argument)
            best[mode] = min(best.get(mode, found), found, key=lambda run: run.seconds)
    table = Table(title=title)
    for column in ("path", "records/s of CPU", "µs a record", "x", "peak MiB"):
        table.add_column(column, justify="left" if column == "path" else "right")
    slowest = best[modes[0]].seconds
    for mode, run in best.items():
        table.add_row(
            mode,
            f"{count / run.seconds:,.0f}",
            f"{run.seconds / count * 1e6:.1f}",
            f"{slowest / run.seconds:.1f}",
            f"{run.memory:.0f}" if run.memory else "",
        )
    Console(width=100).print(table)
    return [{"run": mode, "rate": round(count / run.seconds)} for mode, run in best.items()]


def main() -> None:
    """Run the benchmark and print its tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--conversations", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--save", action="store_true", help="save the rates for plot.py")
    parser.add_argument("--from-memory", nargs=2, help="run one path in this process")
    arguments = parser.parse_args()
    if arguments.from_memory:
        mode, count = arguments.from_memory
        from_memory(mode, int(count))
        return
    paths = ["plain", "mapped", "decoded", "verbatim"]
    rates = []
    for kind in ("", " incremental"):
        rates += compare(
            f"{arguments.messages:,} messages of 0.75 KB{kind}, from memory to /dev/null",
            [f"chat {path}{kind}" for path in paths],
            str(arguments.messages),
            arguments.messages,
            arguments.rounds,
        )
    Month.body = dixa_month(arguments.conversations)
    server = HTTPServer(("127.0.0.1", 0), Month)
    Thread(target=server.serve_forever, daemon=True).start()
    rates += compare(
        f"A month of {arguments.conversations:,} conversations in one response of"
        f" {len(Month.body) / 1e6:.0f} MB, from the socket to /dev/null",
        ["dixa plain", "dixa tap-chat"],
        f"http://127.0.0.1:{server.server_port}",
        arguments.conversations,
        arguments.rounds,
    )
    if arguments.save:
        saved("records", rates)


if __name__ == "__main__":
    main()
