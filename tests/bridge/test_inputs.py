"""The inputs of `singer`: commands, modules, files, standard input, any lines."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import SCRIPTED_TAP, Stage, bookmark, entry, record, schema

from dlt_bridge import BridgeError, TapError, singer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dlt.extract import DltSource

MESSAGES = [schema("a"), record("a", id=1), schema("b"), record("b", id=2), bookmark(a={"x": 1})]
TEXTS = [json.dumps(message) for message in MESSAGES]
BYTES = [text.encode() for text in TEXTS]
BOTH = {"a": 1, "b": 1}
CATALOG = {"streams": [entry("a", "INCREMENTAL"), entry("b", "INCREMENTAL")]}


def scripted(folder: Path, name: str, *, discovers: bool = True) -> Path:
    """Write a tap that is one executable file, and return its path."""
    script = folder / "script.json"
    catalog = {"catalog": CATALOG} if discovers else {}
    script.write_text(json.dumps({**catalog, "lines": MESSAGES}))
    path = folder / name
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{SCRIPTED_TAP}" "{script}" "$@"\n')
    path.chmod(0o700)
    return path


def extracted(stage: Stage, source: DltSource) -> dict[str, int]:
    """Return how many rows of each table a source brings."""
    info = stage.pipeline.extract(source)
    counts = {
        table: metrics.items_count
        for package in info.metrics.values()
        for table, metrics in package[0]["table_metrics"].items()
    }
    stage.pipeline.abort_packages()
    return counts


def test_tap_is_found_by_its_name(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(stage.folder, "tap-scripted")
    monkeypatch.setenv("PATH", str(stage.folder), prepend=":")
    source = singer("tap-scripted", {"password": "s3cret"})
    assert source.name == "tap_scripted"
    assert extracted(stage, source) == BOTH
    assert stage.given["config"] == {"password": "s3cret"}


@pytest.mark.parametrize("kind", [str, Path])
def test_tap_is_found_by_its_path(stage: Stage, kind: type) -> None:
    source = singer(kind(scripted(stage.folder, "tap-scripted.sh")))
    assert source.name == "tap_scripted_sh"
    assert extracted(stage, source) == BOTH


@pytest.mark.parametrize("kind", [list, tuple])
def test_tap_is_a_command_with_arguments(stage: Stage, kind: type) -> None:
    scripted(stage.folder, "tap-scripted")
    command = [sys.executable, SCRIPTED_TAP, stage.folder / "script.json"]
    source = singer(kind(command))
    assert source.name == "scripted_tap"
    assert extracted(stage, source) == BOTH


@pytest.mark.parametrize("kind", ["module", "package"])
def test_tap_is_a_module(stage: Stage, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    path = stage.folder / (
        f"tap_{kind}_of_test.py" if kind == "module" else f"tap_{kind}_of_test/__main__.py"
    )
    path.parent.mkdir(exist_ok=True)
    path.with_name("__init__.py").touch()
    script = stage.folder / "script.json"
    script.write_text(json.dumps({"catalog": CATALOG, "lines": MESSAGES}))
    path.write_text(
        "import runpy, sys\n"
        "if __name__ == '__main__':\n"
        f"    sys.argv = ['tap', {str(script)!r}, *sys.argv[1:]]\n"
        f"    runpy.run_path({str(SCRIPTED_TAP)!r}, run_name='__main__')\n"
    )
    monkeypatch.syspath_prepend(str(stage.folder))
    monkeypatch.setenv("PYTHONPATH", str(stage.folder))
    source = singer(import_module(f"tap_{kind}_of_test"))
    assert source.name == f"tap_{kind}_of_test"
    assert extracted(stage, source) == BOTH


def test_tap_without_discovery_loads_all_its_streams(stage: Stage) -> None:
    path = scripted(stage.folder, "tap-scripted", discovers=False)
    for _ in range(2):
        source = singer(path, discover=False)
        assert set(source.selected_resources) == {"tap_scripted"}
        stage.pipeline.run(source)
    assert stage.rows("select a.id, b.id from data.a, data.b") == [(1, 2)]
    assert "catalog" not in stage.given
    assert stage.given["state"] == {"bookmarks": {"a": {"x": 1}}}


def test_tap_without_discovery_loads_the_selected_streams(stage: Stage) -> None:
    path = scripted(stage.folder, "tap-scripted", discovers=False)
    source = singer(path, discover=False, select=["a"])
    assert set(source.selected_resources) == {"a"}
    assert extracted(stage, source) == {"a": 1}


def test_error_of_failed_discovery_names_the_remedy(stage: Stage) -> None:
    path = scripted(stage.folder, "tap-scripted", discovers=False)
    with pytest.raises(TapError, match="discover=False, or --no-discover to `dlt singer`"):
        singer(path)


def test_given_catalog_replaces_discovery(stage: Stage) -> None:
    path = scripted(stage.folder, "tap-scripted", discovers=False)
    assert extracted(stage, singer(path, catalog=CATALOG)) == BOTH
    assert [entry["stream"] for entry in stage.given["catalog"]["streams"]] == ["a", "b"]


def generated(lines: Iterable[Any]) -> Iterator[Any]:
    yield from lines


@pytest.mark.parametrize(
    "lines",
    [
        TEXTS,
        tuple(BYTES),
        [f"{text}\n" for text in TEXTS],
        [f"{text}\r\n".encode() for text in TEXTS],
        ["", *TEXTS, "", " "],
        "\n".join(["", *TEXTS, ""]).split("\n"),
        [bytearray(line) for line in BYTES],
        [TEXTS[0], *BYTES[1:]],
        (text for text in TEXTS),
        generated(BYTES),
        io.StringIO("\n".join(TEXTS)),
        io.BytesIO(b"\n".join(BYTES)),
    ],
    ids=range(12),
)
def test_lines_may_be_any_iterable(stage: Stage, lines: Any) -> None:
    source = singer(lines)
    assert source.name == "singer"
    assert extracted(stage, source) == BOTH


@pytest.mark.parametrize("mode", ["r", "rb"])
def test_lines_may_be_an_open_file(stage: Stage, mode: str) -> None:
    path = stage.folder / "lines.jsonl"
    path.write_bytes(b"\n".join(BYTES))
    with path.open(mode) as lines:
        assert extracted(stage, singer(lines)) == BOTH


def test_lines_of_a_file_have_its_encoding(stage: Stage) -> None:
    path = stage.folder / "lines.jsonl"
    path.write_text("\n".join(TEXTS), encoding="utf-16")
    with path.open(encoding="utf-16") as lines:
        assert extracted(stage, singer(lines)) == BOTH


@pytest.mark.parametrize("mode", ["r", "rb"])
def test_lines_continue_at_the_position_of_the_file(stage: Stage, mode: str) -> None:
    """A program may read the first line itself; buffered lines must not be lost."""
    path = stage.folder / "lines.jsonl"
    path.write_text("\n".join(["a header", *TEXTS]))
    with path.open(mode) as lines:
        next(lines)
        assert extracted(stage, singer(lines)) == BOTH


def test_lines_may_begin_with_a_byte_order_mark(stage: Stage) -> None:
    """Programs on Windows write one."""
    path = stage.folder / "lines.jsonl"
    path.write_text("\n".join(TEXTS), encoding="utf-8-sig")
    with path.open("rb") as lines:
        assert extracted(stage, singer(lines)) == BOTH


@pytest.mark.parametrize("stdin", ["sys.stdin", "sys.stdin.buffer"])
def test_lines_may_be_standard_input(tmp_path: Path, stdin: str) -> None:
    # The fixture would keep the file open, and only one process can.
    stage = Stage(tmp_path)
    program = f"""
