"""Every fenced block of README.md, CONTRIBUTING.md and docs/ works when it is run.

Each page has a folder of its own with the files of a clone. Its blocks run in order:

- A block whose file is named at the end of the paragraph before it, in backticks and with a colon,
  becomes that file, whatever its language.
- `sh` is a script for bash that ends at the first error.
- `console`: a command comes after `$ `, and then its output, with `...` for parts that differ from
  run to run.
- `python`: the blocks of a page share an interpreter, as in a notebook.
- `text` is not run; `PICTURES` has the number of these blocks.
- `{name}` is a directive of the site, which test_site.py builds.

All other languages fail. The sandbox replaces the vendors (vendors.py). not_run.py lists commands
that can't run here, with the reason and the check that replaces them.
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
def test_blocks_of_the_page_work(page: Path, served: Vendors, tmp_path: Path) -> None:
    do_all(page, served, tmp_path)


def test_blocks_without_a_load_exist() -> None:
    for known in UNLOADED:
        found = [block for block in blocks(ROOT / known.page) if known.text in block.text]
        assert len(found) == 1, known
