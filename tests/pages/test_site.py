"""The site builds, its links work, and a browser shows it."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urldefrag, urlsplit

import pytest
from chromium import browsing, needs_chromium
from pages.blocks import ROOT, name_of, pages, tokens
from playwright.sync_api import expect
from typing_extensions import override

from tap_chat.docs import HEADINGS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

EVERY = [*pages(), ROOT / "benchmarks" / "README.md"]
REPOSITORY = "https://github.com/tap-chat/tap-chat"
#: Pixels of a phone.
WIDTH, HEIGHT = 390, 844

# What is on a page: the width of all that is on it, the addresses of its links, its anchors.
FOUND = """() => ({
  width: document.documentElement.scrollWidth,
  links: [...document.links].map((link) => link.href),
  anchors: [...document.querySelectorAll("[id]")].map((element) => element.id),
})"""
# The contrast of each text of an SVG with what is behind it (WCAG 2), below the one that is given.
FAINT = """([background, least]) => {
  const parts = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = (color) => {
    const [r, g, b] = parts(color).map((part) => part / 255)
      .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (text) => {
    const box = text.getBoundingClientRect();
    const found = document
      .elementsFromPoint(box.x + box.width / 2, box.y + box.height / 2)
      .filter((element) => element instanceof SVGGeometryElement)
      .map((element) => getComputedStyle(element).fill)
      .filter((fill) => fill.startsWith("rgb(") );
    return found[0] ?? background;
  };
  const contrast = (text) => {
    const [dark, bright] = [getComputedStyle(text).fill, behind(text)].map(light)
      .sort((one, other) => one - other);
    return (bright + 0.05) / (dark + 0.05);
  };
  return [...document.querySelectorAll("text")]
    .map((text) => [text.textContent, contrast(text)])
    .filter(([, contrast]) => contrast < least);
}"""


def links(page: Path) -> Iterator[str]:
    for token in tokens(page):
        for part in token.children or ():
            if target := part.attrGet("href") or part.attrGet("src"):
                yield str(target)


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as on GitHub."""
    lines = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", line.lower()).replace(" ", "-") for line in lines}


class Quiet(SimpleHTTPRequestHandler):
    """Serves files, and logs nothing."""

    @override
    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "-n", "--keep-going"]
    done = subprocess.run(
        [*command, str(ROOT / "docs"), str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def url(site: Path) -> Iterator[str]:
    """The URL of the site."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser(url: str) -> Iterator[Page]:
    with browsing(url, width=WIDTH, height=HEIGHT) as page:
        page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=url)
        yield page


def test_site_builds_without_a_warning(site: Path) -> None:
    built = {page.stem for page in site.glob("*.html")}
    assert {page.stem for page in ROOT.glob("docs/*.md")} <= built
    # Errors link to their headings.
    errors = (site / "troubleshooting.html").read_text()
    for line in (ROOT / "tap_chat" / HEADINGS).read_text().splitlines():
        anchor = line.partition("\t")[0]
        assert f'<section id="{anchor}">' in errors, line


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


@needs_chromium
def test_every_page_fits_a_phone_without_an_error_or_a_broken_link(
    browser: Page, url: str, site: Path
) -> None:
    problems: list[str] = []
    browser.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    browser.on("pageerror", lambda error: problems.append(str(error)))
    links, known = [], {f"{url}/"}
    for path in sorted(site.glob("*.html")):
        address = f"{url}/{path.name}"
        browser.goto(address)
        found = browser.evaluate(FOUND)
        if found["width"] > WIDTH:
            problems.append(f"{path.name} is {found['width']} pixels wide")
        known |= {address, *(f"{address}#{name}" for name in found["anchors"])}
        links += [(path.name, link) for link in found["links"]]
    for page, link in links:
        file, _, _ = link.partition("?")
        if link.startswith(url):
            # `#` alone is the top of a page.
            is_known = link.removesuffix("#") in known or (site / urlsplit(file).path[1:]).is_file()
            if not is_known or ("#" in link and link.removesuffix("#") not in known):
                problems.append(f"{page} links to {link}")
        elif file.startswith(f"{REPOSITORY}/blob/main/") or "/edit/main/" in file:
            in_repository = urldefrag(re.sub(r".*?/(blob|edit)/main/", "", file)).url
            if not (ROOT / in_repository).exists() and "docs/genindex" not in file:
                problems.append(f"{page} links to {link}")
    assert not problems


@needs_chromium
def test_search_finds_a_stream(browser: Page, url: str) -> None:
    browser.goto(f"{url}/search.html?q=freshchat_users")
    result = browser.locator("#search-results li a", has_text="Freshchat").first
    expect(result).to_be_visible()
    result.click()
    expect(browser).to_have_url(re.compile(r"/(streams-)?freshchat\.html"))


@needs_chromium
def test_copy_button_copies_the_command_without_prompt_and_output(browser: Page, url: str) -> None:
    browser.goto(f"{url}/commands.html")
    block = browser.locator(".highlight-console").first
    block.hover()
    block.locator("button.copybtn").click()
    expect(block.locator("button.copybtn")).to_have_class(re.compile("success"))
    copied = browser.evaluate("navigator.clipboard.readText()")
    assert copied == "dlt singer discover tap-chat --config config.json"


@needs_chromium
def test_filter_finds_an_error_by_its_text_or_words(browser: Page, url: str) -> None:
    browser.goto(f"{url}/troubleshooting.html")
    box, shown = browser.locator("#filter"), browser.locator("article h3:visible")
    every = shown.count()
    box.fill(
        "Stream freshchat_users: GET https://acme.freshchat.com/v2/users?page=3 returned 403"
        " Forbidden."
    )
    expect(shown.filter(has_text=re.compile("^returned …"))).to_have_count(1)
    assert shown.count() < 5
    box.fill("wal2json MariaDB")
    expect(shown).to_have_count(0)
    box.fill("misspelled section")
    expect(shown).to_have_text([re.compile("There is no setting")])
    expect(browser.locator("#filter-count")).to_have_text(f"1 of {every} errors")
    box.fill("")
    expect(shown).to_have_count(every)


@needs_chromium
@pytest.mark.parametrize("chosen", ["light", "dark"])
def test_pictures_follow_the_theme_that_a_reader_chooses(
    browser: Page, url: str, chosen: str
) -> None:
    """Also if the system has the other one."""
    browser.emulate_media(color_scheme="dark" if chosen == "light" else "light")
    browser.goto(f"{url}/benchmarks.html")
    browser.evaluate(f"localStorage.setItem('theme', '{chosen}')")
    browser.reload()
    picture = browser.locator("article img").first
    assert picture.evaluate("image => getComputedStyle(image).colorScheme") == chosen
    browser.evaluate("localStorage.removeItem('theme')")


@needs_chromium
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_texts_of_pictures_are_readable(browser: Page, url: str, site: Path, theme: Any) -> None:
    browser.emulate_media(color_scheme=theme)
    browser.goto(url)
    background = browser.evaluate("getComputedStyle(document.body).backgroundColor")
    pictures = sorted(site.glob("_images/*.svg"))
    assert pictures
    # What is outside of the window has nothing behind it.
    browser.set_viewport_size({"width": 1600, "height": 4000})
    faint = {}
    for picture in pictures:
        browser.goto(f"{url}/_images/{picture.name}")
        if found := browser.evaluate(FAINT, [background, 3]):
            faint[picture.name] = found
    assert faint == {}
