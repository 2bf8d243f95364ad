"""The columns with the times of records: which of them a table has, and their types."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import dlt

from dlt_bridge.arrow.metadata_columns import TIMES
from dlt_bridge.arrow.types import ColumnType
from dlt_bridge.tables import layout
from dlt_bridge.tables.column_names import folded

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dlt_bridge.arrow.columns import Column

_TIMESTAMP = ColumnType("timestamp")

logger = logging.getLogger(__name__)


def time_names(properties: Iterable[Column]) -> list[str]:
    """Return the names of the columns with times. A property of such a name has its own column.

    Args:
        properties: The columns of the properties.
    """
    normalize = dlt.current.source_schema().naming.normalize_path
    taken = {folded(normalize(column.name)) for column in properties}
    return [name for name in TIMES if folded(normalize(name)) not in taken]


def time_columns(
    stream: str, table: str, resource: str, names: Sequence[str]
) -> dict[str, ColumnType]:
    """Return the types of the columns with times, by name, and add them to an existing table.

    A schema contract is about what the tap sends, so it does not concern them.

    Args:
        stream: The stream, for warnings.
        table: The name of its table.
        resource: The name of the table's resource.
        names: What `time_names` returned.
    """
    normalize = dlt.current.source_schema().naming.normalize_path
    stored = layout.stored_columns(table)
    types: dict[str, ColumnType] = {}
    for name in names:
        column_type = layout.type_of(stored.get(normalize(name), {})) or _TIMESTAMP
        if column_type.data_type == "timestamp":
            types[name] = column_type
        else:
            logger.warning(
                "Stream %s: the column `%s` of its table `%s` holds %s, and no times. It stays"
                " empty in new rows.",
                *(stream, name, table, column_type.text),
            )
    if any(column.get("data_type") for column in stored.values()):
        hint = {"data_type": "timestamp", "nullable": True}
        new = dict.fromkeys((name for name in types if normalize(name) not in stored), hint)
        layout.add_columns(table, resource, new)
    return types
