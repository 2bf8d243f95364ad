"""Keeps dlt's log to one line for each event."""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from typing_extensions import override

from dlt_bridge.tables.dlt_warnings import meant
from tap_chat.escapes import printable

if TYPE_CHECKING:
    from collections.abc import Iterator


#: What dlt logs of a load that fails. What went wrong is said in the end.
_FAILING = re.compile(
    r"(Terminal|Transient) exception in job |Job for .* failed terminally"
    r"|Package .* was not fully loaded"
)


class _OneLine(logging.Filter):
    """Keeps tracebacks, and what a database says of rows, out of dlt's log."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage().partition("Traceback (most recent call last)")[0]
        record.msg = printable(text.partition(" with message ")[0].partition("\n")[0].rstrip())
        record.args = ()
        record.exc_info = record.exc_text = None
        return not _FAILING.match(str(record.msg))


@contextmanager
def one_line_logs() -> Iterator[None]:
    """Let dlt log each thing in one line: what went wrong is said in the end, in a sentence."""
    dlt_logger, lines = logging.getLogger("dlt"), _OneLine()
    dlt_logger.addFilter(meant)
    dlt_logger.addFilter(lines)
    try:
        yield
    finally:
        dlt_logger.removeFilter(lines)
