"""The log of a tap on standard error: passes on warnings, and keeps the last lines for errors.

Taps log in many forms: `WARNING text` (singer-python), `... | WARNING | name | text` (the SDK),
`level=WARNING message=text`, or a JSON object. The level of a line is the first that it names.
"""

from __future__ import annotations

import json
import logging
import re
import time
from collections import Counter, deque
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

logger = logging.getLogger(__name__)

#: How much of the log the error of a tap shows: lines, errors among them, and bytes of each line.
SHOWN_LINES = 20
SHOWN_ERRORS = 10
LINE_BYTES = 1000
#: The most warnings to pass on that differ only in numbers and quoted texts; others are counted.
MAX_ALIKE = 5
#: The most kinds of warnings that are counted separately.
MAX_KINDS = 200
#: Characters of the shortest setting that is masked.
SECRET_LENGTH = 8
HIDDEN = "***"
#: The settings of tap-chat that hold names of streams.
STREAM_NAMES = frozenset({"extra_streams", "optional"})
#: The keys of a declaration in the format of dlt's `rest_api` that name what an error is about.
PUBLIC = frozenset(
    {
        "columns",
        "cursor_path",
        "data_selector",
        "include_from_parent",
        "name",
        "paginator",
        "path",
        "primary_key",
        "response_actions",
    }
)
#: Seconds for standard error to end after the tap has.
GRACE_SECONDS = 10

_LEVEL = re.compile(
    r"(?<![A-Za-z0-9_])(DEBUG|INFO|NOTICE|METRIC|WARN|WARNING|ERROR|CRITICAL|FATAL)(?![A-Za-z0-9_])"
)
# The level stands within so many characters, after a time or a name.
_BEFORE_LEVEL = 100
# Between the level and the message: the name of a logger, as the SDK and Python write it.
_AFTER_LEVEL = re.compile(r"[\s\]:-]*(?:\|\s*[\w.-]+\s+\|\s*|message=|root:)?")
_WARNINGS = frozenset({"WARN", "WARNING"})
_ERRORS = frozenset({"ERROR", "CRITICAL", "FATAL"})
# The numbers that loggers of JavaScript write.
_NUMBERED = {40: "WARNING", 50: "ERROR", 60: "ERROR"}
# What differs between warnings of one kind.
_PARTICULAR = re.compile(r"\d+|'[^']*'|\"[^\"]*\"|`[^`]*`")
_METRIC = re.compile(r"(?:METRIC: |^)(\{.*\"metric\".*\})$")
# A wait, in the words of tap-chat, the SDK, the package backoff, and other taps.
_WAIT = re.compile(
    r"\b(?:waiting|wait|sleeping|sleep|backing off)(?: \S+)?(?: for)? (\d+(?:\.\d+)?) ?s(?:ec|\b)",
    re.IGNORECASE,
)
# In the log of tap-chat, the platform that waits begins the message.
_PLATFORM = re.compile(r"(\w+)(?: \w+)?: ")
_RATE_LIMIT = re.compile(r"rate.?limit", re.IGNORECASE)
_DATE = re.compile(r"\d{4}-\d\d-\d\d[\dT:.Z+ -]*")


@dataclass(frozen=True, slots=True)
class Wait:
    """A wait of a tap.

    Attributes:
        reason: What it waits for, in words.
        until: The monotonic time at which it ends.
        platform: What the names of the streams that wait begin with; empty for all streams.
    """

    reason: str
    until: float
    platform: str = ""

    @property
    def seconds(self) -> float:
        """The seconds that are left."""
        return self.until - time.monotonic()


