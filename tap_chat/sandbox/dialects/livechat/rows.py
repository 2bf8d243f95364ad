"""The chats of the made-up LiveChat account, as the API writes them."""

from __future__ import annotations

import random
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from tap_chat.sandbox.lines import line
from tap_chat.sandbox.samples import NAMES, WORDS, pick

Row = dict[str, Any]

#: By number: how many agents a chat has; None for a message left after hours.
AGENTS = (1, 2, 1, 0, 1, None, 2, 1, 1, 1, None, 1, 3)


class Chat(NamedTuple):
    """One chat: when it started and ended, in seconds."""

    number: int
    started: int
    ended: int

    @property
    def agents(self) -> int | None:
        """The number of its agents; None for a missed chat."""
        return AGENTS[self.number % len(AGENTS)]

    @property
    def id(self) -> str:
        """Its id."""
        return f"MH{self.number:07}K"

    @property
    def messages(self) -> int:
        """The number of its messages."""
        return 0 if self.agents is None else self.number * 7 % 11

    @property
    def events(self) -> int:
        """The number of its events, which include the messages."""
        return 0 if self.agents is None else self.messages + self.number % 3


class Writer:
    """Writes chats in the format of the API.

    Args:
        seed: Decides every value.
        timezone: The account's time zone, in which all dates as text are.
    """

    def __init__(self, seed: int, timezone: str) -> None:
        self._timezone = timezone
        self._zone = ZoneInfo(timezone)
        self._visitors = _visitors(seed)
        self._seed = seed

    def chat(self, chat: Chat, now: int) -> Row:
        """Return a chat as it is at a time in seconds; an open chat has no end."""
        number = chat.number
        visitor = pick(self._visitors, number)
        if chat.agents is None:
            row: Row = {
                "type": "missed_chat",
                "id": chat.id,
                "time": self._local(chat.ended),
                "message": line(self._seed, number, 0, by_agent=False),
                "email": visitor.get("email", ""),
                "visitor_id": visitor["id"],
                "visitor": visitor,
            }
            # LiveChat: no end is documented for missed chats; of a start nothing is known.
            if number % 2:
                row |= {"started": row["time"], "started_timestamp": chat.ended}
            return row
        agents = [_agent(number + place) for place in range(chat.agents)]
        messages = [self._message(chat, place) for place in range(chat.messages)]
        messages = [message for message in messages if message["timestamp"] <= now]
        row = {
            "type": "chat",
            "id": chat.id,
            "visitor": visitor,
            "visitor_id": visitor["id"],
            "agents": agents,
            "supervisors": [_agent(number + 5)] if number % 17 == 4 else [],
            "rate": pick(("rated_good", "not_rated", "rated_bad"), number),
            "duration": chat.ended - chat.started,
            "group": [number % 3],
            "started": self._local(chat.started),
            "started_timestamp": chat.started,
            "pending": chat.ended > now,
            "tags": [["vip"], [], ["a,b", "größe"]][number % 3],
            "timezone": self._timezone,
            "prechat_survey": [{"key": "Name:", "value": "ü", "id": "1"}]
            if number % 4 == 0
            else [],
            "postchat_survey": [],
            "engagement": pick(("auto_invite", "manual_invite", "immediate_start"), number),
            "messages": messages,
            "events": [{"type": "message", **message} for message in messages],
        }
        if chat.ended > now:
            del row["duration"]
        else:
            row |= {"ended": self._local(chat.ended), "ended_timestamp": chat.ended}
            row["events"] += [self._event(chat, n) for n in range(chat.messages, chat.events)]
        return row | self._optional(chat)

    def _optional(self, chat: Chat) -> Row:
        """Return the fields that only some chats have."""
        row: Row = {}
        if chat.number % 3 == 1:
            row["referrer"] = "https://shop.example/?q=größe"
            row["chat_start_url"] = "https://shop.example/"
        if chat.number % 4 == 1:
            row["queue"] = {"duration": chat.number % 60}
        if chat.number % 5 == 1:
            row["custom_variables"] = [{"key": "plan", "value": "pro"}, {"key": "", "value": ""}]
        if chat.number % 6 == 1:
            row["goals"] = [{"id": 7, "name": "Sale", "order": {"price": 9.99, "currency": "EUR"}}]
        return row

    def _message(self, chat: Chat, place: int) -> Row:
        moment = chat.started + (chat.ended - chat.started) * place // max(chat.messages, 1)
        by_agent = bool(chat.agents) and (chat.number + place) % 2 == 0
        author = _agent(chat.number) if by_agent else pick(self._visitors, chat.number)
        row: Row = {
            "author_name": author.get("display_name") or author.get("name"),
            "text": line(self._seed, chat.number, place, by_agent=by_agent),
            "date": self._local(moment),
            "timestamp": moment,
            "user_type": "agent" if by_agent else "visitor",
        }
        if by_agent:
            row["agent_id"] = author["email"]
        if place % 6 == 5:
            row["message_json"] = {"template": {"id": "card", "elements": [{"title": "é"}]}}
        # LiveChat: the official samples have no event_id, but others have seen it.
        if (chat.number + place) % 8 == 3:
            row["event_id"] = f"{chat.id}-e{place}"
        return row

    def _event(self, chat: Chat, place: int) -> Row:
        row: Row = {
            "type": "event",
            "event_type": "closed",
            "author_name": "",
            "text": "The chat was closed",
            "date": self._local(chat.ended),
            "timestamp": chat.ended,
            "user_type": "agent",
        }
        if place % 2:
            row["type"] = "attachment"
            row["files"] = [{"name": "a b.pdf", "size": 2**31, "url": "https://files.example/1"}]
            row["event_id"] = f"{chat.id}-a{place}"
        return row

    def _local(self, seconds: int) -> str:
        # LiveChat: text is in the account's zone and does not say so.
        local = datetime.fromtimestamp(seconds, self._zone)
        half = "am" if local.hour < 12 else "pm"
        time = f"{local.hour % 12 or 12:02}:{local.minute:02}:{local.second:02} {half}"
        return f"{_day(local.date())} {time}"


@lru_cache(maxsize=512)
def _day(day: date) -> str:
    return f"{day:%a, %m/%d/%y}"


def _agent(number: int) -> Row:
    place = number % len(NAMES)
    return {"display_name": NAMES[place], "email": f"agent{place}@example.com", "ip": "192.0.2.1"}


@lru_cache(maxsize=8)
def _visitors(seed: int) -> list[Row]:
    """Return a prime number of visitors."""
    dice = random.Random(f"{seed} livechat visitors")
    return [
        {
            "id": f"S{dice.randrange(1 << 60)}.{number:08x}",
            "name": f"{dice.choice(NAMES)} {dice.choice(WORDS)}",
            "ip": "198.51.100.7",
            "city": dice.choice(("Wrocław", "Boston", "")),
            "country_code": dice.choice(("PL", "US")),
            **dice.choice(({}, {"email": f"visitor{number}@example.com"})),
        }
        for number in range(211)
    ]
