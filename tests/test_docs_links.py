"""Errors have a link to what the documentation says about them."""

from __future__ import annotations

from importlib.resources import files

import pytest

from tap_chat.docs import HEADINGS, PAGE, link_of

LINES = (files("tap_chat") / HEADINGS).read_text("utf-8").splitlines()
UNAUTHORIZED = (
    "Stream freshchat_account: GET https://acme.freshchat.com/v2/accounts returned 401"
    " Unauthorized. The setting freshchat.api_key is wrong or expired, or a newer token has taken"
    " its place. The one that counts is in Admin settings > API tokens."
)


@pytest.mark.parametrize(
    ("error", "anchor"),
    [
        ("No platform is configured. Add a section: chat, rest.", "no-platform-is-configured"),
        ("The setting `chat.api_url` is missing.", "the-setting-is-missing"),
        (UNAUTHORIZED, "returned"),
        ("There is no such destination. Did you mean `duckdb`?", "there-is-no-such-destination"),
        # What a tap says is nearer to the cause than that it has failed.
        (f"tap-chat failed with exit code 1. The end of its log:\n{UNAUTHORIZED}", "returned"),
        ("Unlike any other.", ""),
        ("", ""),
    ],
)
def test_error_leads_to_its_heading(error: str, anchor: str) -> None:
    assert link_of(error) == (f"{PAGE}#{anchor}" if anchor else PAGE)


def test_every_heading_is_found_by_its_error() -> None:
    for line in LINES:
        anchor, _, heading = line.partition("\t")
        assert link_of(heading.replace("…", "x")) == f"{PAGE}#{anchor}", heading
