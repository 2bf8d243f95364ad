"""Keeps dlt from warning of what the bridge means to do, and commands from printing tracebacks."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dlt_bridge.arrow import SEQUENCE
from tap_chat.escapes import shown

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class _MeantHints(logging.Filter):
    """Keeps dlt from warning of hints that are meant.

    The hint of a column may be another than what Arrow says, and versions may be told apart that
    are known to be the only ones.

    Attributes:
        resources: Those of the bridge, of which the warning is not heard.
    """

    def __init__(self) -> None:
        super().__init__()
        self.resources: set[str] = set()

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        resource = text.removeprefix("In resource: ").partition(", when merging arrow schema")[0]
        different = "several column hints were different" in text and resource in self.resources
        sorted_out = SEQUENCE in text and "declared as already deduplicated" in text
        # Of a format that is chosen for what a value or a user asks for.
        slower = "native writer could not be found" in text
        return not different and not sorted_out and not slower


_meant_hints = _MeantHints()


def expect_meant_hints(resources: Iterable[str]) -> None:
    """Let dlt not warn of columns whose hints are meant, in these resources."""
    _meant_hints.resources.update(resources)
    logging.getLogger("dlt").addFilter(_meant_hints)


class _OneLine(logging.Filter):
    """Keeps tracebacks, and what a database says of rows, out of dlt's log."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage().partition("Traceback (most recent call last)")[0]
        record.msg = shown(text.partition(" with message ")[0].partition("\n")[0].rstrip())
        record.args = ()
        record.exc_info = record.exc_text = None
        return True


@contextmanager
def one_line_logs() -> Iterator[None]:
    """Let dlt log each thing in one line: what went wrong is said in the end, in a sentence."""
    dlt_logger, lines = logging.getLogger("dlt"), _OneLine()
    dlt_logger.addFilter(lines)
    try:
        yield
    finally:
        dlt_logger.removeFilter(lines)
