"""Warnings of dlt that are not for the user: those of what the bridge means to do."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from typing_extensions import override

from dlt_bridge.arrow.metadata_columns import SEQUENCE

if TYPE_CHECKING:
    from collections.abc import Iterable

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


class MeantWarnings(logging.Filter):
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


meant = MeantWarnings()


def expect_meant_hints(resources: Iterable[str]) -> None:
    """Let dlt not warn of columns whose hints are meant, in these resources."""
    meant.resources.update(resources)
    logging.getLogger("dlt").addFilter(meant)
