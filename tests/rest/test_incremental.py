"""Runs of a declared list with `incremental`: the next ones read what is new, and lose nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest
from rest.feed import rows_of, same

if TYPE_CHECKING:
    from rest.feed import Reader

SINCE = {"cursor_path": "at", "start_param": "since"}

#: Values of a cursor in their order, as different APIs write them.
KINDS: dict[str, list[Any]] = {
    "epoch": [1700000000 + number for number in range(40)],
    "epoch in ms": [1700000000000 + number for number in range(40)],
    "small numbers": list(range(1, 41)),
    "fractions": [number / 10 for number in range(40)],
    "UTC": [f"2026-01-01T00:00:{number:02}Z" for number in range(40)],
    "milliseconds": [f"2026-01-01T00:00:00.{number:03}Z" for number in range(40)],
    "space": [f"2026-01-01 00:00:{number:02}" for number in range(40)],
    "dates": [f"2026-{1 + number // 28:02}-{1 + number % 28:02}" for number in range(40)],
    "offsets": [
        # The later half looks earlier.
        f"2026-01-01T{14 if number < 20 else 12}:00:{number:02}+0{2 if number < 20 else 0}:00"
        for number in range(40)
    ],
    "digits": [str(number) for number in range(85, 125)],
    "texts": [f"01ARZ{number:02}" for number in range(40)],
}

#: What servers do with `since`: they include what is at it, leave that out, or do not know it.
FILTERS: tuple[Literal["before", "at", "nothing"], ...] = ("before", "at", "nothing")


@pytest.mark.parametrize("kind", KINDS)
def test_next_run_reads_what_is_new(reader: Reader, kind: str) -> None:
    values, feed = KINDS[kind], reader.feed
    feed.rows = rows_of(values[:25])
    assert same(reader.rows(SINCE), feed.rows)
    assert set(feed.since) == {None}
    assert reader.bookmark == values[24]
    feed.rows += rows_of(values[25:], 25)
    assert same(reader.rows(SINCE), feed.rows[24:])
    assert feed.since[-1]
    assert reader.bookmark == values[39]
    assert same(reader.rows(SINCE), feed.rows[39:])
    assert reader.bookmark == values[39]


@pytest.mark.parametrize("kind", ["epoch", "UTC", "milliseconds", "dates", "offsets", "digits"])
@pytest.mark.parametrize("filters", FILTERS)
def test_records_at_the_bookmark_are_read_whatever_the_filter_does(
    reader: Reader, kind: str, filters: Literal["before", "at", "nothing"]
) -> None:
    """A record that is added later may have the value of the bookmark."""
    values, feed = KINDS[kind], reader.feed
    feed.filters = filters
    feed.rows = rows_of(values[:25])
    first = reader.rows(SINCE)
    late = {"id": "late", "at": values[24]}
    feed.rows += [late, *rows_of(values[25:30], 25)]
    second = reader.rows(SINCE)
    assert late in second
    assert same(first + second, [*feed.rows, feed.rows[24]])


@pytest.mark.parametrize("filters", FILTERS)
def test_changed_records_are_read_again(
    reader: Reader, filters: Literal["before", "at", "nothing"]
) -> None:
    values, feed = KINDS["UTC"], reader.feed
    feed.filters = filters
    feed.rows = rows_of(values[:25])
    table = {row["id"]: row for row in reader.rows(SINCE)}
    for number, at in ((24, values[24]), (3, values[30]), (7, values[31])):
        feed.rows[number] = feed.rows[number] | {"at": at, "text": "changed"}
        table |= {row["id"]: row for row in reader.rows(SINCE)}
        assert same(list(table.values()), feed.rows)


@pytest.mark.parametrize("filters", FILTERS)
def test_records_without_a_key_are_written_once(
    reader: Reader, filters: Literal["before", "at", "nothing"]
) -> None:
    """No loader could tell that a record came again."""
    values, feed = KINDS["UTC"], reader.feed
    feed.filters = filters
    feed.rows = rows_of([*values[:24], values[24], values[24]])
    found = reader.rows(SINCE, key=None)
    for added in ([], [values[24]], [values[24], values[25], values[25]], [values[25]], []):
        feed.rows += rows_of(added, len(feed.rows))
        found += reader.rows(SINCE, key=None)
        assert same(found, feed.rows)


def test_first_run_starts_at_the_initial_value(reader: Reader) -> None:
    values, feed = KINDS["UTC"], reader.feed
    feed.filters = "nothing"
    feed.rows = rows_of(values[:25])
    assert same(reader.rows(SINCE | {"initial_value": values[20]}), feed.rows[20:])
    assert feed.since[-1] == values[20]


@pytest.mark.parametrize("kind", ["UTC", "epoch", "epoch in ms"])
@pytest.mark.parametrize("initial", ["without", "with"])
def test_first_run_starts_at_the_start_date(
    reader: Reader,
    kind: str,
    initial: str,
) -> None:
    starts = {"UTC": "2026-01-01T00:00:20Z"}
    start_date = starts.get(kind, "2023-11-14T22:13:30Z")
    feed = reader.feed
    feed.rows = rows_of(KINDS[kind][:30])
    if kind == "epoch in ms":
        feed.rows = rows_of([1700000000000 + 1000 * number for number in range(30)])
    expected = feed.rows[20:] if kind == "UTC" else feed.rows[10:]
    first = {"initial_value": feed.rows[1]["at"]} if initial == "with" else {}
    found = reader.rows(SINCE | first, settings={"start_date": start_date})
    assert same(found, expected)
    assert (feed.since[-1] is not None) is (initial == "with")


@pytest.mark.parametrize(
    ("kind", "lag", "again"), [("epoch", 5, 6), ("UTC", 5, 6), ("dates", 5, 6), ("digits", 5, 6)]
)
def test_lag_reads_what_is_before_the_bookmark_again(
    reader: Reader, kind: str, lag: int, again: int
) -> None:
    feed = reader.feed
    feed.rows = rows_of(KINDS[kind][:25])
    reader.rows(SINCE | {"lag": lag})
    assert same(reader.rows(SINCE | {"lag": lag}), feed.rows[-again:])
    assert reader.bookmark == KINDS[kind][24]


@pytest.mark.parametrize(
    ("converter", "unit", "sent"),
    [
        ("epoch_s", "epoch_s", "1767225623"),
        ("date", "date", "2025-12-31"),
        ("iso", "value", "2026-01-01T00:00:23Z"),
    ],
)
@pytest.mark.parametrize("place", ["declaration", "additions"])
def test_converter_writes_the_time_as_the_api_takes_it(
    reader: Reader,
    converter: str,
    unit: Any,
    sent: str,
    place: str,
) -> None:
    values, feed = KINDS["UTC"], reader.feed
    feed.unit = unit
    feed.rows = rows_of(values[:25])
    incremental = SINCE if place == "additions" else SINCE | {"convert": converter}
    streams = {"rows": {"convert": converter}} if place == "additions" else {}
    reader.rows(incremental, streams=streams)
    feed.rows += rows_of(values[25:27], 25)
    assert same(reader.rows(incremental, streams=streams), feed.rows[24:])
    assert feed.since[-1] == sent


@pytest.mark.parametrize(
    "endpoint",
    [
        {"path": "since/{incremental.start_value}"},
        {"params": {"since": "{incremental.last_value}"}},
        {"headers": {"x-since": "{incremental.start_value}"}},
        {"params": {"since": {"type": "incremental", "cursor_path": "at", "initial_value": 1}}},
    ],
    ids=["path", "params", "headers", "type"],
)
def test_start_is_filled_in_where_the_request_says_so(
    reader: Reader, endpoint: dict[str, Any]
) -> None:
    feed = reader.feed
    feed.rows = rows_of(list(range(1, 26)))
    incremental: dict[str, Any] | None = {"cursor_path": "at", "initial_value": 1}
    if isinstance(endpoint.get("params", {}).get("since"), dict):
        incremental = None
    reader.rows(incremental, **endpoint)
    assert feed.since[-1] == "1"
    feed.rows += rows_of([26, 27], 25)
    assert same(reader.rows(incremental, **endpoint), feed.rows[24:])
    assert feed.since[-1] == "24"


@pytest.mark.parametrize("part", ["params", "headers", "json"])
def test_placeholder_without_a_value_is_an_error_that_says_what_to_do(
    reader: Reader, part: str
) -> None:
    """dlt sends the text `None`."""
    endpoint = {part: {"since": "{incremental.start_value}"}}
    run = reader.run({"cursor_path": "at"}, **endpoint)
    assert run.code == 1
    assert "`{incremental.start_value}` in a request of feed_rows has no value" in run.err
    assert reader.feed.asked == []


def test_end_value_reads_the_same_part_in_each_run(reader: Reader) -> None:
    feed = reader.feed
    feed.rows = rows_of(list(range(1, 41)))
    part = SINCE | {"initial_value": 11, "end_value": 21, "end_param": "until"}
    for _ in range(2):
        assert same(reader.rows(part), feed.rows[10:20])
        assert {query["until"] for _, query in feed.asked} == {"21"}
    assert same(reader.rows(part | {"range_end": "closed"}), feed.rows[10:21])
    assert same(reader.rows(part | {"range_start": "open"}), feed.rows[11:20])


@pytest.mark.parametrize(("choice", "expected"), [("include", [0, 1, 2, 3]), ("exclude", [0, 3])])
def test_records_without_a_cursor_are_included_or_excluded(
    reader: Reader, choice: str, expected: list[int]
) -> None:
    feed = reader.feed
    feed.rows = [{"id": "a", "at": 5}, {"id": "b", "at": None}, {"id": "c"}, {"id": "d", "at": 6}]
    found = reader.rows(SINCE | {"on_cursor_value_missing": choice})
    assert [row["id"] for row in found] == [feed.rows[number]["id"] for number in expected]
    assert reader.bookmark == 6


@pytest.mark.parametrize("row", [{"id": "b", "at": None}, {"id": "b"}])
def test_record_without_a_cursor_is_an_error_that_says_what_to_do(
    reader: Reader, row: dict[str, Any]
) -> None:
    reader.feed.rows = [{"id": "a", "at": 5}, row]
    run = reader.run(SINCE)
    assert run.code == 1
    assert "returned a record without its cursor `at`" in run.err
    assert "set `on_cursor_value_missing` to `include`" in run.err


@pytest.mark.parametrize(
    ("rows", "initial", "sentence"),
    [
        ([1, 2], "2026-01-01", "cursor `at` is a number, where the run starts or ends at a date"),
        (["a", "b"], 5, "cursor `at` is a text, where the run starts or ends at a number"),
        (["5", 7], None, "cursor `at` is a number, unlike that of others"),
        ([{"a": 1}], None, "cursor `at` is neither a number nor a text"),
        (["28.11.2026"], None, "cursor `at` is a time that is not in ISO 8601"),
        (["Sat, 28 Nov 2026 10:00:00 GMT"], None, "is a time that is not in ISO 8601"),
    ],
)
def test_values_of_two_types_are_an_error(
    reader: Reader, rows: list[Any], initial: Any, sentence: str
) -> None:
    reader.feed.rows = rows_of(rows)
    run = reader.run(SINCE | ({"initial_value": initial} if initial else {}))
    assert run.code == 1
    assert sentence in run.err


def test_faulty_date_times_are_written_and_counted(reader: Reader) -> None:
    reader.feed.rows = rows_of(["soon", *KINDS["UTC"][:5]])
    run = reader.run(SINCE)
    assert same(run.rows("feed_rows"), reader.feed.rows)
    assert "Records of feed_rows without a usable `at`: 1." in run.err
    assert reader.bookmark == KINDS["UTC"][4]


@pytest.mark.parametrize("path", ["meta.times.at", "$.meta.times.at", "meta['times'].at"])
def test_cursor_may_be_nested(reader: Reader, path: str) -> None:
    feed, nested = reader.feed, {"cursor_path": path}
    feed.rows = [{"id": f"r{at}", "meta": {"times": {"at": at}}} for at in range(1, 26)]
    assert same(reader.rows(nested), feed.rows)
    feed.rows += [{"id": "new", "meta": {"times": {"at": 26}}}]
    assert same(reader.rows(nested), feed.rows[24:])
    assert reader.bookmark == 26


def test_smaller_values_may_be_later(reader: Reader) -> None:
    feed, falling = reader.feed, {"cursor_path": "at", "last_value_func": "min"}
    feed.rows = rows_of(list(range(40, 15, -1)))
    assert same(reader.rows(falling), feed.rows)
    feed.rows += rows_of([15, 14], 25)
    assert same(reader.rows(falling), feed.rows[24:])
    assert reader.bookmark == 14
