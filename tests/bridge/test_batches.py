"""BATCH messages: records in files."""

from __future__ import annotations

import gzip
import json
import os
import tempfile
import traceback
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bridge.target_command import Target
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import record, schema

from dlt_bridge import BridgeError, singer
from dlt_bridge.tap.batch_files import BatchFolders, allowed_batch_folders

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from staging import Stage

TEXT = {"type": ["string", "null"]}


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Target:
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    return Target(tmp_path)


def batch(encoding: dict[str, Any], *paths: Path) -> dict[str, Any]:
    manifest = [path.as_uri() for path in paths]
    return {"type": "BATCH", "stream": "a", "encoding": encoding, "manifest": manifest}


@pytest.mark.parametrize("compression", ["gzip", "none"])
@pytest.mark.parametrize("packed", [True, False])
def test_json_lines_are_loaded(
    stage: Stage,
    tmp_path: Path,
    compression: str,
    packed: bool,  # noqa: FBT001
) -> None:
    """The SDK compresses files even if the message says `none`."""
    paths = [tmp_path / "1.json", tmp_path / "2.json"]
    for number, path in enumerate(paths):
        rows = [{"id": 2 * number + i, "v": "x"} for i in range(2)]
        text = "\n".join(map(json.dumps, rows)) + "\n\n"
        path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    encoding = {"format": "jsonl", "compression": compression}
    head = schema(v=TEXT)
    stage.load([head, record(id=1, v="old"), batch(encoding, *paths), record(id=3, v="new")])
    assert stage.rows("select id, v from data.a order by id") == [
        (0, "x"),
        (1, "x"),
        (2, "x"),
        (3, "new"),
    ]


def write_parquet(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path)


def write_arrow_file(table: pa.Table, path: Path, compression: str | None = None) -> None:
    """Write a file in the form of the SDK 0.55, or compressed."""
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_file(path, table.schema, options=options) as writer:
        writer.write_table(table)


def write_arrow_stream(table: pa.Table, path: Path) -> None:
    with pa.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table)


FORMS: dict[str, tuple[dict[str, Any], Callable[[pa.Table, Path], None]]] = {
    "parquet": ({"format": "parquet"}, write_parquet),
    "arrow": ({"format": "arrow", "compression": "none"}, write_arrow_file),
    "arrow, lz4": ({"format": "arrow"}, partial(write_arrow_file, compression="lz4")),
    "arrow, zstd": (
        {"format": "arrow", "compression": "zstd"},
        partial(write_arrow_file, compression="zstd"),
    ),
    "stream": ({"format": "arrow"}, write_arrow_stream),
}


@pytest.mark.parametrize("form", FORMS)
def test_columns_are_loaded(stage: Stage, tmp_path: Path, form: str) -> None:
    moment = datetime(2026, 1, 1, 12, 30, 0, 123456, UTC)
    columns = {
        "id": pa.array([1, 2**63 - 1]),
        "d": pa.array([Decimal("12345678901234567.89"), None], pa.decimal128(38, 2)),
        "t": pa.array([moment, None], pa.timestamp("us", "UTC")),
        "day": pa.array([date(2026, 2, 28), None]),
        "j": pa.array([{"x": [1, None]}, None]),
        "f": pa.array([0.1, 1e300]),
    }
    encoding, write = FORMS[form]
    write(pa.table(columns), tmp_path / "1")
    head = schema(
        d={"type": "number", "multipleOf": 0.01},
        t={"type": "string", "format": "date-time"},
        day={"type": "string", "format": "date"},
        j={"type": "object"},
        f={"type": "number"},
    )
    stage.load([head, batch(encoding, tmp_path / "1")])
    query = "select id, d, t = '2026-01-01 12:30:00.123456Z', day, j::varchar, f from data.a"
    assert stage.rows(query + " order by id") == [
        (1, Decimal("12345678901234567.89"), True, date(2026, 2, 28), '{"x":[1,null]}', 0.1),
        (2**63 - 1, None, None, None, None, 1e300),
    ]


@pytest.mark.parametrize(
    ("encoding", "name", "words"),
    [
        ({"format": "csv"}, "1.json", "format csv"),
        ({"format": "jsonl", "compression": "zstd"}, "1.json", "zstd"),
        ({"format": "jsonl", "compression": "gzip"}, "nowhere.json", "nowhere.json"),
        ({"format": "parquet"}, "1.json", "1.json"),
        ({"format": "arrow"}, "1.json", "1.json"),
    ],
)
def test_file_that_cannot_be_read_is_named(
    stage: Stage, tmp_path: Path, encoding: dict[str, Any], name: str, words: str
) -> None:
    (tmp_path / "1.json").write_text('{"id": 1}')
    with pytest.raises(PipelineStepFailed, match=words) as failed:
        stage.load([schema(), record(id=1), batch(encoding, tmp_path / name)])
    assert "line 3" in str(failed.value)


@pytest.mark.parametrize("keys", [("id",), ()])
def test_file_of_messages_is_refused(stage: Stage, tmp_path: Path, keys: tuple[str, ...]) -> None:
    (tmp_path / "1.json").write_text(json.dumps(record(id=1)))
    words = r"the file 1.json of the BATCH in line 2 has RECORD messages"
    with pytest.raises(PipelineStepFailed, match=words):
        stage.load([schema(keys=keys), batch({"format": "jsonl"}, tmp_path / "1.json")])
    # Records that look like one, as their SCHEMA says, are records.
    head = schema(keys=())
    head["schema"]["properties"] = {"type": TEXT, "stream": TEXT, "record": {}}
    stage.load([head, batch({"format": "jsonl"}, tmp_path / "1.json")])
    assert stage.rows("select type, stream, record from data.a") == [("RECORD", "a", '{"id": 1}')]


