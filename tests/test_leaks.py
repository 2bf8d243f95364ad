"""The search for secrets finds them in any form."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest
from leaks import leaking_files, leaks

from tap_chat.sandbox import API_KEY, ENTITY_ID, World
from tap_chat.sandbox.lines import TOPICS

if TYPE_CHECKING:
    from pathlib import Path

BASIC = b64encode(f"{ENTITY_ID}:{API_KEY}".encode()).decode()


@pytest.mark.parametrize("form", [str, json.dumps, repr, ascii])
def test_most_messages_are_found_in_any_form(form: type[str]) -> None:
    messages = [row["message"] for row in World(messages=1000).chat.messages if row["message"]]
    long = [message for message in messages if len(message.split(" ")) > 2]
    assert len(long) > 700
    assert all(leaks(form(f"got {message}, and continued")) for message in long)


@pytest.mark.parametrize("form", [str, json.dumps, repr, ascii])
def test_every_line_of_a_conversation_is_found_in_any_form(form: type[str]) -> None:
    lines = [line for topic in TOPICS for lines in topic for line in lines]
    assert all(leaks(form(f"got {line}, and continued")) for line in lines)
    # What breaks careless programs is in them.
    for odd in ('"', "'", ",", "\t", "\n", "%", "\\", "é", "語", "🚚"):
        assert any(odd in line for line in lines), odd


def test_credentials_are_found() -> None:
    assert leaks(f"GET /v1/messages?api_key={API_KEY}&limit=1") == [API_KEY.encode()]
    assert leaks(f"Authorization: Basic {BASIC}") == [BASIC.encode()]


def test_ordinary_log_is_clean() -> None:
    log = "Stream a: GET /x?api_key=*** returned 401. Check the password, please."
    assert leaks(log) == []


def test_files_of_records_may_hold_texts_but_no_credentials(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.parquet").write_text("hello order refund")
    (tmp_path / "b.parquet").write_text(f"hello {API_KEY}")
    (tmp_path / "c.log").write_text("hello order refund")
    found = leaking_files(tmp_path, data=["*.parquet"])
    assert found.keys() == {"b.parquet", "c.log"}
