"""The reports about chats of the made-up LiveChat account: numbers by day, month or hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tap_chat.sandbox.dialects.livechat.threads import BEGINNING, SECOND, microseconds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import tzinfo

    from tap_chat.sandbox.dialects.livechat.threads import Thread

Row = dict[str, Any]

#: The name of each group of a distribution, as a format of times; the step to the next one.
DISTRIBUTIONS = {
    "hour": ("%Y-%m-%d %H:00", timedelta(hours=1)),
    "day": ("%Y-%m-%d", timedelta(days=1)),
    "month": ("%Y-%m", timedelta(days=1)),
    "year": ("%Y", timedelta(days=1)),
}


def report(
    threads: Sequence[Thread],
    name: str,
    span: tuple[datetime, datetime],
    zone: tzinfo,
    distribution: str,
) -> Row:
    """Return a report about the threads that began in a span of time, with both its ends."""
    form, step = DISTRIBUTIONS[distribution]
    since, until = span
    first, last = microseconds(since), microseconds(until)
    groups: dict[str, list[Thread]] = {}
    moment = since.astimezone(zone)
    while moment <= until:
        groups.setdefault(f"{moment:{form}}", [])
        moment += step
    found = [thread for thread in threads if first <= thread.created <= last]
    for thread in found:
        moment = (BEGINNING + timedelta(microseconds=thread.created)).astimezone(zone)
        groups.setdefault(f"{moment:{form}}", []).append(thread)
    records = {key: REPORTS[name](group) if group else {} for key, group in groups.items()}
    return {"name": f"{name.replace('_', '-')}-report", "total": len(found), "records": records}


def report_rows(
    threads: Sequence[Thread], name: str, since: datetime, until: datetime
) -> list[Row]:
    """Return the rows of a report by day of UTC, without days that have no chats."""
    records = report(threads, name, (since, until), UTC, "day")["records"]
    return [{"date": day, **values} for day, values in records.items() if values]


def _total_chats(threads: Sequence[Thread]) -> Row:
    continuous = sum(thread.number % 9 == 1 for thread in threads)
    return {"total": len(threads), **({"continuous": continuous} if continuous else {})}


def _response_time(threads: Sequence[Thread]) -> Row:
    seconds = sum(thread.number % 97 + 0.25 for thread in threads)
    return {"count": len(threads), "response_time": round(seconds / len(threads), 2)}


def _ratings(threads: Sequence[Thread]) -> Row:
    counts = {
        "bad": sum(thread.number % 6 == 0 for thread in threads),
        "chats": len(threads),
        "good": sum(thread.number % 6 == 3 for thread in threads),
    }
    # LiveChat: a number that would be zero is absent.
    return {name: number for name, number in counts.items() if number}


def _duration(threads: Sequence[Thread]) -> Row:
    seconds = sum(thread.ended - thread.created for thread in threads) // SECOND // len(threads)
    return {"agents_chatting_duration": seconds // 2, "count": len(threads), "duration": seconds}


#: What each report says about some chats, by the name of the report.
REPORTS: dict[str, Callable[[Sequence[Thread]], Row]] = {
    "total_chats": _total_chats,
    "response_time": _response_time,
    "ratings": _ratings,
    "duration": _duration,
}
