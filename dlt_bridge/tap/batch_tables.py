"""Files of BATCH messages that have columns: Parquet, and both of Arrow's IPC formats.

A file is read as what it is, whatever its message says: the SDK writes Arrow's file format
(https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format), other taps its streams.
"""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Iterator

#: How many rows are read at once.
ROWS = 20_000

_PARQUET = b"PAR1"
_ARROW_FILE = b"ARROW1"


def read_tables(file: IO[bytes]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a file, at most `ROWS` at once.

    Args:
        file: The file, at its beginning.

    Raises:
        pa.ArrowException: It has none of these formats, or is damaged.
    """
    magic = file.read(len(_ARROW_FILE))
    file.seek(0)
    if magic.startswith(_PARQUET):
        batches = pq.ParquetFile(file).iter_batches(ROWS)
    elif magic == _ARROW_FILE:
        reader = pa.ipc.open_file(file)
        batches = map(reader.get_batch, range(reader.num_record_batches))
    else:
        batches = iter(pa.ipc.open_stream(file))
    for batch in batches:
        # Damaged offsets would make Arrow read memory that is not its own.
        batch.validate(full=True)
        for start in range(0, batch.num_rows, ROWS):
            yield batch.slice(start, ROWS)
