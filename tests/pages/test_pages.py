"""Every fenced block of README.md, CONTRIBUTING.md and docs/ is run, as a newcomer would run it.

A page has a folder of its own, which begins as a clone does. Its blocks are run in their order:

- A block whose file is named at the end of the paragraph before it, in backticks and with a colon,
  becomes that file, whatever its language.
- `sh` is a script for bash that ends at the first error.
- `console`: what stands behind `$ ` is a command, and what follows is what it prints, with `...`
  for what differs from run to run.
- `python`: the blocks of a page share an interpreter, as in a notebook.
- `text` is to look at; those that there are stand in `PICTURES`.
- `{name}` is a directive of the site: test_site.py builds it.

Anything else fails. The sandbox stands in the place of the vendors (vendors.py). What can't be run
here has its reason, and what is checked instead (not_run.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pages.blocks import BRIDGE, ROOT, blocks, name_of, pages
from pages.not_run import UNLOADED
from pages.reader import do_all

if TYPE_CHECKING:
    from pathlib import Path

    from pages.vendors import Vendors

THESE = [page for page in pages() if name_of(page) not in BRIDGE]


@pytest.mark.parametrize("page", THESE, ids=name_of)
def test_page_does_what_it_says(page: Path, served: Vendors, tmp_path: Path) -> None:
    do_all(page, served, tmp_path)


def test_what_is_not_loaded_is_there() -> None:
    for known in UNLOADED:
        found = [block for block in blocks(ROOT / known.page) if known.text in block.text]
        assert len(found) == 1, known
