"""docs/troubleshooting.md lists every error of the code, and no others."""

from __future__ import annotations

import re

from pages.blocks import ROOT
from pages.sentences import collected, plain

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
#: Texts that are too short, or combined from parts, and the words on the page for them.
SHOWN_AS = {
    # Without a position in the file.
    "… is not valid JSON": "is not valid JSON",
    "The … file … is not valid JSON": "The … file … is not valid JSON",
    # A problem of the catalog and its remedy, which are collected separately.
    "… …": "discover the catalog again",
    # The stream, the request and the failure, which are collected separately.
    "… … …": "The sentence begins with stream and request",
    # A remedy comes first.
    "… Without them, … failed with exit code …: …": "Without them, … failed",
    # An example may follow.
    "The credentials of the destination can't be read.…": "The credentials of the destination",
}


def first_sentence(text: str) -> str:
    return re.split(r"(?<=\S)\. ", text)[0]


def test_every_error_is_on_the_page() -> None:
    page = plain(PAGE)
    shown = {plain(text): plain(other) for text, other in SHOWN_AS.items()}
    absent = [
        f"{place}: {text}"
        for text, place in collected().items()
        if shown.get(text, first_sentence(text)) not in page
    ]
    assert absent == []


def test_every_heading_is_in_the_code() -> None:
    known = collected()
    strange = [
        heading
        for line in re.findall(r"^### (.*)$", PAGE, re.MULTILINE)
        if not any(text.startswith(heading := plain(line)) for text in known)
    ]
    assert strange == []


def test_every_exception_is_needed() -> None:
    assert {plain(text) for text in SHOWN_AS} <= collected().keys()
