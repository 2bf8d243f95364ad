"""The site builds, and its links work."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from pages.blocks import ROOT, name_of, pages, tokens

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EVERY = [*pages(), ROOT / "benchmarks" / "README.md"]


def links(page: Path) -> Iterator[str]:
    for token in tokens(page):
        for part in token.children or ():
            if target := part.attrGet("href") or part.attrGet("src"):
                yield str(target)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as on GitHub."""
    lines = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}


def test_site_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-n", "--keep-going"]
    done = subprocess.run(
        [*command, str(ROOT / "docs"), str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    built = {page.stem for page in tmp_path.glob("*.html")}
    assert {page.stem for page in ROOT.glob("docs/*.md")} <= built


@pytest.mark.parametrize("page", EVERY, ids=name_of)
def test_links_work(page: Path) -> None:
    for link in links(page):
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            assert parts.scheme == "https", link
            continue
        target = (page.parent / parts.path).resolve() if parts.path else page
        assert target.exists(), link
        assert not parts.fragment or parts.fragment in anchors(target), link
