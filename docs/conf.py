"""The documentation as a site: `make docs` builds it into docs/_build/html."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

project = "tap-chat"
release = metadata.version("tap-chat")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
]
# Tabs and cards are blocks between colons.
myst_enable_extensions = ["colon_fence"]
exclude_patterns = ["_build"]
nitpicky = True
# Types of other projects have no link: the build does not use the network.
nitpick_ignore_regex = [
    (r"py:.*", r"(?!dlt_bridge|tap_chat).*"),
    # What chat_assets returns, with a note.
    (r"py:class", r"dlt_bridge\.dagster\.assets\.ChatAssets"),
]

# Text between backticks in a docstring is code.
default_role = "code"
smartquotes = False
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
napoleon_use_rtype = False

# The copy button leaves out the prompt, and the output of a command.
copybutton_prompt_text = "$ "

# Anchors for headings, as on GitHub.
myst_heading_anchors = 3

html_theme = "furo"
# Without the commit of a development version.
html_title = f"tap-chat {release.partition('+')[0]}"
html_short_title = "tap-chat"
html_logo = html_favicon = "../hub/extractors/tap-chat/tap-chat.svg"
html_show_copyright = False
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = ["filter.js"]
REPOSITORY = "https://github.com/tap-chat/tap-chat"
GITHUB = (Path(__file__).parent / "static" / "github.svg").read_text()
html_theme_options = {
    # The links to the source of each page, and to its editor.
    "source_repository": REPOSITORY,
    "source_branch": "main",
    "source_directory": "docs/",
    "footer_icons": [{"name": "GitHub", "url": REPOSITORY, "html": GITHUB, "class": ""}],
}

# Addresses of the sandbox, and example addresses.
linkcheck_ignore = [r"http://127\.0\.0\.1.*", r"https://(api|docs)\.example\.com.*"]
