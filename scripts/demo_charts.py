"""What `make demo` shows of the loaded data: messages per week, channels, a conversation."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import duckdb
    from rich.console import Console

#: The times of the messages of each platform, as SQL, where {0} is the schema.
TIMES = {
    "Freshchat": "select created_time as sent from {0}.freshchat_conversations_messages",
    "Dixa": "select to_timestamp(created_at / 1000) as sent from {0}.dixa_messages",
    "LiveChat": "select created_at as sent from {0}.livechat_thread_events where type = 'message'",
    "Gorgias": "select created_datetime::timestamptz as sent from {0}.gorgias_messages",
    "Front": "select to_timestamp(created_at) as sent from {0}.front_messages",
    "Intercom": "select to_timestamp(created_at) as sent from {0}.intercom_conversation_parts",
    "Chatwoot": "select to_timestamp(created_at) as sent from {0}.chatwoot_messages",
}
WEEKS = """
with weeks as (
  select date_trunc('week', sent) as week, count(*) as messages from ({times}) group by all
)
select week, coalesce(messages, 0) from weeks
right join range(timestamptz '2025-09-29', timestamptz '2026-02-01', interval '7 days') w(week)
using (week) order by week
"""
CHANNELS = """
select initial_channel, count(*) as conversations, round(avg(rating_score), 1) as rating,
  round(median(closed_at - created_at) / 3.6e6, 1) as hours
from {0}.dixa_conversation_export group by all order by conversations desc, 1
"""
CONVERSATION = """
with tickets as (
  select ticket_id from {0}.gorgias_messages group by all having count(*) between 6 and 8
)
select if(from_agent, 'agent', 'customer'), body_text from {0}.gorgias_messages
where ticket_id = (select min(ticket_id) from tickets) order by created_datetime, id
"""
BARS = "▁▂▃▄▅▆▇█"
WIDTH = 80


def sparkline(numbers: list[int]) -> str:
    """Return a line of bars, one per number; the largest number has the highest bar."""
    most = max(numbers, default=0) or 1
    return "".join(BARS[number * (len(BARS) - 1) // most] for number in numbers)


def bar(number: int, most: int, width: int) -> str:
    """Return a bar for a number, where the largest number has the whole width."""
    return "█" * max(1, round(number * width / most)) if number else ""


def charts(database: duckdb.DuckDBPyConnection, schema: str, console: Console) -> None:
    """Print the charts of a schema in which the streams of the sandbox are loaded."""

    def rows(query: str) -> list[Any]:
        return database.execute(query.format(schema)).fetchall()

    database.execute("set timezone = 'UTC'")
    console.print("\n[bold]Messages per week, October 2025 to January 2026[/bold]")
    for title, times in TIMES.items():
        counts = [count for _, count in rows(WEEKS.replace("{times}", times))]
        console.print(f"  {title:<10}  {sparkline(counts)}  {sum(counts):>6,}")

    console.print("\n[bold]Dixa by channel: volume, rating from 1 to 5, hours to close[/bold]")
    channels = rows(CHANNELS)
    for channel, count, rating, hours in channels:
        shown = bar(count, channels[0][1], 30)
        console.print(f"  {channel:<18} {shown:<30} {count:>5,} {rating:>5} ★ {hours:>6} h")

    console.print("\n[bold]A ticket of Gorgias[/bold]")
    for author, text in rows(CONVERSATION):
        lines = textwrap.wrap(" ".join(text.split()), WIDTH - 12)
        for number, line in enumerate(lines):
            console.print(f"  {'' if number else author:<8}  {line}", markup=False)
