"""As test_pages.py, for the pages of the bridge, which take long and run in parallel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from pages.blocks import BRIDGE, name_of, pages
from pages.reader import do_all

if TYPE_CHECKING:
    from pathlib import Path

    from pages.vendors import Vendors

THESE = [page for page in pages() if name_of(page) in BRIDGE]


@pytest.mark.parametrize("page", THESE, ids=name_of)
def test_blocks_of_the_page_work(page: Path, served: Vendors, tmp_path: Path) -> None:
    do_all(page, served, tmp_path)
