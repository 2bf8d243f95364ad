"""Check the English of the documentation, of comments, docstrings and messages.

proselint brings general rules; `RULES` are those of this project. `make check` runs both.
"""

from __future__ import annotations

import io
import re
import sys
import tokenize
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proselint.checks import __register__ as general_rules
from proselint.config import DEFAULT, Config
from proselint.registry import CheckRegistry
from proselint.tools import LintFile
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent

#: The files to check.
MARKDOWN = ("*.md", "docs/*.md", "benchmarks/*.md")
PYTHON = ("scripts/*.py", "benchmarks/*.py")
#: Files of which the comments are checked.
COMMENTED = ("Makefile", ".env.example", "meltano.yml", "pyproject.toml", ".github/workflows/*.yml")

START = r"(?:^|(?<=[.:!] )|(?<=\| )|(?<=- ))"


@dataclass(frozen=True)
class Rule:
    """A wording to avoid.

    Attributes:
        pattern: A regular expression for the wording; case counts.
        better: What to write instead.
        example: A sentence that breaks the rule.
    """

    pattern: str
    better: str
    example: str


RULES = (
    Rule(r"[Aa]nswer(s|ed|ing)?\b", "response, to respond", "The answer has no body."),
    Rule(r"[Mm]oments?\b", "time, or instant", "The moment of the last run."),
    Rule(r"\btold\b", "reported, or stated", "The limit is not told."),
    Rule(r"\bSay whether\b", "Return whether", "Say whether a page is the last."),
    Rule(r"\b[Ll]ikewise\b", "a description of its own", "other: Likewise."),
    Rule(r"\bnobody's\b", "who may use it, and when", "The file is nobody's."),
    Rule(r"\bwish(es|ed)?\b", "to want, to ask for", "What the reader wishes."),
    Rule(r"\b([Tt]here(of|in|by|upon)|[Ww]hence|[Hh]itherto)\b", "it, or this", "A part thereof."),
    Rule(
        rf"{START}Of (a|an|the|all|each|what|those|some)\b",
        "the subject first",
        "Of a key, the last value counts.",
    ),
    Rule(
        rf"{START}What (?!if\b|to\b|it does\b)(?![^.\n]*\?)[a-z']+\b",
        "name the thing, as the subject",
        "What is missing is read again.",
    ),
    Rule(
        rf"{START}(Whatever|Who|Whoever)\b(?![^.\n]*\?)",
        "name the thing or the person",
        "Whatever waits is read.",
    ),
    Rule(r"\banew\b", "again, or from the start", "The table is made anew."),
    Rule(r"\bin the midst of\b", "during", "Killed in the midst of a commit."),
    Rule(r"\bfor ever\b", "forever, or always", "The server fails for ever."),
    Rule(r"\b(is|are) not to be had\b", "is not supported", "LOG_BASED is not to be had."),
    Rule(r"\b(is|are) said\b", "the log shows", "It is said once."),
    Rule(r"\bin vain\b", "needlessly", "None is sent in vain."),
    Rule(r"\bat hand\b", "available", "No account was at hand."),
    Rule(r"\b(goes|go|went|going) on\b", "continues", "The run goes on."),
    Rule(r"\bbut for\b", "except", "All but for one."),
    Rule(r"\bbeside\b", "next to, with", "The reason stands beside it."),
    Rule(
        r"\bst(and|ands|ood) (there|beside|behind|before|on|in|between|above|below|here)\b",
        "is, or: the page lists",
        "The settings stand on the page.",
    ),
    Rule(r"\b[Aa]llowances?\b", "rate limit", "The allowance is used up."),
    Rule(r"\ba(nother)? [a-z]+ more\b(?! \w+ than)", "one more", "Adding a stream more."),
    Rule(r"\bseldom\b", "rarely", "It is seldom deleted."),
    Rule(r"\b[Mm]eanwhile\b", "while ...", "Meanwhile the file is closed."),
    Rule(r"\b[Cc]an not\b", "can't", "It can not be read."),
    Rule(r"\b[Uu]pon\b", "on", "Upon a failure."),
    Rule(r"\bto be rid of\b", "to remove", "A way to be rid of them."),
    Rule(r"\b(begins?|began) to\b", "the verb alone", "It begins to read."),
    Rule(r"\bthe like\b", "name the others", "The disk is full, or the like."),
    Rule(r"\bmakes? an? error of\b", "treats as an error", "It makes an error of it."),
)
# The quotation marks of a string, and the parts of it that are filled in.
_MARKS = re.compile(r"^[a-zA-Z]*(\"\"\"|'''|\"|')|(\"\"\"|'''|\"|')$")
_FILLED = re.compile(r"\{[^{}]*\}")

