"""The fenced blocks of the documentation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from markdown_it import MarkdownIt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from markdown_it.token import Token

ROOT = Path(__file__).parents[2]
#: The pages of the bridge, on each of which dlt runs several times.
BRIDGE = frozenset(
    f"docs/{name}.md"
    for name in (
        "accounts",
        "bridge",
        "commands",
        "destinations",
        "docker",
        "from-airbyte",
        "personal-data",
        "queries",
        "recover",
        "schedule",
        "target-dlt",
        "types",
    )
)
#: The end of a paragraph that names the file of the next block.
FILE = re.compile(r"`([^`\s]+)`:$")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: The page.
        line: The number of its first line.
        language: The language after the fence.
        text: The content.
        file: The name of the file, if the page names one.
    """

    page: Path
    line: int
    language: str
    text: str
    file: str | None = None

    @property
    def place(self) -> str:
        """The page and line, for messages."""
        return f"{name_of(self.page)}:{self.line}"


def pages() -> list[Path]:
    """Return the pages whose blocks the tests run. The benchmarks are run by hand."""
    return [
        page
        for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md")))
        if page.exists()
    ]


def name_of(page: Path) -> str:
    """Return the path of a page within the repository."""
    return str(page.relative_to(ROOT)) if page.is_relative_to(ROOT) else page.name


def tokens(page: Path) -> list[Token]:
    """Return the Markdown tokens of a page."""
    return MarkdownIt().parse(page.read_text())


def blocks(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page."""
    before = ""
    for token in tokens(page):
        if token.type in {"fence", "code_block"}:
            named = FILE.search(before)
            # An indented block has no language, which the pages do not allow.
            start = (token.map or [0])[0] + (2 if token.type == "fence" else 1)
            language = token.info.strip()
            yield Block(page, start, language, token.content, named[1] if named else None)
        if token.type == "inline":
            before = token.content
        elif not token.type.startswith("paragraph"):
            before = ""
