"""The log of a command: no lines that tell a user nothing, and no line that is not one."""

from __future__ import annotations

import logging
from copy import copy

from typing_extensions import override

from tap_chat.escapes import shown

UNSAID = frozenset(
    {
        # Said of settings that did come from the environment, too.
        "Skipping parse of env var settings...",
        "Parsing env var for settings config...",
        "Added '%s' as child stream to '%s'",
        # Of what the SDK's bookmarks can do; those of tap-chat go on where a run was stopped.
        "Stream is assumed to be unsorted, progress is not resumable if interrupted",
        # After the sentences that say what is wrong with it.
        "Config validation failed",
        # Before the sentence that says what happened.
        "An unhandled error occurred while syncing '%s'",
    }
)


#: The logger of Python's warnings, which have several lines.
WARNINGS = "py.warnings"


class _Unsaid(logging.Filter):
    """Leaves these lines out."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        return record.msg not in UNSAID


class _Plain(logging.Formatter):
    """Formats messages in one printable line each.

    A name of a stream or field can neither forge a line nor move the cursor of a terminal.

    Args:
        inner: Formats what is printable.
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
            record.msg = ("" if self._has_level else level) + shown(record.getMessage())
            record.args = ()
        return self._inner.format(record)


def keep_log_plain() -> None:
    """Leave lines that tell nothing out, and make one printable line of each other.

    Warnings and errors begin with their level where the log has none, as that which Meltano sets
    up. It is called when the log is set up.
    """
    unsaid = _Unsaid()
    loggers = [logging.getLogger(), *logging.Logger.manager.loggerDict.values()]
    # A log config of the user may give any logger handlers, and one handler to several.
    handlers = {handler for logger in loggers for handler in getattr(logger, "handlers", ())}
    for handler in handlers:
        handler.addFilter(unsaid)
        handler.setFormatter(_Plain(handler.formatter or logging.Formatter()))
