"""Writing records in chunks gives the same output as the loop of the SDK."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from platforms.facts import SECTIONS
from running import Run, chat_config, full_config
from serving import Server

from tap_chat.platforms.registry import PLATFORMS
from tap_chat.sandbox import Sandbox, World
from tap_chat.streams.stream import ChatStream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from running import Runner

WORLD = World(messages=500, users=10, conversations=30, dixa_conversations=300, chats=100)

# The SDK's own loop over records, and its own way of writing one. Each line of its input is a run
# in a forked process, because importing the SDK takes longer than a run.
STOCK = """
import json, os, sys
from tap_chat.singer import sdk
from tap_chat.command import run

sdk.ChunkedStream.is_chunked = False
sdk.ChunkedStream.is_mapped_here = False
for line in sys.stdin:
    sys.argv, files = json.loads(line)
    process = os.fork()
    if not process:
        for number, path in enumerate(files, 1):
            os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
        sys.exit(run())
    print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
"""

# What must not be reached when no feature of the SDK is on.
FAST_OR_NOTHING = """
from tap_chat.singer import sdk
from tap_chat.__main__ import main

def refuse(*_, **__):
    raise AssertionError("the SDK's own way")

sdk.RESTStream._write_record_message = refuse
main()
"""


class Stock:
    """The tap with the SDK's own way of writing.

    Args:
        process: The program of its runs.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def __call__(self, tap: Runner, config: dict[str, Any], **files: Any) -> Run:
        out, err = tap.folder / "stock.out", tap.folder / "stock.err"
        asked = [tap.command(config, **files), [str(out), str(err)]]
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        run = Run(int(self._process.stdout.readline()), out.read_bytes(), err.read_text())
        assert run.code == 0, run.err
        return run


@pytest.fixture(scope="module")
def stock() -> Iterator[Stock]:
    command, pipe = [sys.executable, "-c", STOCK], subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        yield Stock(process)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(WORLD) as running:
        yield running


@pytest.fixture(scope="module")
def large() -> Iterator[Sandbox]:
    with Sandbox(World(messages=23_000)) as running:
        yield running


def messages(run: Run) -> list[dict[str, Any]]:
    """Return the messages of a run with exact numbers, without times of the run."""
    found = [json.loads(line, parse_float=Decimal) for line in run.out.splitlines()]
    for message in found:
        assert ("time_extracted" in message) == (message["type"] == "RECORD")
        message.pop("time_extracted", None)
        message.pop("version", None)
        for state in message.get("value", {}).get("bookmarks", {}).values():
            state.pop("replication_key_signpost", None)
    return found


def counted(run: Run) -> dict[str, int]:
    """Return the numbers of records in the SDK's metrics, by stream."""
    counts: dict[str, int] = {}
    for line in run.err.splitlines():
        _, found, point = line.partition("METRIC: ")
        if found and (metric := json.loads(point))["metric"] == "record_count":
            stream = metric["tags"]["stream"]
            counts[stream] = counts.get(stream, 0) + metric["value"]
    return counts


def assert_same(tap: Runner, stock: Stock, config: dict[str, Any], **files: Any) -> Run:
    by_sdk = stock(tap, config, **files)
    fast = tap(config, **files)
    assert fast.code == 0, fast.err
    assert messages(fast) == messages(by_sdk)
    assert counted(fast) == counted(by_sdk)
    assert fast.records
    return fast


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize(
    "feature",
    [
        {},
        {"stream_maps": {"*": {"_source": "'made up'"}}},
        {"stream_maps": {"*": {"__filter__": "True"}}},
        {"stream_maps": {"*": {"own": "md5(str(record.get('id'))) + __stream_name__"}}},
        {"stream_maps": {"*": {"own": "str(record)[:1]"}}},
        {"flattening_enabled": True, "flattening_max_depth": 2},
    ],
    ids=["plain", "mapped", "filtered", "hashed", "mapped by the SDK", "flattened"],
)
def test_output_of_every_stream_equals_that_of_the_sdk(
    tap: Runner, stock: Stock, sandbox: Sandbox, section: str, feature: dict[str, Any]
) -> None:
    config = full_config(sandbox, section) | feature
    run = assert_same(tap, stock, config)
    # And when there is little that is new.
    again = stock(tap, config, state=run.state)
    assert messages(tap(config, state=run.state)) == messages(again)


