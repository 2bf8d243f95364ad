"""Which values need INSERT statements, because dlt's CSV files for PostgreSQL change them.

With dlt 1.31, an empty text becomes NULL there, and bytes are read as text. INSERT statements are
exact, and several times slower. `dlt_bridge.postgres` needs neither.
"""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from dlt_bridge.arrow.metadata_columns import TIMES

CSV = "csv"
VALUES = "insert_values"
PARQUET = "parquet"


def needs_insert_values(table: pa.Table) -> bool:
    """Return whether rows have a value that a CSV file would change."""
    for field, column in zip(table.schema, table.columns, strict=True):
        if pa.types.is_binary(field.type) and column.null_count < len(column):
            return True
        if pa.types.is_string(field.type) and pc.any(pc.equal(column, "")).as_py():
            return True
    return False


def to_insert_values(table: pa.Table) -> pa.Table:
    """Return rows for INSERT statements, with doubles and timestamps as texts.

    dlt turns all other values into Python's. It would write NaN as the name of a column, and Python
    has no year 10,000. The database converts the texts to the types of its columns. The times of
    the load metadata stay as they are: rows that come without this conversion have them, too.
    """
    for index, field in enumerate(table.schema):
        if field.name in TIMES:
            continue
        if pa.types.is_floating(field.type) or pa.types.is_timestamp(field.type):
            texts = table.column(index).cast(pa.string())
            table = table.set_column(index, field.with_type(pa.string()), texts)
    return table
