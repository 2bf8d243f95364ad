"""Every recipe of docs/queries.md gives what Python computes from the records of the sandbox."""

from __future__ import annotations

import re
import runpy
import sys
from collections import Counter, defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb
import pytest
import queries
from sql_recipes.chats import Conversation, Message, chats_of

from tap_chat.sandbox import Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import date, datetime
    from pathlib import Path

    from postgres import PostgresServer
    from sql_recipes.chats import Chats

WORLD = World()
#: The rounding of a result.
ROUNDED = 0.0501

Item = TypeVar("Item", Conversation, Message)


@pytest.fixture(scope="module")
def served() -> Iterator[Sandbox]:
    with Sandbox(WORLD) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def chats() -> Chats:
    return chats_of(WORLD)


@pytest.fixture(scope="module")
def file(served: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("duckdb")
    file = str(folder / "chats.duckdb")
    queries.load(served, folder, "duckdb", file)
    return file


@pytest.fixture(scope="module", params=["duckdb", "postgres"])
def found(
    request: pytest.FixtureRequest,
    served: Sandbox,
    postgres: PostgresServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[dict[str, queries.Result]]:
    """The results of all recipes in a database."""
    if request.param == "duckdb":
        yield queries.results("duckdb", request.getfixturevalue("file"))
        return
    with postgres.database() as url:
        queries.load(served, tmp_path_factory.mktemp("postgres"), "postgres", url)
        yield queries.results("postgres", url)


def rows(found: dict[str, queries.Result], name: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in found[name][1]]


def quantile(values: Iterable[float], share: float) -> float:
    """Return a quantile, interpolated between the values around it."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * share
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def assert_close(found: Sequence[Sequence[Any]], expected: Sequence[Sequence[Any]]) -> None:
    """Compare rows whose last two values are rounded."""
    assert [tuple(row[:-2]) for row in found] == [tuple(row[:-2]) for row in expected]
    for row, right in zip(found, expected, strict=True):
        assert [float(value) for value in row[-2:]] == pytest.approx(right[-2:], abs=ROUNDED), row


def by_platform(items: Iterable[Item]) -> dict[str, list[Item]]:
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        groups[item.platform].append(item)
    return dict(sorted(groups.items()))


def day(time: datetime) -> date:
    return time.date()


def test_first_response(found: dict[str, queries.Result], chats: Chats) -> None:
    asked: dict[tuple[str, str], datetime] = {}
    replies: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    for message in chats.messages:
        if not message.shown or message.conversation is None:
            continue
        talk = (message.platform, message.conversation)
        if message.author == "customer":
            asked[talk] = min(message.created, asked.get(talk, message.created))
        if message.author == "agent":
            replies[talk].append(message.created)
    minutes: dict[str, list[float | None]] = defaultdict(list)
    for talk, time in asked.items():
        later = [reply for reply in replies[talk] if reply >= time]
        minutes[talk[0]].append((min(later) - time) / timedelta(minutes=1) if later else None)
    expected = []
    for platform, waits in sorted(minutes.items()):
        known = [wait for wait in waits if wait is not None]
        middle, late = quantile(known, 0.5), quantile(known, 0.9)
        expected.append((platform, len(waits), len(known), middle, late))
    assert len(expected) == 7
    assert_close(rows(found, "first_response"), expected)


def test_satisfaction(found: dict[str, queries.Result], chats: Chats) -> None:
    groups: dict[str, list[tuple[float, bool]]] = defaultdict(list)
    for platform, _, score, satisfied in chats.ratings:
        groups[platform].append((score, satisfied))
    expected = [
        (
            platform,
            len(given),
            sum(score for score, _ in given) / len(given),
            100 * sum(satisfied for _, satisfied in given) / len(given),
        )
        for platform, given in sorted(groups.items())
    ]
    assert len(expected) == 5
    assert_close(rows(found, "satisfaction"), expected)


def test_volume_by_day(found: dict[str, queries.Result], chats: Chats) -> None:
    counts = Counter(
        (item.platform, item.channel, day(item.created)) for item in chats.conversations
    )
    shown = {row[:3]: row[3] for row in rows(found, "volume_by_day")}
    assert shown == counts
    assert len({channel for _, channel, _ in counts}) > 10


def test_volume_by_hour(found: dict[str, queries.Result], chats: Chats) -> None:
    counts = Counter(
        (item.created.isoweekday(), item.created.hour)
        for item in chats.messages
        if item.author == "customer"
    )
    assert rows(found, "volume_by_hour") == [(*hour, counts[hour]) for hour in sorted(counts)]


def test_backlog(found: dict[str, queries.Result], chats: Chats) -> None:
    expected = []
    for platform, talks in by_platform(chats.conversations).items():
        opened = Counter(day(talk.created) for talk in talks)
        closed = Counter(day(talk.closed) for talk in talks if talk.closed)
        for date in sorted(opened | closed):
            # Count those that are open, instead of adding up changes.
            still_open = sum(
                day(talk.created) <= date and not (talk.closed and day(talk.closed) <= date)
                for talk in talks
            )
            expected.append((platform, date, opened[date], closed[date], still_open))
    assert rows(found, "backlog") == expected


def test_time_to_close(found: dict[str, queries.Result], chats: Chats) -> None:
    expected = []
    for platform, talks in by_platform(chats.conversations).items():
        hours = [(talk.closed - talk.created) / timedelta(hours=1) for talk in talks if talk.closed]
        middle, late = quantile(hours, 0.5), quantile(hours, 0.9)
        expected.append((platform, len(talks), len(hours), middle, late))
    assert_close(rows(found, "time_to_close"), expected)


def test_text_of_a_conversation(found: dict[str, queries.Result], chats: Chats) -> None:
    written = sorted(
        (message.created, message.id, message)
        for message in chats.messages
        if (message.platform, message.conversation) == ("dixa", "100014")
    )
    assert len(written) > 2
    assert rows(found, "conversation_text") == [
        (time.replace(tzinfo=None), message.author, message.who, message.text)
        for time, _, message in written
    ]


def test_times(found: dict[str, queries.Result], chats: Chats) -> None:
    assert rows(found, "times") == [
        (
            platform,
            len(messages),
            min(message.created for message in messages).replace(tzinfo=None),
            max(message.created for message in messages).replace(tzinfo=None),
        )
        for platform, messages in by_platform(chats.messages).items()
    ]


def test_workload(found: dict[str, queries.Result], chats: Chats) -> None:
    groups: dict[tuple[str, date, str | None], list[Message]] = defaultdict(list)
    for message in chats.messages:
        if message.author == "agent" and not message.deleted:
            monday = day(message.created) - timedelta(days=message.created.weekday())
            groups[message.platform, monday, message.who].append(message)
    expected = {
        group: (
            len({message.conversation for message in written}),
            sum(not message.private for message in written),
            sum(message.private for message in written),
        )
        for group, written in groups.items()
    }
    assert {row[:3]: row[3:] for row in rows(found, "workload")} == expected
    assert any(notes for _, _, notes in expected.values())


def test_reopened(found: dict[str, queries.Result], chats: Chats) -> None:
    platforms = {platform for platform, _ in chats.reopenings}
    times = Counter(chats.reopenings)
    expected = []
    for platform, talks in by_platform(chats.conversations).items():
        if platform in platforms:
            again = [times[platform, talk.id] for talk in talks if times[platform, talk.id]]
            share = 100 * len(again) / len(talks)
            expected.append((platform, len(talks), len(again), share, sum(again)))
    assert len(expected) == 4
    assert_close(
        [(*row[:3], row[3], row[4]) for row in rows(found, "reopened")],
        expected,
    )


def test_hidden_messages(found: dict[str, queries.Result], chats: Chats) -> None:
    expected = []
    for platform, messages in by_platform(chats.messages).items():
        shown = [message for message in messages if message.shown]
        expected.append(
            (
                platform,
                len(messages),
                sum(message.private for message in messages),
                sum(message.deleted for message in messages),
                len(shown),
                sum(message.text is None for message in shown),
            )
        )
    assert rows(found, "hidden") == expected
    assert sum(row[2] for row in expected) > 100
    assert sum(row[3] for row in expected) > 10


def all_of(file: str, query: str) -> Counter[tuple[Any, ...]]:
    """Return the rows of a query, and how often each occurs."""
    with duckdb.connect(file, read_only=True) as database:
        database.execute(f"set search_path = '{queries.DATASET}'")
        database.execute("set timezone = 'UTC'")
        return Counter(database.sql(query).fetchall())


def test_texts_of_all_messages(file: str, chats: Chats) -> None:
    query = "select platform, conversation_id, message_id, text from all_messages"
    assert all_of(file, query) == Counter(
        (message.platform, message.conversation, message.id, message.text)
        for message in chats.messages
    )


def test_states_of_all_conversations(file: str, chats: Chats) -> None:
    query = (
        "select platform, conversation_id, channel, status = 'open', created_at, closed_at"
        " from all_conversations"
    )
    assert all_of(file, query) == Counter(
        (talk.platform, talk.id, talk.channel, talk.is_open, talk.created, talk.closed)
        for talk in chats.conversations
    )


def test_all_ratings(file: str, chats: Chats) -> None:
    query = "select platform, conversation_id, score, satisfied from all_ratings"
    assert all_of(file, query) == Counter(chats.ratings)


def test_results_of_the_page_have_not_drifted(file: str) -> None:
    found = queries.results("duckdb", file)
    assert queries.PAGE.read_text() == queries.page(found), (
        "docs/queries.md is old: run `make queries`"
    )


def test_page_has_every_recipe() -> None:
    files = {path.stem for path in queries.FOLDER.glob("*.sql")}
    shown = re.findall(r"\.\./examples/queries/(\w+)\.sql", queries.PAGE.read_text())
    assert files == set(queries.RECIPES)
    assert shown == list(queries.RECIPES)


#: Half of a platform, without a column that no record has had.
PART = """
create schema part;
create table part.gorgias_satisfaction_surveys (id bigint, ticket_id bigint);
create table part.gorgias_messages as
select
    1 as id,
    2 as ticket_id,
    '2026-01-01T00:00:00+00:00' as created_datetime,
    true as from_agent,
    '{}'::json as sender,
    'hello' as stripped_text,
    null::varchar as body_text,
    true as public;
"""
OTHER = """
create table part.chat_messages as
select 'a' as id, 'b' as user_id, 'hi' as message, timestamptz '2026-01-01 00:00:00+00' as timestamp
"""


@pytest.fixture
def views(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., list[str]]:
    """Run create_views.py with a file and further arguments, and return what it prints."""

    def run(*arguments: str) -> list[str]:
        place = ("--credentials", str(tmp_path / "warehouse.duckdb"), "--dataset", "part")
        monkeypatch.setattr(sys, "argv", ["create_views.py", *place, *arguments])
        runpy.run_path(str(queries.FOLDER / "create_views.py"))["main"]()
        return capsys.readouterr().out.splitlines()

    return run


def test_views_are_those_of_existing_tables(
    tmp_path: Path, views: Callable[..., list[str]]
) -> None:
    with duckdb.connect(tmp_path / "warehouse.duckdb") as database:
        database.execute(PART)
    said = views()
    assert "created all_messages_gorgias" in said
    assert "created all_messages" in said
    assert "left out all_conversations_gorgias: there is no gorgias_tickets" in said
    assert "left out all_conversations: there is no view for it" in said
    assert "left out freshchat: none of its tables is there" in said
    assert not any("all_messages_freshchat" in line for line in said)
    (ratings,) = [line for line in said if line.startswith("left out all_ratings_gorgias: ")]
    assert "score" in ratings
    with duckdb.connect(tmp_path / "warehouse.duckdb") as database:
        assert database.sql("select text from part.all_messages").fetchall() == [("hello",)]
        database.execute(OTHER)
    assert "created all_messages" in views()
    with duckdb.connect(tmp_path / "warehouse.duckdb") as database:
        found = database.sql("select platform from part.all_messages order by 1").fetchall()
        assert found == [("chat",), ("gorgias",)]


def test_views_are_dropped(tmp_path: Path, views: Callable[..., list[str]]) -> None:
    with duckdb.connect(tmp_path / "warehouse.duckdb") as database:
        database.execute(PART)
    views()
    assert views("--drop") == ["dropped all_messages", "dropped all_messages_gorgias"]
    with duckdb.connect(tmp_path / "warehouse.duckdb") as database:
        query = "select count(*) from information_schema.tables where table_type = 'VIEW'"
        assert database.sql(query).fetchall() == [(0,)]
