"""`dlt singer run` on a terminal shows how each stream goes."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest
from running import BIN
from staging import record, schema
from terminal import on_terminal

from dlt_bridge.tap.stderr import TapLog

if TYPE_CHECKING:
    from pathlib import Path

    from bridge.command_line import Command

#: A tap that continues when the terminal has shown what it logs.
TAP = """
import json, os, sys, time

def write(**message):
    print(json.dumps(message), flush=True)

def log(line, file=""):
    print(line, file=sys.stderr, flush=True)
    while file and not os.path.exists(file):
        time.sleep(0.02)

def begin(stream, rows):
    schema = {"properties": {"id": {"type": "integer"}}}
    write(type="SCHEMA", stream=stream, schema=schema, key_properties=["id"])
    for number in range(rows):
        write(type="RECORD", stream=stream, record={"id": number})

def metric(name, stream, value):
    point = {"type": "gauge", "metric": name, "value": value, "tags": {"stream": stream}}
    return "INFO METRIC: " + json.dumps(point)

log("INFO starting", "started")
begin("shop_a", 100)
log("WARNING half of " + "a long text " * 10 + "is missing", "warned")
log(metric("progress", "shop_a", 0.25), "read")
log("INFO shop: waiting 42 s for the rate limit.", "waited")
log(metric("sync_duration", "shop_a", 3.5))
begin("shop_b", 10)
log("INFO Backing off send(...) for 33.0s (TimeoutError)", "backed_off")
begin("shop_c", 1)
"""
SIGNALS = {
    "started": r"Starting python\S*: \d+ s",
    "warned": r"is missing",
    "read": r"shop_a  100 rows  .*25%  reading",
    "waited": r"shop_a  100 rows  .*25%  waiting for the rate limit, 4\d s",
    "backed_off": r"shop_b +10 rows .* waiting, 3\d s",
}
RUN = ["singer", "run"]


def commanded(dlt: Command, *words: str) -> list[str]:
    script = dlt.folder / "tap.py"
    script.write_text(TAP)
    tap = f"{sys.executable} {script}"
    return ["dlt", *RUN, tap, "--no-discover", "--name", "shop", *words]


@pytest.mark.parametrize("columns", [80, 120])
def test_terminal_shows_each_stream_and_is_clean_at_the_end(dlt: Command, columns: int) -> None:
    environment = {name: text for name, text in dlt.env.items() if name != "COLUMNS"}
    screen, done = on_terminal(
        commanded(dlt),
        environment,
        columns=columns,
        folder=dlt.folder,
        signals={pattern: dlt.folder / name for name, pattern in SIGNALS.items()},
    )
    assert done.returncode == 0, screen.text
    # Each state was seen, or the tap would not have gone on.
    assert re.search(r"Starting python\S*: \d+ s", screen.written)
    assert re.search(r"shop_a  100 rows .* read\b", screen.written)
    assert re.search(r"shop_c +1 row .* loading", screen.written)
    assert re.search(r"\d+ s: 111 rows, loading, 1 warning", screen.written)
    # Nothing of it is left, and nothing is torn.
    # A line that is as wide as the terminal is joined to the next one.
    text = screen.text.replace("dataset shop_dataset.python:", "dataset shop_dataset.\npython:")
    first, warning, *rest = text.splitlines()
    assert first.startswith("Loading into duckdb:///")
    assert warning == f"python: half of {'a long text ' * 10}is missing"
    loaded, following = (line for line in rest if line)
    assert re.fullmatch(r"Loaded 111 rows of 3 streams into .*\. 1 warning of the tap\.", loaded)
    assert following.startswith("Next: ")
    assert "shop_a" in done.stdout.decode()


@pytest.mark.parametrize("words", [["--quiet"], ["--progress", "none"]])
def test_progress_can_be_hidden(dlt: Command, words: list[str]) -> None:
    for name in SIGNALS:
        (dlt.folder / name).touch()
    screen, done = on_terminal(commanded(dlt, *words), dlt.env, folder=dlt.folder)
    assert done.returncode == 0
    assert "\x1b" not in screen.written
    assert ("Next: " in screen.text) == (words != ["--quiet"])


def test_target_shows_the_progress_of_a_file(tmp_path: Path) -> None:
    lines = [schema(), *(record(id=number) for number in range(100_000))]
    (tmp_path / "lines.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    file = tmp_path / "w.duckdb"
    (tmp_path / "c.json").write_text(
        json.dumps({"destination": "duckdb", "credentials": str(file)})
    )
    command = ["target-dlt", "--config", "c.json", "--input", "lines.jsonl"]
    environment = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    screen, done = on_terminal(command, environment, folder=tmp_path)
    assert done.returncode == 0
    assert re.search(r"a  \d+,\d+ rows ", screen.written)
    [line] = filter(None, screen.text.splitlines())
    assert re.match(r"\d\d:\d\d:\d\d Loaded 100,000 rows of 1 stream into duckdb:///", line)


@pytest.mark.parametrize(
    ("tags", "has_ended"),
    [({}, True), ({"context": {"id": 1}}, False), ({"status": "failed"}, False)],
)
def test_stream_is_read_when_all_of_it_is(tags: dict[str, Any], *, has_ended: bool) -> None:
    point = {"metric": "sync_duration", "value": 1, "tags": {"stream": "a", **tags}}
    log = TapLog("tap", {})
    log._add(f"INFO METRIC: {json.dumps(point)}")
    assert (log.ended == {"a"}) == has_ended


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("INFO shop: waiting 42 s for the rate limit.", 42),
        ("... | INFO | tap-x | shop: waiting 42 s for the rate limit.", 42),
        ("INFO Backing off send(...) for 0.8s (requests.exceptions.ReadTimeout)", 0.8),
        ("ERROR Backing off 12.34 seconds after 3 tries calling function f", 12.34),
        ("INFO Rate limit reached. Sleeping for 60 seconds.", 60),
        ("WARNING API rate limit exceeded, wait 5s", 5),
        ("INFO Waiting for the report.", None),
        ("INFO METRIC: {}", None),
    ],
)
def test_waits_of_taps_are_understood(line: str, seconds: float | None) -> None:
    log = TapLog("tap", {})
    log._add(line)
    wait = log.wait_of("shop_a")
    assert (wait is None) == (seconds is None)
    if wait and seconds:
        assert wait.seconds == pytest.approx(seconds, abs=0.5)
        assert (wait.reason == "waiting for the rate limit") == ("ate limit" in line)
