"""The pages of the documentation, taken apart into their fenced blocks."""

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
    f"docs/{name}.md" for name in ("bridge", "types", "destinations", "commands", "target-dlt")
)
#: At the end of the paragraph before a block: the file that the block is.
FILE = re.compile(r"`([^`\s]+)`:$")


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: The page it stands on.
        line: The number of its first line.
        language: What stands behind the fence.
        text: What is in it.
        file: The file that it is, if the page names one.
    """

    page: Path
    line: int
    language: str
    text: str
    file: str | None = None

    @property
    def place(self) -> str:
        """Where it stands, for a reader."""
        return f"{name_of(self.page)}:{self.line}"


def pages() -> list[Path]:
    """Return the pages whose blocks are run; the benchmarks are run by hand."""
    return [
        page
        for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md")))
        if page.exists()
    ]


def name_of(page: Path) -> str:
    """Return the path of a page within the repository."""
    return str(page.relative_to(ROOT)) if page.is_relative_to(ROOT) else page.name


def tokens(page: Path) -> list[Token]:
    """Return what a page is made of."""
    return MarkdownIt().parse(page.read_text())


def blocks(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page."""
    before = ""
    for token in tokens(page):
        if token.type in {"fence", "code_block"}:
            named = FILE.search(before)
            # An indented block has no language, and is none that a page may have.
            start = (token.map or [0])[0] + (2 if token.type == "fence" else 1)
            language = token.info.strip()
            yield Block(page, start, language, token.content, named[1] if named else None)
        if token.type == "inline":
            before = token.content
        elif not token.type.startswith("paragraph"):
            before = ""
