"""The terminal in docs/pictures/cast.svg shows real output of the commands."""

from __future__ import annotations

import re
from html import unescape
from xml.etree import ElementTree as ET

import cast

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
