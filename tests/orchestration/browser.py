"""The pages of Dagster's webserver in a browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from orchestration.instance import LOCATION
from playwright.sync_api import expect

if TYPE_CHECKING:
    from playwright.sync_api import Page

#: All assets of a platform fit on it.
WINDOW: dict[str, Any] = {"width": 1500, "height": 1750, "scale": 0.6, "milliseconds": 120_000}


def see_graph(page: Page, url: str, platform: str, streams: int) -> None:
    """Wait for the graph of a platform's assets.

    Args:
        page: The page.
        url: The URL of the webserver.
        platform: The platform.
        streams: The number of its streams.
    """
    page.goto(f"{url}/locations/{LOCATION}/asset-groups/{platform}/lineage")
    expect(page.get_by_text("100% filled")).to_have_count(streams)
    expect(page.get_by_text("Latest event")).to_have_count(streams)


def see_rows(page: Page, url: str, stream: str, partition: str, rows: int) -> None:
    """Wait for the number of rows in the metadata of an asset's partition."""
    page.goto(f"{url}/assets/{stream}?view=partitions&partition={partition}")
    expect(page.get_by_text("Latest materialization")).to_be_visible()
    row = page.locator("tr", has_text=re.compile(rf"^rows\s*{rows}\s*$"))
    expect(row).to_be_visible()


def see_run(page: Page, url: str, run: str, partition: str) -> None:
    """Wait for the page of a run that has loaded a partition."""
    page.goto(f"{url}/runs/{run}")
    expect(page.get_by_text(f"partition: {partition}")).to_be_visible()
    expect(page.get_by_text("Success", exact=True)).to_be_visible()
    expect(page.get_by_text("ASSET_MATERIALIZATION").first).to_be_visible()
