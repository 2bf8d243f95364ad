"""Chromium, if this machine has it."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect, sync_playwright

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

PATH = shutil.which("chromium") or shutil.which("chromium-browser")
needs_chromium = pytest.mark.skipif(
    not PATH, reason="This machine has no Chromium: apt-get install chromium."
)


@contextmanager
def browsing(
    url: str, *, width: int, height: int, scale: float = 1, milliseconds: float = 30_000
) -> Iterator[Page]:
    """Yield a page of a browser with an empty profile.

    Args:
        url: The only server that the page may ask.
        width: Width of the window.
        height: Height of the window.
        scale: Pixels of the device per pixel of the page.
        milliseconds: The longest wait for anything.
    """
    with sync_playwright() as playwright, TemporaryDirectory(prefix="chromium-") as profile:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=PATH,
            args=list(OPTIONS),
            viewport={"width": width, "height": height},
            device_scale_factor=scale,
        )
        context.set_default_timeout(milliseconds)
        expect.set_options(timeout=milliseconds)
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
