"""The pictures of docs/pictures that programs draw are those of their sources."""

from __future__ import annotations

import json
import re
import runpy
from html import unescape
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import cast
import pytest

if TYPE_CHECKING:
    from pathlib import Path

PLOT = runpy.run_path(str(cast.ROOT / "benchmarks" / "plot.py"))
TEXT = "{http://www.w3.org/2000/svg}text"


def text_of(screen: cast.Screen) -> list[str]:
    return ["".join(character for character, _ in row) for row in screen.shown]


def test_terminal_shows_what_is_left_on_it() -> None:
    screen = cast.Screen()
    screen.write("one\r\ntwo\x1b[1A\r\x1b[2Kthree\r\n\n\x1b[1;32mfour\x1b[0m five\r\n\r\n")
    assert text_of(screen) == ["three", "two", "four five"]
    assert screen.shown[2][0] == ("f", "bold green")
    assert screen.shown[2][-1] == ("e", "")


def test_terminal_wraps_at_its_width() -> None:
    screen = cast.Screen()
    screen.write("日" * 3 + "x" * cast.COLUMNS)
    assert text_of(screen) == ["日日日" + "x" * (cast.COLUMNS - 6), "x" * 6]


def test_picture_has_the_text_of_the_terminal() -> None:
    screen = cast.Screen()
    screen.write("a <b> & \x1b[31mc\x1b[0m\r\n")
    root = ET.fromstring(cast.drawn([("run &", screen.shown)]))
    assert [text.text for text in root.iter(TEXT)] == ["$", "run &", "a <b> &", "c"]
    assert [text.get("class") for text in root.iter(TEXT)] == ["green", "bold", None, "red"]


def test_picture_is_of_these_commands() -> None:
    picture = cast.PICTURE.read_text()
    ET.fromstring(picture)
    typed = [unescape(text) for text in re.findall(r'class="bold">([^<]*)<', picture)]
    for command in cast.COMMANDS:
        for line in command.splitlines():
            assert line.strip() in typed, "docs/pictures/cast.svg is old: run `make pictures`"
    assert all(len(text) <= cast.COLUMNS for text in typed)


def test_bars_are_those_of_the_results() -> None:
    results = json.loads(PLOT["RESULTS"].read_text())
    picture = PLOT["drawn"](list(PLOT["groups"](results)))
    message = "docs/pictures/benchmarks.svg is old: run benchmarks/plot.py"
    assert PLOT["PICTURE"].read_text() == picture, message


def test_conclusions_are_computed() -> None:
    results = json.loads(PLOT["RESULTS"].read_text())
    for row in results["duckdb"]:
        if row["run"] == "target-duckdb":
            row["seconds"] = 2 * 3.37
    titles = [group.title for group in PLOT["groups"](results)]
    assert "DuckDB: the bridge merges 2.0 times as fast as target-duckdb" in titles


@pytest.mark.parametrize(
    "path", sorted((cast.ROOT / "docs" / "pictures").glob("*.svg")), ids=lambda path: path.stem
)
def test_picture_needs_nothing_else(path: Path) -> None:
    # A browser shows an SVG in <img> without fonts, scripts or pictures of other files.
    text = path.read_text()
    ET.fromstring(text)
    assert not re.search(r"href|url\(|<script|<foreignObject|@import", text.replace("url(#", ""))
