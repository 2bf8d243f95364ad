"""BATCH messages: the same records as in RECORD messages, in files."""

from __future__ import annotations

import gzip
import json
import signal
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import msgspec
import pyarrow as pa
import pytest
from running import chat_config, ended_after, full_config
from serving import Server
from starlette.responses import Response

from tap_chat.sandbox import Options, Sandbox, World
from tap_chat.singer.arrow_files import ArrowEncoder

if TYPE_CHECKING:
    from running import Run, Runner
    from starlette.requests import Request

WORLD = World(messages=700, users=10, conversations=30, dixa_conversations=100, chats=60)
FORMS = [
    {"format": "jsonl"},
    {"format": "jsonl", "compression": "gzip"},
    {"format": "arrow", "compression": "none"},
]


def batched(config: dict[str, Any], root: Path, encoding: dict[str, Any], size: int = 100) -> Any:
    storage = {"root": str(root), "prefix": "of-"}
    return config | {"batch_config": {"encoding": encoding, "storage": storage, "batch_size": size}}


def read(url: str, encoding: dict[str, str]) -> list[dict[str, Any]]:
    """Return the records of a file, as the SDK 0.55 reads them."""
    content = Path(unquote(urlsplit(url).path)).read_bytes()
    if encoding["format"] == "arrow":
        assert content.startswith(b"ARROW1\0\0")
        table = pa.ipc.open_file(content).read_all()
        json_texts = {field.name for field in table.schema if isinstance(field.type, pa.JsonType)}
        return [
            {
                name: decoded(value) if name in json_texts else value
                for name, value in row.items()
                if value is not None
            }
            for row in table.to_pylist()
        ]
    if encoding["compression"] == "gzip":
        content = gzip.decompress(content)
    return [without_nulls(decoded(line)) for line in content.splitlines()]


def decoded(text: str | bytes) -> Any:
    return json.loads(text, parse_float=Decimal)


