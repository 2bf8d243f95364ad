"""Keeps dlt from warning of what the bridge means to do, and commands from printing tracebacks."""

from __future__ import annotations

import logging
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from typing_extensions import override

from dlt_bridge.arrow.decoder import SEQUENCE
from dlt_bridge.escapes import shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


#: Warnings of dlt that ask for nothing of the user: of a file format that the bridge wishes for,
#: where dlt has a worse one; of columns without a value; and of what is refused by a sentence.
_ASKING_NOTHING = re.compile(
    r"parquet file format was requested for table .* but ADBC driver"
    r"|The configured value `parquet` for `loader_file_format` is not supported for table"
    r"|This will degrade performance"
    r"|did not receive any data during this load"
    r"|with NOT NULL are being added to existing table"
    r"|You are adding a root_key in column"
    r"|Due to normalization dataset name got changed from '.*_staging(_\w+)?' to"
)
#: What dlt says again and again, so that once is enough.
_ONCE = "Due to normalization dataset name got changed"
#: What dlt logs of a load that fails. What went wrong is said in the end.
_FAILING = re.compile(
    r"(Terminal|Transient) exception in job |Job for .* failed terminally"
    r"|Package .* was not fully loaded"
)


class _Meant(logging.Filter):
    """Keeps dlt from warning of what is meant, and from saying one thing many times.

    The hint of a column may be another than what Arrow says, and versions may be told apart that
    are known to be the only ones.

    Attributes:
        resources: Those of the bridge, of which the warning of hints is not heard.
    """

    def __init__(self) -> None:
        super().__init__()
        self.resources: set[str] = set()
        self._said: set[str] = set()

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if _ASKING_NOTHING.search(text) or text in self._said:
            return False
        if text.startswith(_ONCE):
            self._said.add(text)
        resource = text.removeprefix("In resource: ").partition(", when merging arrow schema")[0]
        different = "several column hints were different" in text and resource in self.resources
        sorted_out = SEQUENCE in text and "declared as already deduplicated" in text
        # Of a format that is chosen for what a value or a user asks for.
        slower = "native writer could not be found" in text
        return not different and not sorted_out and not slower


_meant = _Meant()


def expect_meant_hints(resources: Iterable[str]) -> None:
    """Let dlt not warn of columns whose hints are meant, in these resources."""
    _meant.resources.update(resources)
    logging.getLogger("dlt").addFilter(_meant)


class _OneLine(logging.Filter):
    """Keeps tracebacks, and what a database says of rows, out of dlt's log."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage().partition("Traceback (most recent call last)")[0]
        record.msg = shown(text.partition(" with message ")[0].partition("\n")[0].rstrip())
        record.args = ()
        record.exc_info = record.exc_text = None
        return not _FAILING.match(str(record.msg))


@contextmanager
def one_line_logs() -> Iterator[None]:
    """Let dlt log each thing in one line: what went wrong is said in the end, in a sentence."""
    dlt_logger, lines = logging.getLogger("dlt"), _OneLine()
    dlt_logger.addFilter(_meant)
    dlt_logger.addFilter(lines)
    try:
        yield
    finally:
        dlt_logger.removeFilter(lines)