def named(name: str) -> list[dict[str, Any]]:
    encoding = {"format": "jsonl"}
    return [
        schema(v=TEXT),
        {"type": "BATCH", "stream": "a", "encoding": encoding, "manifest": [name]},
    ]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is neither the working folder nor the temporary one, and has a file."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "1.json").write_text('{"id": 1}')
    for other in ("work", "temporary"):
        (tmp_path / other).mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    return folder


def test_files_must_be_in_allowed_folders(stage: Stage, elsewhere: Path) -> None:
    file = elsewhere / "1.json"
    link = elsewhere.parent / "work" / "link.json"
    link.symlink_to(file)
    names = [str(file), file.as_uri(), "link.json", "../elsewhere/1.json"]
    names += [f"file://{link}", "https://x.example/1.json?sig=SIGNATURE", "s3://bucket/1.json"]
    names += [f"simplecache::{file.as_uri()}", f"zip://1.json::{file.as_uri()}"]
    for name in names:
        with pytest.raises(Exception, match="in none of the allowed folders"):
            BatchFolders().open(name)
    with pytest.raises(PipelineStepFailed, match="by batch_folders") as failed:
        stage.load(named(f"{file}?sig=SIGNATURE"))
    assert "SIGNATURE" not in str(failed.value)
    for place in (elsewhere, elsewhere.as_uri()):
        BatchFolders([str(place)]).open(str(file)).close()
    for place, name in (("work", "2.json"), ("temporary", "3 %.json")):
        (elsewhere.parent / place / name).write_text(json.dumps({"id": int(name[0])}))
    manifest = ["2.json", (elsewhere.parent / "temporary" / "3 %.json").as_uri(), str(file)]
    head, message = named("")
    places = [str(elsewhere)]
    stage.load([head, message | {"manifest": manifest}], options={"batch_folders": places})
    assert stage.rows("select id from data.a order by id") == [(1,), (2,), (3,)]


@pytest.mark.parametrize(
    ("place", "name", "allowed"),
    [
        ("memory://bucket/a", "memory://bucket/a/1.json", True),
        ("memory://bucket/a/", "memory://bucket/a/b/1.json", True),
        ("memory://bucket/a", "memory://bucket/ab/1.json", False),
        ("memory://bucket/a", "memory://bucket/a/../1.json", False),
        ("memory://bucket/a", "memory://bucket/a/%2e%2e/1.json", False),
        ("memory://bucket/a", "memory://bucket/a/x::file:///etc/passwd", False),
    ],
)
def test_url_must_be_within_an_allowed_one(place: str, name: str, *, allowed: bool) -> None:
    fsspec.filesystem("memory").pipe(name.removeprefix("memory:/"), b"{}")
    if allowed:
        with BatchFolders([place]).open(name) as file:
            assert file.read() == b"{}"
    else:
        with pytest.raises(Exception, match="in none"):
            BatchFolders([place]).open(name)


def test_root_in_the_settings_of_the_tap_is_allowed(elsewhere: Path) -> None:
    config = {"batch_config": {"storage": {"root": elsewhere.as_uri()}}}
    with allowed_batch_folders(config, []).open(str(elsewhere / "1.json")) as file:
        assert file.read() == b'{"id": 1}'
    with pytest.raises(Exception, match="in none"):
        allowed_batch_folders({"batch_config": "x"}, []).open(str(elsewhere / "1.json"))


def test_endless_file_is_refused(stage: Stage, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in (str(tmp_path / "pipe"), "/dev/zero"):
        with pytest.raises(PipelineStepFailed, match="is not a regular file"):
            stage.load(named(name), options={"batch_folders": ["/dev"]})


def test_key_in_a_url_is_never_shown(stage: Stage, tmp_path: Path) -> None:
    """The error of the library is not shown either. A missing package is named."""
    names = {
        "s3://bucket/1.json?X-Amz-Signature=SIGNATURE": "pip install s3fs",
        "memory://bucket/1.json?sig=SIGNATURE": "FileNotFoundError",
        f"{tmp_path}/1.json?sig=SIGNATURE": "No such file",
    }
    for name, words in names.items():
        places = ["s3://bucket", "memory://bucket"]
        with pytest.raises(PipelineStepFailed) as failed:
            stage.load(named(name), options={"batch_folders": places})
        text = "".join(traceback.format_exception(failed.value))
        assert "the file 1.json of the BATCH in line 2" in text
        assert words in text
        # dlt keeps what it was given in the trace, too.
        assert "SIGNATURE" not in text + str(stage.pipeline.last_trace)


def test_batch_folders_is_a_list() -> None:
    with pytest.raises(BridgeError, match="batch_folders takes a list of folders"):
        singer("tap-chat", {}, catalog={"streams": []}, batch_folders="/data")


def test_target_has_batch_folders(target: Target, elsewhere: Path, tmp_path: Path) -> None:
    """The allowed temporary folder is that of the machine, not the private one of the target."""
    (tmp_path / "temporary" / "2.json").write_text('{"id": 2}')
    lines = named(str(elsewhere / "1.json"))
    lines[1]["manifest"].append(str(tmp_path / "temporary" / "2.json"))
    assert target(lines, batch_folders=[str(elsewhere)]).returncode == 0
    assert target.rows("select id from data.a order by id") == [(1,), (2,)]


def test_invalid_record_in_a_file_is_refused(stage: Stage, tmp_path: Path) -> None:
    (tmp_path / "1.json").write_text('{"id": 1}\n{"v": "x"}\n')
    with pytest.raises(PipelineStepFailed, match="line 2 lacks the property `id`"):
        stage.load([schema(v=TEXT), batch({"format": "jsonl"}, tmp_path / "1.json")])
