"""Whoever meets an error finds it on the page of troubleshooting, and nothing there is made up."""

from __future__ import annotations

import re

from pages.blocks import ROOT
from pages.sentences import collected, plain

PAGE = (ROOT / "docs" / "troubleshooting.md").read_text()
#: What is so short, or so made of parts, that the page shows it in other words.
SHOWN_AS = {
    # Where no place in the file is known.
    "… is no JSON": "is no JSON",
    "The … file … is no JSON": "The … file … is no JSON",
    # A problem of the catalog and its remedy, each collected on its own.
    "… …": "discover the catalog again",
    # Subject, request and what went wrong, each collected on its own.
    "… … …": "The sentence begins with stream and request",
    # What one looks like, or nothing, stands behind it.
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


def test_what_is_left_out_is_still_there() -> None:
    assert {plain(text) for text in SHOWN_AS} <= collected().keys()