import dlt, sys
from dlt_bridge import singer
pipeline = dlt.pipeline(
    "test",
    pipelines_dir={str(stage.folder / "child")!r},
    destination=dlt.destinations.duckdb({str(stage.folder / "w.duckdb")!r}),
    dataset_name="data",
)
pipeline.run(singer({stdin}))
"""
    lines = "\n".join(["", *TEXTS, ""])
    subprocess.run([sys.executable, "-c", program], input=lines, text=True, check=True)
    assert stage.rows("select a.id, b.id from data.a, data.b") == [(1, 2)]


def test_incomplete_lines_load_nothing(stage: Stage) -> None:
    """The writer of a pipe may be killed; an incomplete line must not count as the end."""
    with pytest.raises(PipelineStepFailed, match="Line 3 is not a Singer message"):
        stage.pipeline.extract(singer([*TEXTS[:2], TEXTS[2][:20]]))
    assert not stage.pipeline.has_pending_data


def test_iterable_that_fails_loads_nothing(stage: Stage) -> None:
    def lines() -> Iterator[str]:
        yield from TEXTS
        raise OSError("the disk is gone")

    with pytest.raises(PipelineStepFailed, match="the disk is gone"):
        stage.pipeline.extract(singer(lines()))
    assert not stage.pipeline.has_pending_data
    assert "sources" not in stage.pipeline.state


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([schema()], "Line 1 is a dict"),
        (iter([TEXTS[0], record(id=1)]), "Line 2 is a dict"),
        (iter([TEXTS[0], None]), "Line 2 is a NoneType"),
    ],
)
def test_items_other_than_lines_are_refused(stage: Stage, lines: Any, words: str) -> None:
    with pytest.raises(PipelineStepFailed, match=words):
        stage.pipeline.extract(singer(lines))


@pytest.mark.parametrize("text", ["\n".join(TEXTS), b"\n".join(BYTES), bytearray(BYTES[0])])
def test_text_that_is_not_split_into_lines_is_refused(text: Any) -> None:
    with pytest.raises(TapError, match="splitlines") as refused:
        singer(text)
    assert "SCHEMA" not in str(refused.value)


@pytest.mark.parametrize("tap", [None, 5, True, {"type": "SCHEMA"}, object()])
def test_other_types_than_taps_are_refused(tap: Any) -> None:
    with pytest.raises(TapError, match="A tap is"):
        singer(tap)


@pytest.mark.parametrize("lines", [TEXTS, iter(TEXTS), io.StringIO("")])
def test_lines_take_no_config(lines: Any) -> None:
    with pytest.raises(BridgeError, match="Lines take no config"):
        singer(lines, {"password": "s3cret"})


@pytest.mark.parametrize("make", [list, iter, lambda lines: io.StringIO("".join(lines))])
def test_empty_input_loads_nothing_and_is_not_an_error(stage: Stage, make: Any) -> None:
    stage.pipeline.run(singer(make([])))
    assert extracted(stage, singer(make([]), select=["a"])) == {}


def test_lines_of_a_list_can_be_read_again(stage: Stage) -> None:
    source = singer(TEXTS)
    for _ in range(2):
        stage.pipeline.run(source)
    assert stage.rows("select a.id, b.id from data.a, data.b") == [(1, 2)]


@pytest.mark.parametrize("make", [iter, generated, lambda lines: io.StringIO("".join(lines))])
def test_lines_that_were_read_already_are_refused(stage: Stage, make: Any) -> None:
    """A second run would load nothing, without an error."""
    source = singer(make([f"{text}\n" for text in TEXTS]))
    assert extracted(stage, source) == BOTH
    with pytest.raises(PipelineStepFailed, match="read to their end"):
        stage.pipeline.extract(source)


def test_lines_are_selected_by_name(stage: Stage) -> None:
    source = singer(TEXTS, select=["b"])
    assert set(source.resources) == {"_singer", "b"}
    assert extracted(stage, source) == {"b": 1}


def test_streams_of_lines_cannot_be_selected_by_pattern() -> None:
    """The streams are not known before the lines are read."""
    with pytest.raises(BridgeError, match=r"`b\*`"):
        singer(TEXTS, select=["b*"])


def test_selected_stream_without_lines_gives_a_warning(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    """A misspelled name must not look like a stream without new records."""
    assert extracted(stage, singer(TEXTS, select=["a", "zzz"])) == {"a": 1}
    assert "selected streams zzz. There were some of: a, b." in caplog.text


@pytest.mark.parametrize(
    ("select", "expected"),
    [
        (None, {"a", "b"}),
        (["a"], {"a"}),
        (["*"], {"a", "b"}),
        (["?"], {"a", "b"}),
        (["b*", "a"], {"a", "b"}),
        (["a", "a"], {"a"}),
    ],
)
def test_streams_are_selected_by_name_or_pattern(
    stage: Stage, select: list[str] | None, expected: set[str]
) -> None:
    path = scripted(stage.folder, "tap-scripted")
    source = singer(path, select=select)
    assert set(source.selected_resources) == expected
    assert set(source.resources) - {"_singer"} == {"a", "b"}


@pytest.mark.parametrize("select", [["zzz"], ["a", "z*"], ["z[a]"]])
def test_error_of_an_unknown_stream_lists_all_streams(stage: Stage, select: list[str]) -> None:
    path = scripted(stage.folder, "tap-scripted")
    with pytest.raises(BridgeError, match=r"no stream `z.*It has: a, b"):
        singer(path, select=select)


def test_single_name_is_not_read_as_letters(stage: Stage) -> None:
    """`select="ab"` must not select the streams a and b."""
    path = scripted(stage.folder, "tap-scripted")
    for tap in (path, TEXTS):
        with pytest.raises(BridgeError, match="select takes a list of streams"):
            singer(tap, select="ab")


def test_brackets_in_the_name_of_a_stream_are_not_a_pattern() -> None:
    catalog = {"streams": [entry("a[1]", "INCREMENTAL"), entry("a1", "INCREMENTAL")]}
    assert set(singer(TEXTS, catalog=catalog, select=["a[1]"]).selected_resources) == {"a[1]"}
    assert set(singer(TEXTS, catalog=catalog, select=["a[*"]).selected_resources) == {"a[1]"}


@pytest.mark.parametrize("tap", [TEXTS, "tap-nowhere"])
def test_empty_selection_is_refused(tap: Any) -> None:
    """A program may have computed it, so to load all streams would be wrong."""
    with pytest.raises(BridgeError, match="select is empty"):
        singer(tap, select=[])


def test_catalog_has_no_common_resource(stage: Stage) -> None:
    assert set(singer(TEXTS, catalog=CATALOG).selected_resources) == {"a", "b"}
    assert extracted(stage, singer(TEXTS, catalog=CATALOG, select=["a"])) == {"a": 1}
