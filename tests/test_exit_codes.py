"""The exit codes are those of docs/commands.md. Signals are in the tests of each program."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from pages.blocks import ROOT
from running import BIN

from tap_chat.docs import PAGE

if TYPE_CHECKING:
    from running import Runner


def test_table_has_every_code() -> None:
    page = (ROOT / "docs" / "commands.md").read_text().partition("## Exit codes")[2]
    assert re.findall(r"^\| (\d+) \|", page, re.MULTILINE) == ["0", "1", "2", "130", "143"]


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("tap-chat --version", 0),
        ("tap-chat --discover", 0),
        ("tap-chat", 1),
        ("tap-chat --config none.json --discover", 1),
        ("tap-chat --config none.json --test", 1),
        ("tap-chat --nope", 2),
        ("tap-chat --test=nope", 2),
        ("target-dlt --version", 0),
        ("target-dlt --config none.json", 1),
        ("target-dlt --nope", 2),
    ],
)
def test_code_and_a_link_of_an_error(tap: Runner, command: str, code: int) -> None:
    program, *words = command.split()
    run = tap.run([str(BIN / program), *words])
    assert run.code == code, run.err
    assert "Traceback" not in run.err
    *_, last = run.err.splitlines() or [""]
    # Once, after the errors.
    assert run.err.count(PAGE) == (code == 1)
    assert (f"Docs: {PAGE}#" in last) is (code == 1)
