"""Check the English of the documentation, of comments, docstrings, messages and test names.

`make check` runs it on the whole repository; `scripts/prose.py FILE ...` on single files.
proselint has general rules, and prose_rules.py those of this project.
"""

from __future__ import annotations

import io
import re
import sys
import tokenize
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prose_rules import RULES
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
PYTHON = (
    "tap_chat/**/*.py",
    "dlt_bridge/**/*.py",
    "scripts/*.py",
    "benchmarks/*.py",
    "tests/**/*.py",
)
#: Files with examples that break the rules.
EXEMPT = frozenset({ROOT / "scripts" / "prose_rules.py", ROOT / "tests" / "test_prose.py"})
#: Files of which the comments are checked.
COMMENTED = ("Makefile", ".env.example", "meltano.yml", "pyproject.toml", ".github/workflows/*.yml")

#: The rules of proselint, without typographic quotes and dashes, which code and consoles lack.
GENERAL: Config = {"max_errors": 1000, "checks": DEFAULT["checks"] | {"typography": False}}
#: The same for modules, where texts of several strings meet.
GENERAL_OF_MODULES: Config = {
    "max_errors": 1000,
    "checks": GENERAL["checks"] | {"lexical_illusions": False},
}

# The quotation marks of a string, and the parts of it that are filled in.
_MARKS = re.compile(r"^[a-zA-Z]*(\"\"\"|'''|\"|')|(\"\"\"|'''|\"|')$")
_FILLED = re.compile(r"\{[^{}]*\}")
# proselint takes the parts of a word around an accent for words.
_ACCENTED = re.compile(r"[a-zA-Z]*[^\x00-\x7f]+[a-zA-Z]*")
# Code, generated tables and addresses are not prose.
_FENCED = re.compile(r"^( *)(`{3,}|~{3,}).*?^\1\2[`~]*$", re.MULTILINE | re.DOTALL)
_GENERATED = re.compile(
    r"<!-- ((?:tap-chat|target-dlt|sandbox) settings|tap|loads|kills|limits): begin.*?\1: end -->",
    re.DOTALL,
)
# The lines of a card or tab of the site that are not text: its columns, its link.
_DIRECTIVE = re.compile(r"^:{3,}\{.*$|^:[a-z-]+:.*$", re.MULTILINE)
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
    for pattern in (_GENERATED, _FENCED, _DIRECTIVE, _QUOTED, _MARKUP):
        text = pattern.sub(blank, text)
    return text


def is_prose(literal: str) -> bool:
    """Return whether a string literal has two words in a row, and is not a program."""
    if re.search(r"^\W*(import|from) ", literal, re.MULTILINE):
        return False
    return re.search(r"[A-Za-z]{2,} [a-z]{2,}", literal) is not None


def _tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    """Yield the tokens of a module, with each f-string as one token, as Python 3.11 does."""
    rows = text.split("\n")
    depth, start = 0, (0, 0)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        kind = tokenize.tok_name[token.type]
        if kind == "FSTRING_START":
            start = start if depth else token.start
            depth += 1
        if not depth:
            yield token
        if kind == "FSTRING_END":
            depth -= 1
            if not depth:
                first, last = start[0] - 1, token.end[0] - 1
                parts = rows[first : last + 1]
                parts[-1] = parts[-1][: token.end[1]]
                parts[0] = parts[0][start[1] :]
                yield token._replace(type=tokenize.STRING, string="\n".join(parts), start=start)


def python_prose(text: str) -> str:
    """Return the comments, docstrings, messages and test names of a module, at their lines."""
    lines = [""] * (text.count("\n") + 2)
    for token in _tokens(text):
        if token.type == tokenize.COMMENT:
            words = token.string.lstrip("#: ")
        elif token.type == tokenize.STRING and is_prose(token.string):
            words = _MARKS.sub("", _FILLED.sub(blank, token.string))
        elif token.type == tokenize.NAME and token.string.startswith("test_"):
            words = token.string.removeprefix("test_").replace("_", " ")
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
    is_code = path.endswith(".py")
    for rule in RULES:
        if is_code and not rule.code:
            continue
        for match in re.finditer(rule.pattern, prose, re.MULTILINE):
            line = prose.count("\n", 0, match.start()) + 1
            yield Finding(path, line, match[0], f"better: {rule.better}")
    config = GENERAL_OF_MODULES if is_code else GENERAL
    prose = _ACCENTED.sub(blank, prose) if is_code else prose
    for result in LintFile(path, prose or " ").lint(config):
        # proselint puts a line break before the text.
        start, end = (position - 1 for position in result.check_result.span)
        words = prose[max(start, 0) : end].strip()
        line = prose.count("\n", 0, max(start, 0)) + 1
        yield Finding(path, line, words, result.check_result.message)


def prose_of(path: Path) -> str:
    """Return the prose of a file, at its lines."""
    reader = {".md": markdown_prose, ".py": python_prose}.get(path.suffix, comments)
    return reader(path.read_text())


def files() -> set[Path]:
    """Return the files of the repository that are checked."""
    patterns = (*MARKDOWN, *PYTHON, *COMMENTED)
    return {path for pattern in patterns for path in ROOT.glob(pattern)} - EXEMPT


def main(*names: str) -> int:
    """Check files, by default all of the repository. Return 1 if a wording breaks a rule."""
    paths = [Path(name).resolve() for name in names] or sorted(files())
    found = [
        finding
        for path in paths
        for finding in findings(str(path.relative_to(ROOT)), prose_of(path))
    ]
    for finding in found:
        print(finding)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