class TapLog:
    """What one run of a tap logs.

    Args:
        name: The name of the tap.
        config: Its settings, whose values are never shown.
        earlier: The logs of its earlier runs: a warning in them is not passed on again.

    Attributes:
        warnings: How many warnings and errors there were.
        texts: The warnings that were passed on.
        requests: How many requests its METRIC lines count; None if they count none.
        waited: Seconds for which rate limits have held it back, by its METRIC lines; None if these
            do not say.
        shares: Which part of a stream is read, from 0 to 1, as the METRIC lines of tap-chat say.
        ended: The streams that are read, as METRIC lines say.
    """

    def __init__(
        self, name: str, config: Mapping[str, Any], earlier: Sequence[TapLog] = ()
    ) -> None:
        self.warnings = 0
        self.texts: set[str] = set()
        self.requests: int | None = None
        self.waited: float | None = None
        self.shares: dict[str, float] = {}
        self.ended: set[str] = set()
        self._wait: Wait | None = None
        self._earlier = {text for log in earlier for text in log.texts}
        self._name = name
        self._secrets = sorted(set(_secrets(config)), key=len, reverse=True)
        self._tail: deque[tuple[str | None, str]] = deque(maxlen=SHOWN_LINES)
        self._errors: deque[str] = deque(maxlen=SHOWN_ERRORS)
        # Warnings without their numbers and quoted texts, and one whole warning of each.
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, str] = {}

    @contextmanager
    def reading(self, stderr: IO[bytes]) -> Iterator[None]:
        """Read standard error in a thread, while the body of the `with` runs."""
        thread = Thread(target=self._read, args=(stderr,), name="tap-stderr", daemon=True)
        thread.start()
        try:
            yield
        finally:
            # A process that the tap has left behind may hold the pipe open forever.
            thread.join(GRACE_SECONDS)

    def _read(self, stderr: IO[bytes]) -> None:
        """Read standard error to its end, so that the tap never waits for a reader."""
        with stderr:
            # A longer line counts as several, so that memory is bounded.
            while line := stderr.readline(LINE_BYTES):
                self._add(line.decode(errors="replace").rstrip())

    def _add(self, line: str) -> None:
        line = self._mask(line)
        logger.debug("%s", line)
        level, text = parse_line(line)
        self._tail.append((level, line))
        if metric := _METRIC.search(text):
            self._measure(metric.group(1))
        elif wait := _WAIT.search(text):
            reason = "waiting for the rate limit" if _RATE_LIMIT.search(text) else "waiting"
            platform = _PLATFORM.match(text)
            until = time.monotonic() + float(wait.group(1))
            self._wait = Wait(reason, until, platform.group(1) if platform else "")
        if level in _ERRORS:
            self._errors.append(text)
            self._count(text)
        elif level in _WARNINGS and text not in self._earlier and self._count(text):
            self.texts.add(text)
            logger.warning("%s: %s", self._name, text)

    def _measure(self, text: str) -> None:
        """Add what a METRIC line of the SDK counts."""
        try:
            metric = json.loads(text)
            name, value = metric["metric"], metric["value"]
            if name == "http_request_count":
                self.requests = (self.requests or 0) + int(value)
            elif name == "rate_limit_wait":
                self.waited = (self.waited or 0.0) + float(value)
            elif name == "progress":
                self.shares[str(metric["tags"]["stream"])] = float(value)
            elif name == "sync_duration" and _is_whole(metric["tags"]):
                self.ended.add(str(metric["tags"]["stream"]))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            # Any tap may log such a line.
            return

    def _count(self, text: str) -> bool:
        """Count a warning or an error; return whether there were few like it."""
        self.warnings += 1
        kind = _PARTICULAR.sub("", text)
        if kind not in self._counts and len(self._counts) >= MAX_KINDS:
            kind = ""
        self._counts[kind] += 1
        self._examples.setdefault(kind, text)
        return self._counts[kind] <= MAX_ALIKE

    def wait_of(self, stream: str) -> Wait | None:
        """Return the wait of a stream, if it waits."""
        wait = self._wait
        is_of_stream = wait is not None and stream.startswith(wait.platform)
        return wait if wait and is_of_stream and wait.seconds > 0 else None

    def summarize(self, *, failed: bool) -> None:
        """Pass on errors, and how many more warnings there were, when the tap has ended.

        Args:
            failed: Whether the tap failed: then its error shows its errors.
        """
        for text in () if failed else self._errors:
            logger.warning("%s: %s", self._name, text)
        for kind, count in self._counts.items():
            if count > MAX_ALIKE:
                logger.warning(
                    "%s: %d more like: %s", self._name, count - MAX_ALIKE, self._examples[kind]
                )

    def tail(self) -> str:
        """Return the last lines; if there are errors, their texts, and lines without a level.

        Warnings were passed on before.
        """
        if not self._errors:
            return "\n".join(line for _, line in self._tail)
        rest = [line for level, line in self._tail if level is None]
        return "\n".join([*self._errors, *rest])

    def _mask(self, line: str) -> str:
        for secret in self._secrets:
            line = line.replace(secret, HIDDEN)
        return line


def _is_whole(tags: Mapping[str, Any]) -> bool:
    """Return whether the tags of a METRIC line are those of a whole stream that was read.

    A stream with parents has a line for each, with its context.
    """
    return not tags.get("context") and tags.get("status") != "failed"


def parse_line(line: str) -> tuple[str | None, str]:
    """Return the level of a line of a log, if it names one, and its message."""
    if line.startswith("{"):
        return _parse_json(line)
    level = _LEVEL.search(line, 0, _BEFORE_LEVEL)
    if level is None:
        return None, line
    after = _AFTER_LEVEL.match(line, level.end())
    return level.group(), line[after.end() if after else level.end() :]


def _parse_json(line: str) -> tuple[str | None, str]:
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None, line
    level = next((entry[name] for name in ("level", "levelname", "severity") if name in entry), "")
    level = _NUMBERED.get(level, "INFO") if isinstance(level, int) else str(level).upper()
    text = next((entry[name] for name in ("message", "msg", "event") if name in entry), line)
    return level or None, str(text)


def _secrets(config: Any, public: Collection[str] = ()) -> Iterator[str]:  # noqa: ANN401
    """Yield the settings that may be secret, as they are, and as in a URL.

    Args:
        config: The settings.
        public: The names of the settings that are not secret.
    """
    if isinstance(config, str):
        if len(config) >= SECRET_LENGTH and not _is_plain(config):
            yield config
            yield quote(config, safe="")
    elif isinstance(config, dict):
        public = PUBLIC if config.keys() >= {"client", "resources"} else public
        for name, value in config.items():
            if name not in public and name not in STREAM_NAMES:
                yield from _secrets(value, public)
    elif isinstance(config, list):
        for value in config:
            yield from _secrets(value, public)


def _is_plain(text: str) -> bool:
    """Return whether a text is a date, or a URL without credentials."""
    if _DATE.fullmatch(text):
        return True
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return bool(parts.scheme and parts.netloc) and not (parts.query or "@" in parts.netloc)