#: proselint's own configuration. Typographic quotes and dashes are not for code and consoles.
GENERAL: Config = {
    "max_errors": 1000,
    "checks": DEFAULT["checks"] | {"typography": False},
}

# Code, generated tables and addresses are not prose.
_FENCED = re.compile(r"^( *)(`{3,}|~{3,}).*?^\1\2[`~]*$", re.MULTILINE | re.DOTALL)
_GENERATED = re.compile(
    r"<!-- ((?:tap-chat|target-dlt|sandbox) settings|tap|loads|kills|limits): begin.*?\1: end -->",
    re.DOTALL,
)
# docs/troubleshooting.md quotes the messages of the code.
_QUOTED = re.compile(r"^### .*[.…]$|^### [a-z…].*$", re.MULTILINE)
_MARKUP = re.compile(r"<!--.*?-->|``.+?``|`[^`]*`|(?<=\])\([^)\s]*\)|https?://[^\s)>]+", re.DOTALL)


CheckRegistry().register_many(general_rules)


@dataclass(frozen=True)
class Finding:
    """A wording that breaks a rule.

    Attributes:
        path: The file, from the root of the repository.
        line: The number of the line.
        words: The words.
        advice: What to write instead.
    """

    path: str
    line: int
    words: str
    advice: str

    @override
    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.words!r}: {self.advice}"


def blank(match: re.Match[str]) -> str:
    """Return spaces in the place of a text, with its line breaks."""
    return re.sub(r"[^\n]", " ", match[0])


def markdown_prose(text: str) -> str:
    """Return a page with its code, generated tables and addresses blanked out."""
    for pattern in (_GENERATED, _FENCED, _QUOTED, _MARKUP):
        text = pattern.sub(blank, text)
    return text


def is_prose(literal: str) -> bool:
    """Return whether a string literal has two words in a row, and is not a program."""
    if re.search(r"^\W*(import|from) ", literal, re.MULTILINE):
        return False
    return re.search(r"[A-Za-z]{2,} [a-z]{2,}", literal) is not None


def python_prose(text: str) -> str:
    """Return the comments, docstrings and messages of a module, at their lines."""
    lines = [""] * (text.count("\n") + 2)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            words = token.string.lstrip("#: ")
        elif token.type == tokenize.STRING and is_prose(token.string):
            words = _MARKS.sub("", _FILLED.sub(blank, token.string))
        else:
            continue
        for number, part in enumerate(words.split("\n"), token.start[0]):
            lines[number] = f"{lines[number]} {part.strip()}".strip()
    return _MARKUP.sub(blank, "\n".join(lines[1:]))


def comments(text: str) -> str:
    """Return the comments of a file whose comments begin with `#`."""
    found = [re.search(r"(?:^|\s)#+ (.*)$", line) for line in text.split("\n")]
    return _MARKUP.sub(blank, "\n".join(match[1] if match else "" for match in found))


def findings(path: str, prose: str) -> Iterator[Finding]:
    """Yield what is wrong with a prose, by the rules of proselint and of this project."""
    for rule in RULES:
        for match in re.finditer(rule.pattern, prose, re.MULTILINE):
            line = prose.count("\n", 0, match.start()) + 1
            yield Finding(path, line, match[0], f"better: {rule.better}")
    for result in LintFile(path, prose or " ").lint(GENERAL):
        # proselint puts a line break before the text.
        start, end = (position - 1 for position in result.check_result.span)
        words = prose[max(start, 0) : end].strip()
        line = prose.count("\n", 0, max(start, 0)) + 1
        yield Finding(path, line, words, result.check_result.message)


def check() -> Iterator[Finding]:
    """Yield what is wrong in the files of the repository."""
    for patterns, prose in (
        (MARKDOWN, markdown_prose),
        (PYTHON, python_prose),
        (COMMENTED, comments),
    ):
        for path in sorted({path for pattern in patterns for path in ROOT.glob(pattern)}):
            yield from findings(str(path.relative_to(ROOT)), prose(path.read_text()))


if __name__ == "__main__":
    found = list(check())
    print(*found, sep="\n")
    sys.exit(1 if found else 0)