@pytest.mark.parametrize("section", SECTIONS)
def test_selection_equals_that_of_the_sdk(
    tap: Runner, stock: Stock, sandbox: Sandbox, section: str
) -> None:
    config = full_config(sandbox, section)
    catalog = json.loads(tap.run([*tap.command({section: {}}), "--discover"]).out)
    for entry in catalog["streams"]:
        keys = {*entry["key_properties"], entry.get("replication_key")}
        optional = [item for item in entry["metadata"] if keys.isdisjoint(item["breadcrumb"][1:2])]
        for number, item in enumerate(optional):
            item["metadata"]["selected"] = item["breadcrumb"] == [] or number % 3 > 0
    run = assert_same(tap, stock, config, catalog=catalog)
    assert {"selected": False} in [
        {"selected": item["metadata"].get("selected")}
        for entry in catalog["streams"]
        for item in entry["metadata"]
    ]
    # Parents alone, and children alone.
    for number, entry in enumerate(catalog["streams"]):
        for item in entry["metadata"]:
            item["metadata"]["selected"] = number % 2 == 0
    some = messages(tap(config, catalog=catalog))
    assert some == messages(stock(tap, config, catalog=catalog))
    assert run.records


@pytest.mark.parametrize("settings", [{}, {"replication_key": "timestamp"}])
def test_states_follow_the_same_records_as_in_the_sdk(
    tap: Runner, stock: Stock, large: Sandbox, settings: dict[str, Any]
) -> None:
    """No page ends where a STATE is due."""
    run = assert_same(tap, stock, chat_config(large, page_size=700, **settings))
    # One of them before all records: what the next are true of.
    assert len(run.of_type("STATE")) == (4 if settings else 1)


RECORDS = [
    b'{"id": "1", "n": 1E+400, "i": 9007199254740993, "o": {"d": 0.10, "n": -1.5e-3}}',
    b'{"id": "2", "n": 12345678901234567890.123456789, "i": 5.0, "o": null}',
    b'{"id": "3", "i": 123456789012345678901234567890, "unknown": {"x": 1}}',
    rb'{"id": "4", "message": "a \ud83d \ud83d\ude00 \" \\ \n \u0000 \u2028"}',
    '{"id": "5", "message": "é \u2028 \U0001f600", "o": {"é": ["\U0001f600"]}}'.encode(),
    b'{\n  "id": "6",\n  "o": {"list": [1, 2,\n 3]}\r\n}',
    b'{"\\u0069d": "7", "m\\u0065ssage": "escaped names"}',
    b'{"id": "8", "message": null, "o": {}, "l": [], "b": false, "n": 0, "any": [{}]}',
    b'{"id": "9", "i": -0, "n": -0.0, "any": 1e999999, "l": [{"deep": [[[1e-400]]]}]}',
]
FIELDS = {
    "n": {"type": ["number", "null"]},
    "i": {"type": ["integer", "null"]},
    "o": {"type": ["object", "null"]},
    "l": {"type": ["array", "null"]},
    "b": {"type": "boolean"},
    "any": {"description": "No type."},
    "either": {"type": ["object", "array", "string", "null"]},
}
# A name that msgspec has no field for.
UNUSUAL = {'odd "name"\\': {"type": ["string", "null"]}}


@pytest.mark.parametrize("unusual", [{}, UNUSUAL], ids=["usual", "unusual"])
@pytest.mark.parametrize("chosen", [*range(len(RECORDS)), None])
def test_odd_records_are_written_exactly(
    tap: Runner, stock: Stock, chosen: int | None, unusual: dict[str, Any]
) -> None:
    found = RECORDS if chosen is None else RECORDS[chosen : chosen + 1]
    body = b'{"data": [%b]}' % b" , ".join(found)
    with Server(lambda _: body) as api:
        run = assert_same(tap, stock, chat_config(api, paging="none", fields=FIELDS | unusual))
    truth = [json.loads(record, parse_float=Decimal) for record in found]
    for record in truth:
        record.pop("unknown", None)
    assert [message["record"] for message in messages(run) if "record" in message] == truth
    assert run.err.count("a field 'unknown' that is not declared") == (chosen in {2, None})


def test_plain_run_does_not_use_the_record_loop_of_the_sdk(tap: Runner, sandbox: Sandbox) -> None:
    _, *arguments = tap.command(full_config(sandbox))
    run = tap.run([sys.executable, "-c", FAST_OR_NOTHING, *arguments])
    assert run.code == 0, run.err


def test_streams_read_in_chunks() -> None:
    """A stream that overrides only `get_records` would write other records in chunks."""
    for kind in (kind for platform in PLATFORMS for kind in platform.streams):
        assert kind.get_records is ChatStream.get_records, kind.name
