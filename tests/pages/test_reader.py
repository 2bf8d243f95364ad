"""The reader of the pages finds blocks that do not work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pages.blocks import Block, blocks
from pages.reader import PageError, do_all
from pages.vendors import Vendors

if TYPE_CHECKING:
    from pathlib import Path

NOBODY = Vendors(
    replaced={"https://there.example.com": "https://here.example.com"},
    settings={"dixa": {"requests_per_minute": 6000}},
)


def block(language: str, text: str, file: str = "") -> str:
    """Return the Markdown of a block."""
    named = f"It is `{file}`:\n\n" if file else ""
    return f"{named}```{language}\n{text}\n```\n\n"


def read(folder: Path, page: str) -> None:
    path = folder / "page.md"
    path.write_text(f"# A page\n\n{page}")
    home = folder / "home"
    home.mkdir()
    do_all(path, NOBODY, home)


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        (block("sh", "false\ntrue"), "ended with 1"),
        (block("sh", "cat $nothing"), "ended with"),
        (block("console", "$ echo a\nb"), "printed:\na"),
        (block("console", "$ echo a b c\na ... d"), "printed:\na b c"),
        (block("console", "$ false"), "failed"),
        (block("console", "echo a"), "no command"),
        (block("python", "x = 1") + block("python", "assert x == 2"), "page.md:8"),
        (block("json", "{,}", "config.json"), "page.md:6"),
        (block("yaml", "a: [", "meltano.yml"), "page.md:6"),
        (block("json", "{}"), "names no file"),
        (block("haskell", "main"), "can't be run"),
        (block("", "tap-chat"), "of no language"),
        ("    tap-chat --config config.json\n", "of no language"),
        (block("sh", "make nonsense"), "nonsense"),
        (block("sh", "pip install '.[nonsense]'"), "no extra nonsense"),
        (block("sh", "pip install 'tap-chat @ git+https://x.example.com'"), "not the repository"),
        (block("sh", "meltano run tap-chat target-nonsense"), "no target-nonsense"),
        (block("sh", "tap-chat-sandbox --nonsense"), "ended with"),
        (block("text", "to look at"), "PICTURES"),
        (block("sh", """echo '{"type":"SCHEMA"}' > chats.jsonl"""), "has no record"),
        (block("sh", "true > chats.jsonl"), "has no record"),
    ],
)
def test_page_that_is_wrong_is_refused(tmp_path: Path, page: str, problem: str) -> None:
    with pytest.raises(PageError, match=problem.replace("[", r"\[")):
        read(tmp_path, page)


def test_page_that_is_right_is_read(tmp_path: Path) -> None:
    page = (
        block("json", '{"dixa": {}, "at": "https://there.example.com"}', "a/config.json")
        + block("sh", "grep here.example a/config.json | grep 6000 > found")
        + block("console", "$ cat found\n{...6000...}\n$ echo 1\n1\n$ true")
        + block("python", "import os\nx = os.path.exists('found')")
        + block("python", "assert x")
        + block("python", "def f() -> None: ...", "test_x.py")
        + block("sh", "test -f test_x.py && make demo")
    )
    read(tmp_path, page)


def test_blocks_have_their_lines_and_files(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text("# A\n\nText `b`:\n\n```json\n{}\n```\n\n- in a list\n\n  ```sh\n  x\n  ```\n")
    assert list(blocks(path)) == [
        Block(path, 6, "json", "{}\n", "b"),
        Block(path, 12, "sh", "x\n"),
    ]
