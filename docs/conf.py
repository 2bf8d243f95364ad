"""The documentation as a site: `make docs` builds it into docs/_build/html."""

from __future__ import annotations

from importlib import metadata

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
nitpick_ignore_regex = [(r"py:.*", r"(?!dlt_bridge|tap_chat).*")]

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
html_title = "tap-chat"
html_show_copyright = False

# Addresses of the sandbox, and example addresses.
linkcheck_ignore = [r"http://127\.0\.0\.1.*", r"https://(api|docs)\.example\.com.*"]
