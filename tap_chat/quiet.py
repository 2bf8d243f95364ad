"""The log of a command: no lines that tell a user nothing, and no line that is not one."""

from __future__ import annotations

import logging
import sys

from tap_chat.escapes import shown

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

UNSAID = frozenset(
    {
        # Said of settings that did come from the environment, too.
        "Skipping parse of env var settings...",
        "Parsing env var for settings config...",
        # After the sentences that say what is wrong with it.
        "Config validation failed",
        # Before the sentence that says what happened.
        "An unhandled error occurred while syncing '%s'",
    }
)


#: The logger of Python's warnings, which have several lines.
WARNINGS = "py.warnings"


class _Plain(logging.Filter):
    @override
    def filter(self, record: logging.LogRecord) -> bool:
        if record.msg in UNSAID:
            return False
        if record.levelno > logging.DEBUG and record.name != WARNINGS:
            # A name of a stream or field can neither forge a line nor move a terminal's cursor.
            record.msg, record.args = shown(record.getMessage()), ()
        return True


_plain = _Plain()


def keep_log_plain() -> None:
    """Leave these lines out, and make one printable line of each message, whoever logs it.

    It is called when the log is set up.
    """
    for handler in logging.getLogger().handlers:
        handler.addFilter(_plain)
