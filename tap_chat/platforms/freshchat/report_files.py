"""The files of Freshchat's raw reports: CSV, in a ZIP or alone.

A file is written to a temporary file without a name until it is read, so memory does not grow.
"""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_chat.http.responses import Response

#: Bytes of a file that are held in memory; a larger one is on disk until it is read.
HELD_BYTES = 4 * 1024 * 1024

#: The first bytes of a file tell its format.
ZIP, GZIP = b"PK", b"\x1f\x8b"

#: Characters of the longest cell.
csv.field_size_limit(2**31 - 1)


class FileError(Exception):
    """A file can't be read.

    Args:
        predicate: What is wrong, as the predicate of a sentence about its request.
    """

    def __init__(self, predicate: str) -> None:
        super().__init__(predicate)
        self.predicate = predicate


def spool(response: Response) -> IO[bytes]:
    """Write the body of a response to a temporary file.

    Args:
        response: The response, whose body is whole or has a rest.

    Returns:
        The file, at its start.

    Raises:
        ValueError: It is a ZIP without its end.
    """
    file = cast("IO[bytes]", SpooledTemporaryFile(HELD_BYTES))  # noqa: SIM115 - the caller does
    file.write(response.body)
    for chunk in response.rest or ():
        file.write(chunk)
    file.seek(0)
    if file.read(len(ZIP)) == ZIP and not zipfile.is_zipfile(file):
        file.close()
        raise ValueError
    file.seek(0)
    return file


def csv_files(file: IO[bytes]) -> Iterator[Iterator[list[str]]]:
    """Read the CSV files in a file.

    Args:
        file: The file: a ZIP, gzip or CSV.

    Yields:
        The rows of each CSV file, the header first. Reading them raises a `FileError` if the file
        is damaged or is not CSV.
    """
    start = file.read(len(ZIP))
    file.seek(0)
    if start != ZIP:
        yield _rows(
            cast("IO[bytes]", gzip.GzipFile(fileobj=file, mode="rb")) if start == GZIP else file
        )
        return
    with zipfile.ZipFile(file) as archive:
        for entry in archive.infolist():
            # macOS adds files of its own to a ZIP.
            if not entry.is_dir() and not entry.filename.startswith("__MACOSX/"):
                with archive.open(entry) as member:
                    yield _rows(member)


def _rows(file: IO[bytes]) -> Iterator[list[str]]:
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")
    try:
        # Strict, as a quote that is not closed would hide all rows after it.
        yield from csv.reader(text, strict=True)
    except UnicodeDecodeError:
        predicate = "returned a file that is not UTF-8"
    except csv.Error:
        predicate = "returned a file that is not valid CSV"
    except (zipfile.BadZipFile, EOFError, OSError):
        predicate = "returned a file that is damaged"
    else:
        return
    raise FileError(predicate)
