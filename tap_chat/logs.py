"""The log of a command: one printable line per message; useless messages are hidden."""

from __future__ import annotations

import logging
import os
from copy import copy

from typing_extensions import override

from tap_chat.escapes import printable

#: The environment variable that names a log config.
LOG_CONFIG = "SINGER_SDK_LOG_CONFIG"

HIDDEN_MESSAGES = frozenset(
    {
        # Also logged when settings do come from the environment.
        "Skipping parse of env var settings...",
        "Parsing env var for settings config...",
        "Added '%s' as child stream to '%s'",
        # True of the SDK's bookmarks; those of tap-chat resume where a run was interrupted.
        "Stream is assumed to be unsorted, progress is not resumable if interrupted",
        # Follows the sentences that say what is wrong.
        "Config validation failed",
        # Precedes the sentence that says what happened.
        "An unhandled error occurred while syncing '%s'",
    }
)

#: What the lines of the progress show on a terminal.
SHOWN_MESSAGES = frozenset({"Beginning sync of '%s' in %s mode"})

#: The format of messages on a terminal, whose lines are short. The level precedes the message.
TERMINAL_FORMAT, TERMINAL_TIME = "{asctime} {message}", "%H:%M:%S"

#: The logger of Python's warnings, which have more than one line.
WARNINGS = "py.warnings"


class _HiddenMessages(logging.Filter):
    """Drops messages.

    Args:
        hidden: The messages.
    """

    def __init__(self, hidden: frozenset[str]) -> None:
        super().__init__()
        self._hidden = hidden

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        return record.msg not in self._hidden


class _PlainFormatter(logging.Formatter):
    """Makes each message one printable line.

    Otherwise the name of a stream or property could forge a log line, or move a terminal's cursor.

    Args:
        inner: The formatter that formats the printable message.
    """

    def __init__(self, inner: logging.Formatter) -> None:
        super().__init__()
        self._inner = inner
        probe = logging.LogRecord("", logging.ERROR, "", 0, "", (), None)
        self._has_level = "error" in inner.format(probe).lower()

    @override
    def format(self, record: logging.LogRecord) -> str:
        if record.levelno > logging.DEBUG and record.name != WARNINGS:
            record = copy(record)
            level = f"{record.levelname}: " if record.levelno >= logging.WARNING else ""
            record.msg = ("" if self._has_level else level) + printable(record.getMessage())
            record.args = ()
        return self._inner.format(record)


def make_log_plain() -> None:
    """Drop the hidden messages, and make each other message one printable line.

    Call it when the log is set up. Warnings and errors begin with their level if the format of
    the log has no level, as in the log that Meltano sets up. On a terminal, messages have a short
    format, unless a log config sets another.
    """
    hidden = _HiddenMessages(HIDDEN_MESSAGES)
    shown = _HiddenMessages(HIDDEN_MESSAGES | SHOWN_MESSAGES)
    short = logging.Formatter(TERMINAL_FORMAT, TERMINAL_TIME, style="{")
    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    # A log config of the user may give handlers to any logger, and share one between several.
    handlers = {handler for logger in loggers for handler in getattr(logger, "handlers", ())}
    for handler in handlers:
        is_terminal = (
            isinstance(handler, logging.StreamHandler)
            and handler.stream.isatty()
            and LOG_CONFIG not in os.environ
        )
        handler.addFilter(shown if is_terminal else hidden)
        formatter = short if is_terminal else handler.formatter
        handler.setFormatter(_PlainFormatter(formatter or logging.Formatter()))