def without_nulls(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record without nulls: in Arrow, they are the same as no value."""
    return {name: value for name, value in record.items() if value is not None}


def records(run: Run) -> dict[str, list[dict[str, Any]]]:
    """Return the records of a run by stream, in their order, and check its files."""
    assert run.code == 0, run.err
    found: dict[str, list[dict[str, Any]]] = {}
    for line in run.out.splitlines():
        message = decoded(line)
        rows = found.setdefault(message["stream"], []) if message["type"] != "STATE" else []
        if message["type"] == "RECORD":
            rows.append(without_nulls(message["record"]))
        for url in message.get("manifest", ()):
            in_file = read(url, message["encoding"])
            assert in_file
            rows += in_file
    return found


@pytest.mark.parametrize("encoding", FORMS, ids=["jsonl", "gzip", "arrow"])
def test_files_have_the_records_of_lines(
    tap: Runner, tmp_path: Path, encoding: dict[str, Any]
) -> None:
    """In three runs, with changes between."""
    states: list[dict[str, Any]] = [{}, {}]
    with Sandbox(WORLD) as sandbox:
        for messages in (700, 900, 900):
            sandbox.world = World(
                messages=messages, users=10, conversations=30, dixa_conversations=100, chats=60
            )
            config = full_config(sandbox)
            lines = tap(config, state=states[0])
            files = tap(batched(config, tmp_path / "a b", encoding), state=states[1])
            assert records(files) == records(lines)
            assert not files.records
            states = [lines.state, files.state]
            assert states[0]["bookmarks"].keys() == states[1]["bookmarks"].keys()
            batches = files.of_type("BATCH")
            assert all(message["encoding"]["format"] == encoding["format"] for message in batches)
            assert all(message["manifest"] for message in batches)
            urls = [url for message in batches for url in message["manifest"]]
            assert all("/of-tap-chat--" in url for url in urls)


def test_state_follows_the_files_of_its_records(tap: Runner, tmp_path: Path) -> None:
    config = {"replication_key": "timestamp", "filter_param": "since"}
    with Sandbox(World(messages=1000)) as sandbox:
        run = tap(batched(chat_config(sandbox, **config), tmp_path, {"format": "arrow"}, 300))
    latest = ""
    states = 0
    for message in run.messages:
        for url in message.get("manifest", ()):
            latest = max(latest, *(row["timestamp"] for row in read(url, message["encoding"])))
        if message["type"] == "STATE" and (bookmarks := message["value"].get("bookmarks")):
            states += 1
            bookmark = bookmarks["chat_messages"].get("replication_key_value") or ""
            assert bookmark[:23] <= latest[:23]
    assert states >= 1
    sizes = [len(read(message["manifest"][0], FORMS[2])) for message in run.of_type("BATCH")]
    assert (len(sizes), sum(sizes)) == (4, 1000)
    assert max(sizes) <= 300


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_ended_run_names_whole_files_alone(tap: Runner, tmp_path: Path, signum: int) -> None:
    incremental = {"replication_key": "timestamp", "filter_param": "since"}
    with Sandbox(World(messages=3000), Options(latency=0.02)) as sandbox:
        config = batched(chat_config(sandbox, **incremental), tmp_path, {"format": "arrow"}, 200)
        ended = ended_after(tap.command(config), 4, signum)
        whole = ended.out[: ended.out.rfind(b"\n") + 1]
        found = [
            row
            for message in map(json.loads, whole.splitlines())
            for url in message.get("manifest", ())
            for row in read(url, message["encoding"])
        ]
        assert 0 < len(found) < 3000
        states = [line for line in whole.splitlines() if b'"STATE"' in line]
        state = json.loads(states[-1])["value"] if states else {}
        found += records(tap(config, state=state))["chat_messages"]
    assert {row["id"] for row in found} == {row["id"] for row in sandbox.world.chat.messages}


def test_error_of_the_server_ends_the_files_with_what_was_read(tap: Runner, tmp_path: Path) -> None:
    def respond(request: Request) -> Any:
        first = int(request.query_params["offset"])
        rows = [{"id": str(first + row)} for row in range(100)]
        return {"data": rows} if first < 300 else Response(status_code=500)

    with Server(respond) as server:
        config = chat_config(server, max_retries=0)
        lines = tap(config)
        run = tap(batched(config, tmp_path, {"format": "jsonl"}, 1000))
    assert (lines.code, run.code) == (1, 1)
    [batch] = run.of_type("BATCH")
    found = read(batch["manifest"][0], batch["encoding"])
    assert found == [without_nulls(row) for row in lines.rows("chat_messages")]
    assert found


VALUES: dict[str, list[str]] = {
    "count": ["1", "null", str(2**70), "-1"],
    "price": ["1.10", "12345678901234567890.123", "1e3", "null"],
    "text": ['"\\ud83d"', '"a\\u0000b"', '"\\u20ac"', "null"],
    "any": ["1", '"x"', "[1.50,{}]", "null"],
    "flag": ["true", "null", "false", "null"],
    'od"d': ["1", "null", "2", "3"],
}
FIELDS = {
    "count": {"type": ["integer", "null"]},
    "price": {"type": ["number", "null"]},
    "text": {"type": ["string", "null"]},
    "any": {},
    "flag": {"type": ["boolean", "null"]},
    'od"d': {"type": ["integer", "null"]},
}


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("names", [("count", "price", "flag"), tuple(VALUES)])
def test_values_stay_exact(
    tap: Runner, tmp_path: Path, names: tuple[str, ...], *, mapped: bool
) -> None:
    rows = [
        {"id": str(number)} | {name: msgspec.Raw(VALUES[name][number].encode()) for name in names}
        for number in range(4)
    ]
    page, end = (msgspec.json.encode({"data": part}) for part in (rows, []))
    with Server(lambda request: end if "offset=4" in str(request.url) else page) as server:
        config = chat_config(server, fields={name: FIELDS[name] for name in names})
        if mapped:
            config["stream_maps"] = {"chat_messages": {"_source": "'x'"}}
        lines = records(tap(config))
        for form in FORMS:
            assert records(tap(batched(config, tmp_path, form))) == lines
    assert len(lines["chat_messages"]) == 4
    if mapped:
        assert lines["chat_messages"][0]["_source"] == "x"


def test_value_that_python_cannot_read_is_written_with_one_that_does_not_fit() -> None:
    properties = {"n": {"type": ["integer", "null"]}, "o": {"type": ["object", "null"]}}
    digits, longer = b"9" * 40, b"9" * 5000
    table = ArrowEncoder(properties).table([b'{"n":%b,"o":{"d":%b}}' % (digits, longer), b"{}"])
    assert table.to_pylist() == [
        {"n": digits.decode(), "o": f'{{"d":{longer.decode()}}}'},
        {"n": None, "o": None},
    ]


def test_wrong_settings_are_refused(tap: Runner, tmp_path: Path) -> None:
    with Sandbox(World(messages=10)) as sandbox:
        config = chat_config(sandbox)
        gzipped = {"format": "arrow", "compression": "gzip"}
        run = tap(batched(config, tmp_path, gzipped))
        assert "`batch_config.encoding.compression` must be `none`" in run.err
        run = tap(batched(config, tmp_path, {"format": "parquet"}))
        assert "`batch_config.encoding.format`" in run.err
        run = tap(config | {"batch_config": {"encoding": {"format": "jsonl"}}})
        assert "`batch_config.storage`" in run.err
        (tmp_path / "file").write_text("")
        run = tap(batched(config, tmp_path / "file", {"format": "jsonl"}))
        assert run.code == 1
        assert "can't be written to its root" in run.err
        assert not run.of_type("STATE") or not run.state.get("bookmarks")
