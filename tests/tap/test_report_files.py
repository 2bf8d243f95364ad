"""The files of Freshchat's reports: formats, columns and times, and no more memory than a part."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zipfile
from typing import Any

import pytest

from tap_chat.http.responses import Response
from tap_chat.platforms.freshchat import report_files
from tap_chat.platforms.freshchat.report_columns import (
    ReportColumns,
    digest_of,
    read_number,
    read_time,
)
from tap_chat.platforms.freshchat.report_files import FileError, csv_files, spool

COLUMNS = ReportColumns(
    names=("id", "created_at", "value"),
    time="created_at",
    required=("id",),
    aliases={"value": ("rating", "csat_score")},
)


def rows_of(body: bytes) -> list[list[list[str]]]:
    with spool(Response(200, {}, body)) as file:
        return [list(rows) for rows in csv_files(file)]


def with_bytes(body: bytes, start: int, patch: bytes) -> bytes:
    return body[:start] + patch + body[start + len(patch) :]


def zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, body in files.items():
            archive.writestr(name, body)
    return packed.getvalue()


def record(header: list[str], *cells: str) -> dict[str, Any]:
    return COLUMNS.record(COLUMNS.header(header), cells)


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lambda body: zipped({"a": body})])
def test_file_may_have_any_format(pack: Any) -> None:
    body = '\ufeffid,text\r\n1,"a\n""b"""\r\n\r\n2,日本\r\n'.encode()
    assert rows_of(pack(body)) == [[["id", "text"], ["1", 'a\n"b"'], [], ["2", "日本"]]]


def test_zip_may_have_several_files_or_none() -> None:
    packed = zipped({"a": b"id\n1\n", "__MACOSX/a": b"x", "b/": b"", "b/c": b"id\n2\n"})
    assert rows_of(packed) == [[["id"], ["1"]], [["id"], ["2"]]]
    assert rows_of(zipped({})) == []
    assert rows_of(b"") == [[]]
    assert rows_of(b"PKEY\n1\n") == [[["PKEY"], ["1"]]]


LETTERS = b"id\n" + bytes(range(65, 91)) * 50
ZIPPED = zipped({"a": LETTERS})
DIRECTORY = ZIPPED.find(b"PK\x01\x02")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'id\n"1', "not valid CSV"),
        (b"id\n\xff", "not UTF-8"),
        (gzip.compress(b"id\n1\n", mtime=0)[:-6], "damaged"),
        (with_bytes(gzip.compress(LETTERS, mtime=0), 20, b"\xff" * 10), "damaged"),
        # A ZIP has a content, a header for each file, and a directory.
        (with_bytes(ZIPPED, 40, b"\xff" * 10), "damaged"),
        (with_bytes(ZIPPED, 26, b"\xff"), "damaged"),
        (with_bytes(ZIPPED, DIRECTORY, b"PX"), "damaged"),
        # A password, and a compression that Python does not know.
        (with_bytes(ZIPPED, DIRECTORY + 8, b"\x01"), "damaged"),
        (with_bytes(ZIPPED, DIRECTORY + 10, b"\x09"), "damaged"),
        (zipped({"a.zip": ZIPPED}), "not UTF-8"),
        ("id\n1\n".encode("utf-16"), "not UTF-8"),
    ],
)
def test_damaged_file_is_an_error(body: bytes, words: str) -> None:
    with pytest.raises(FileError) as error:
        rows_of(body)
    assert words in error.value.predicate


def test_zip_without_its_end_is_requested_again() -> None:
    with pytest.raises(ValueError, match=r"^$"):
        spool(Response(200, {}, zipped({"a": b"id\n1\n"})[:-5]))


def test_memory_does_not_grow_with_the_file() -> None:
    line = b"1," + b"x" * 500 + b"\n"
    packed = zipped({"a": b"id,text\n" + line * 20_000})
    assert len(packed) < 1024 * 1024
    tracemalloc.start()
    with spool(Response(200, {}, packed)) as file:
        [count] = [sum(1 for _ in rows) for rows in csv_files(file)]
        _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 20_001
    assert peak < 5 * 1024 * 1024


@pytest.mark.parametrize("line", [b"x" * 99, b'"","\n",'])
def test_row_that_does_not_fit_in_memory_is_an_error(
    line: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_files, "LONGEST_ROW", 100_000)
    assert len(rows_of(b"id\n" + b"1\n" * 60_000)[0]) == 60_001
    tracemalloc.start()
    with pytest.raises(FileError, match="not valid CSV"):
        rows_of(zipped({"a": b"id\n" + line * 100_000}))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 * 1024 * 1024


def test_columns_are_found_by_other_names_and_others_are_kept() -> None:
    assert record(["ID", "Rating"], "1", "5") == {"id": "1", "value": "5"}
    assert record(["id", "value", "rating"], "1", "5", "") == {"id": "1", "value": "5"}
    both = record(["id", "rating", "csat_score", "New one"], "1", "5", "6", "x", "y")
    assert both == {
        "id": "1",
        "value": "5",
        "other_columns": {"csat_score": "6", "New one": "x", "column 5": "y"},
    }
    assert record(["id", "x", "x"], "1", "a", "b")["other_columns"] == {"x": "a", "x 2": "b"}
    assert record(["id", "id", "value"], "1", "2", "3") == {
        "id": "1",
        "value": "3",
        "other_columns": {"id 2": "2"},
    }
    assert record(["id", "createdAt"], "1", "") == {"id": "1", "created_at": None}
    assert COLUMNS.missing(COLUMNS.header(["key"])) == ["id"]


@pytest.mark.parametrize(
    ("cell", "time"),
    [
        ("2026-01-31 12:00:00.0", "2026-01-31T12:00:00.000Z"),
        ("2026-01-31 12:00:00.123", "2026-01-31T12:00:00.123Z"),
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000Z"),
        ("2026-01-31T17:30:00.123456+05:30", "2026-01-31T12:00:00.123456Z"),
        ("2026-01-31 12:00:00 UTC", "2026-01-31T12:00:00.000Z"),
        ("1769860800000", "2026-01-31T12:00:00.000Z"),
        ("31/01/2026 12:00", None),
        ("\u00b2", None),
        ("9" * 5000, None),
    ],
)
def test_time_is_iso_8601_or_kept_as_it_is(cell: str, time: str | None) -> None:
    assert read_time(cell) == time
    row = record(["id", "created_at"], "1", cell)
    assert row["created_at"] == time
    assert row.get("other_columns") == (None if time else {"created_at": cell})


def test_id_tells_rows_apart_even_if_their_time_cannot_be_read() -> None:
    rows = [record(["id", "created_at"], "1", cell) for cell in ("noon", "midnight")]
    assert len({digest_of("e", row, ("id", "created_at")) for row in rows}) == 2


@pytest.mark.parametrize(
    ("cell", "number"),
    [("4", 4), ("4.5", 4.5), ("-1", -1), ("good", None), ("9" * 5000, None), (None, None)],
)
def test_rating_is_a_number_if_it_is_one(cell: str | None, number: float | None) -> None:
    assert read_number(cell) == number
