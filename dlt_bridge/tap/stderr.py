"""What a tap says on its standard error: warnings are passed on, the end is kept for errors.

Taps log in many ways: `WARNING text` (singer-python), `... | WARNING | name | text` (the SDK),
`level=WARNING message=text`, or an object of JSON. The first level that a line names is its level.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter, deque
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

logger = logging.getLogger(__name__)

#: How much of what a tap said an error shows: lines, of them those of errors, and bytes of each.
SHOWN_LINES = 20
SHOWN_ERRORS = 10
LINE_BYTES = 1000
#: So many warnings that differ in nothing but numbers are passed on; further ones are counted.
MOST_ALIKE = 5
#: So many kinds are told apart.
MOST_KINDS = 200
#: Characters of a setting's value that may be a secret.
SECRET_LENGTH = 8
HIDDEN = "***"

# What stands before the level is short: a time, a name.
_LEVEL = re.compile(
    r"(?<![A-Za-z0-9_])(DEBUG|INFO|NOTICE|METRIC|WARN|WARNING|ERROR|CRITICAL|FATAL)(?![A-Za-z0-9_])"
)
_BEFORE_LEVEL = 100
# Between the level and what is said: the name of a logger, as the SDK and Python write it.
_AFTER_LEVEL = re.compile(r"[\s\]:-]*(?:\|\s*[\w.-]+\s+\|\s*|message=|root:)?")
_WARNINGS = frozenset({"WARN", "WARNING"})
_ERRORS = frozenset({"ERROR", "CRITICAL", "FATAL"})
# Numbers as loggers of JavaScript write them.
_NUMBERED = {40: "WARNING", 50: "ERROR", 60: "ERROR"}
# What differs between warnings that are alike.
_PARTICULAR = re.compile(r"\d+|'[^']*'|\"[^\"]*\"|`[^`]*`")
_DATE = re.compile(r"\d{4}-\d\d-\d\d[\dT:.Z+ -]*")


class TapLog:
    """What one run of a tap says.

    Args:
        name: The tap's name.
        config: Its settings, whose values are not shown.
        known: What it said before: a warning that it repeats is not passed on again.

    Attributes:
        warnings: How many warnings and errors there were.
        texts: The warnings that were passed on.
    """

    def __init__(self, name: str, config: Mapping[str, Any], known: Sequence[TapLog] = ()) -> None:
        self.warnings = 0
        self.texts: set[str] = set()
        self._known = {text for said in known for text in said.texts}
        self._name = name
        self._secrets = sorted(set(_secrets(config)), key=len, reverse=True)
        self._tail: deque[tuple[str | None, str]] = deque(maxlen=SHOWN_LINES)
        self._errors: deque[str] = deque(maxlen=SHOWN_ERRORS)
        self._kinds: Counter[str] = Counter()
        self._examples: dict[str, str] = {}

    def read(self, stream: IO[bytes]) -> None:
        """Read standard error to its end, so that the tap never waits for a reader."""
        with stream:
            # A longer line counts as several, so that memory is bounded.
            while line := stream.readline(LINE_BYTES):
                self.take(line.decode(errors="replace").rstrip())

    def take(self, line: str) -> None:
        """Take a line."""
        line = self._masked(line)
        logger.debug("%s", line)
        level, text = parse_line(line)
        self._tail.append((level, line))
        if level in _ERRORS:
            self._errors.append(line)
            self._count(text)
        elif level in _WARNINGS and text not in self._known and self._count(text):
            self.texts.add(text)
            logger.warning("%s: %s", self._name, text)

    def _count(self, text: str) -> bool:
        """Count a warning; say whether it is to be passed on."""
        self.warnings += 1
        kind = _PARTICULAR.sub("", text)
        if kind not in self._kinds and len(self._kinds) >= MOST_KINDS:
            kind = ""
        self._kinds[kind] += 1
        self._examples.setdefault(kind, text)
        return self._kinds[kind] <= MOST_ALIKE

    def sum_up(self, *, failed: bool) -> None:
        """Pass on what was kept back, at the tap's end.

        Args:
            failed: The tap failed: an error shows its own errors.
        """
        for line in () if failed else self._errors:
            logger.warning("%s: %s", self._name, parse_line(line)[1])
        for kind, count in self._kinds.items():
            if count > MOST_ALIKE:
                logger.warning(
                    "%s: %d more like: %s", self._name, count - MOST_ALIKE, self._examples[kind]
                )

    def end(self) -> str:
        """Return the end of what was said; where there are errors, those first, and no chatter."""
        if not self._errors:
            return "\n".join(line for _, line in self._tail)
        rest = [line for level, line in self._tail if level is None or level in _WARNINGS]
        return "\n".join([*self._errors, *rest])

    def _masked(self, line: str) -> str:
        for secret in self._secrets:
            line = line.replace(secret, HIDDEN)
        return line


def parse_line(line: str) -> tuple[str | None, str]:
    """Return the level that a line of a log names, if any, and what it says."""
    if line.startswith("{"):
        return _of_json(line)
    found = _LEVEL.search(line, 0, _BEFORE_LEVEL)
    if found is None:
        return None, line
    after = _AFTER_LEVEL.match(line, found.end())
    return found.group(), line[after.end() if after else found.end() :]


def _of_json(line: str) -> tuple[str | None, str]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None, line
    level = next((entry[name] for name in ("level", "levelname", "severity") if name in entry), "")
    level = _NUMBERED.get(level, "INFO") if isinstance(level, int) else str(level).upper()
    text = next((entry[name] for name in ("message", "msg", "event") if name in entry), line)
    return level or None, str(text)


def _secrets(config: Any) -> Iterator[str]:  # noqa: ANN401
    """Yield the texts of settings that may be secret, as they are and as a URL has them."""
    if isinstance(config, str):
        if len(config) >= SECRET_LENGTH and not _is_plain(config):
            yield config
            yield quote(config, safe="")
    elif isinstance(config, dict):
        for value in config.values():
            yield from _secrets(value)
    elif isinstance(config, list):
        for value in config:
            yield from _secrets(value)


def _is_plain(text: str) -> bool:
    """Say whether a text is a date, or an address without a password or a key in it."""
    if _DATE.fullmatch(text):
        return True
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme and parts.netloc) and not (parts.query or "@" in parts.netloc)
