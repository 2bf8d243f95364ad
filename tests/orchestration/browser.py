"""Chromium on the pages of Dagster's webserver."""

from __future__ import annotations

import re
import shutil
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from orchestration.instance import LOCATION
from playwright.sync_api import ViewportSize, expect, sync_playwright

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import BrowserContext, Page

#: Chromium may speak to this machine alone.
OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
#: All assets of a platform fit on it.
SIZE: ViewportSize = {"width": 1500, "height": 1750}
SCALE = 0.6
MILLISECONDS = 120_000.0


def chromium() -> str | None:
    """Return the path of the system's Chromium, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@contextmanager
def browsing(url: str) -> Iterator[Page]:
    """Yield a page of a browser with an empty profile.

    Args:
        url: The only server that the page may ask.
    """
    with sync_playwright() as playwright, TemporaryDirectory(prefix="chromium-") as profile:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=chromium(),
            args=list(OPTIONS),
            viewport=SIZE,
            device_scale_factor=SCALE,
        )
        context.set_default_timeout(MILLISECONDS)
        expect.set_options(timeout=MILLISECONDS)
        outside = _watch(context, url)
        yield context.new_page()
        context.close()
        assert outside == []


def _watch(context: BrowserContext, url: str) -> list[str]:
    """Return the list of what is asked of other servers, which grows."""
    outside: list[str] = []

    def note(address: str) -> None:
        if address.startswith("http") and not address.startswith(url):
            outside.append(address)

    context.on("request", lambda request: note(request.url))
    return outside


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
