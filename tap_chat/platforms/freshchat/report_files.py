"""The files of Freshchat's raw reports: CSV, in a ZIP or alone.

A file is written to a temporary file without a name until it is read, so memory does not grow.
"""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
import zlib
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_chat.http.responses import Response

#: Bytes of a file that are held in memory; a larger one is on disk until it is read.
HELD_BYTES = 4 * 1024 * 1024

#: The first bytes of a file tell its format.
ZIPS, GZIP = (b"PK\x03\x04", b"PK\x05\x06"), b"\x1f\x8b"
START_BYTES = 4
#: The end of a ZIP: its signature and its bytes. A comment follows, whose length is in the last two
#: of them. https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT (4.3.16)
ZIP_END, ZIP_END_BYTES, LONGEST_COMMENT = b"PK\x05\x06", 22, 0xFFFF

#: Characters of the longest row: a small ZIP may hold a row that does not fit in memory.
LONGEST_ROW = 16 * 1024 * 1024
csv.field_size_limit(LONGEST_ROW)

#: The errors of modules that unpack files: damage, a password, an unknown compression.
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError)


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
    if file.read(START_BYTES) in ZIPS and not _has_zip_end(file):
        file.close()
        raise ValueError
    file.seek(0)
    return file


def _has_zip_end(file: IO[bytes]) -> bool:
    """Return whether a ZIP was not cut off. `zipfile.is_zipfile` checks more in Python 3.14."""
    file.seek(max(0, file.seek(0, io.SEEK_END) - ZIP_END_BYTES - LONGEST_COMMENT))
    last = file.read()
    start = last.rfind(ZIP_END)
    if start < 0:
        return False
    end = start + ZIP_END_BYTES
    return len(last) >= end + int.from_bytes(last[end - 2 : end], "little")


def csv_files(file: IO[bytes]) -> Iterator[Iterator[list[str]]]:
    """Read the CSV files in a file.

    Args:
        file: The file: a ZIP, gzip or CSV.

    Yields:
        The rows of each CSV file, the header first. Reading them raises a `FileError`, too.

    Raises:
        FileError: The file is damaged or is not CSV.
    """
    start = file.read(START_BYTES)
    file.seek(0)
    if start not in ZIPS:
        is_gzip = start.startswith(GZIP)
        yield _rows(cast("IO[bytes]", gzip.GzipFile(fileobj=file, mode="rb")) if is_gzip else file)
        return
    try:
        with zipfile.ZipFile(file) as archive:
            for entry in archive.infolist():
                # macOS adds files of its own to a ZIP.
                if not entry.is_dir() and not entry.filename.startswith("__MACOSX/"):
                    with archive.open(entry) as member:
                        yield _rows(member)
    except DAMAGE:
        pass
    else:
        return
    raise FileError("returned a file that is damaged")


def _rows(file: IO[bytes]) -> Iterator[list[str]]:
    lines = _Lines(io.TextIOWrapper(file, "utf-8-sig", newline=""))
    try:
        # Strict, as a quote that is not closed would hide all rows after it.
        for row in csv.reader(lines, strict=True):
            lines.length = 0
            yield row
    except UnicodeDecodeError:
        predicate = "returned a file that is not UTF-8"
    except csv.Error:
        predicate = "returned a file that is not valid CSV"
    except DAMAGE:
        predicate = "returned a file that is damaged"
    else:
        return
    raise FileError(predicate)


class _Lines:
    """The lines of a text. It counts the characters of a row, which may have several lines."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self.length = 0

    def __iter__(self) -> Iterator[str]:
        while line := self._text.readline(LONGEST_ROW - self.length + 1):
            self.length += len(line)
            if self.length > LONGEST_ROW:
                raise csv.Error
            yield line
