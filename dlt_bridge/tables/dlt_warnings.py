"""Filters warnings of dlt about what the bridge does on purpose."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

from typing_extensions import override

from dlt_bridge.arrow.metadata_columns import SEQUENCE

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Warnings that ask nothing of the user: about a file format that the bridge asks for and dlt can't
#: write; about columns without a value; and about what the bridge refuses in a sentence.
_HARMLESS = re.compile(
    r"parquet file format was requested for table .* but ADBC driver"
    r"|The configured value `parquet` for `loader_file_format` is not supported for table"
    r"|This will degrade performance"
    r"|did not receive any data during this load"
    r"|with NOT NULL are being added to existing table"
    r"|You are adding a root_key in column"
    r"|Due to normalization dataset name got changed from '.*_staging(_\w+)?' to"
)
#: A warning that dlt repeats; it is shown once.
_ONCE = "Due to normalization dataset name got changed"


class ExpectedWarnings(logging.Filter):
    """Drops warnings about what the bridge does on purpose, and repeated warnings.

    The hint of a column may differ from its Arrow type, and a package that has each key once may
    have a sort order.

    Attributes:
        resources: The resources of the bridge, for which warnings about hints are dropped.
    """

    def __init__(self) -> None:
        super().__init__()
        self.resources: set[str] = set()
        self._shown: set[str] = set()

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if _HARMLESS.search(text) or text in self._shown:
            return False
        if text.startswith(_ONCE):
            self._shown.add(text)
        resource = text.removeprefix("In resource: ").partition(", when merging arrow schema")[0]
        is_hint = "several column hints were different" in text and resource in self.resources
        is_deduplicated = SEQUENCE in text and "declared as already deduplicated" in text
        # The format is chosen for a value, or by the user.
        is_slower = "native writer could not be found" in text
        return not is_hint and not is_deduplicated and not is_slower


expected_warnings = ExpectedWarnings()


def filter_warnings(resources: Iterable[str]) -> None:
    """Drop warnings about hints of these resources, and repeated warnings, from now on."""
    expected_warnings.resources.update(resources)
    logging.getLogger("dlt").addFilter(expected_warnings)
