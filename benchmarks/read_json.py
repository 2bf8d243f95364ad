"""The limit for bridge_speed.py: DuckDB reads a file of Singer messages itself, without dlt.

Usage: `read_json.py <input> <folder>`. The output is that of bridge_variants.py.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import duckdb

# The types of the SCHEMA in SQL, as exact as DuckDB can read them: decimals go through doubles.
_SQL = """
    create table bench.messages as
    select unnest(record) from read_json(
        $path, format = 'newline_delimited', columns = {
            type: 'VARCHAR',
            record: 'STRUCT(
                id VARCHAR, conversation_id VARCHAR, created_at TIMESTAMPTZ,
                updated_at TIMESTAMPTZ, seq BIGINT, score DECIMAL(38, 9), "text" VARCHAR,
                author JSON, tags JSON, is_read BOOLEAN, is_bot BOOLEAN, parent_id VARCHAR)'
        }
    ) where type = 'RECORD'
"""


def main() -> None:
    """Load the file, and print the seconds."""
    source, folder = Path(sys.argv[1]), Path(sys.argv[2])
    start = time.perf_counter()
    with duckdb.connect(str(folder / "warehouse.duckdb")) as database:
        database.execute("create schema bench")
        database.execute(_SQL, {"path": str(source)})
    print(json.dumps({"seconds": time.perf_counter() - start}))


if __name__ == "__main__":
    main()
