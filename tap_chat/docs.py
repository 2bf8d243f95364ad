"""Links from errors to the page of the documentation that explains them.

`troubleshooting.txt` has a line for each heading of docs/troubleshooting.md: its anchor and its
text, in which `…` stands for what an error fills in. `make tables` writes it.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files

PAGE = "https://tap-chat.readthedocs.io/en/latest/troubleshooting.html"
HEADINGS = "troubleshooting.txt"
#: The fewest letters of a heading that can tell an error from others.
FEWEST_LETTERS = 8


def link_of(error: str) -> str:
    """Return the address of what the documentation says about an error.

    Args:
        error: The text of the error. After its first line, it may have the errors of a tap, which
            say more. The page itself is the address of an unknown error.
    """
    first, *others = map(_plain, error.splitlines() or [""])
    for text in (*others, first):
        found = [heading for heading in _headings() if heading.pattern.search(text)]
        # The longest heading says the most of the error.
        best = max(found, key=lambda heading: heading.letters, default=None)
        if best and best.letters >= FEWEST_LETTERS:
            return f"{PAGE}#{best.anchor}"
    return PAGE


@cache
def _headings() -> list[_Heading]:
    lines = files(__package__).joinpath(HEADINGS).read_text("utf-8").splitlines()
    return [_Heading(line) for line in lines]


class _Heading:
    """A heading: its anchor, the pattern of its errors, and how many letters they have in common.

    Args:
        line: The anchor and the text.
    """

    def __init__(self, line: str) -> None:
        self.anchor, _, text = line.partition("\t")
        parts = _plain(text).rstrip(".").split("…")
        self.letters = sum(map(len, parts))
        # A sentence begins the error, or follows the name of a stream; a predicate follows that of
        # a request.
        start = "(?:^|: )" if parts[0][:1].isupper() else r"(?:^|\s)" if parts[0] else ""
        end = r"(?!\w)" if parts[-1] else ""
        self.pattern = re.compile(f"{start}{'.*?'.join(map(re.escape, parts))}{end}")


def _plain(text: str) -> str:
    """Return a text without backticks, and with single spaces."""
    return " ".join(text.replace("`", "").split())
