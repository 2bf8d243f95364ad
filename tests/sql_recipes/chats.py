"""The chats of the sandbox in one form, computed from its own records in plain Python."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_chat.sandbox import World

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Conversation:
    """A conversation; `closed` is when it was closed, if it is, and if the platform says so."""

    platform: str
    id: str
    channel: str | None
    created: datetime
    closed: datetime | None
    is_open: bool


@dataclass(frozen=True)
class Message:
    """A message of a conversation, or of none."""

    platform: str
    conversation: str | None
    id: str
    created: datetime
    author: str | None
    who: str | None
    text: str | None
    private: bool = False
    deleted: bool = False

    @property
    def shown(self) -> bool:
        """Whether a customer can see it."""
        return not (self.private or self.deleted)


@dataclass(frozen=True)
class Chats:
    """All chats of a world.

    Attributes:
        conversations: The conversations.
        messages: The messages.
        ratings: The platform, conversation, score and verdict of each rating.
        reopenings: The platform and conversation of each.
    """

    conversations: list[Conversation]
    messages: list[Message]
    ratings: list[tuple[str, str, float, bool]]
    reopenings: list[tuple[str, str]]


def chats_of(world: World) -> Chats:
    """Return the chats of a world."""
    truth = world.truth
    made = (freshchat, dixa, livechat, gorgias, front, intercom, chatwoot, messages_api)
    items = [item for platform in made for item in platform(truth)]
    return Chats(
        conversations=[item for item in items if isinstance(item, Conversation)],
        messages=[item for item in items if isinstance(item, Message)],
        ratings=list(ratings(truth)),
        reopenings=list(reopenings(truth)),
    )


def text_time(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def seconds(number: float) -> datetime:
    return datetime.fromtimestamp(number, UTC)


def millis(number: int) -> datetime:
    return datetime.fromtimestamp(number // 1000, UTC).replace(microsecond=number % 1000 * 1000)


def freshchat(truth: Mapping[str, Rows]) -> Iterator[Conversation | Message]:
    inboxes = {row["id"]: row["name"] for row in truth["freshchat_channels"]}
    emails = {row["id"]: row["email"] for row in truth["freshchat_agents"]}
    for row in truth["freshchat_conversations"]:
        changed = text_time(row["updated_time"])
        yield Conversation(
            "freshchat",
            row["conversation_id"],
            inboxes[row["channel_id"]],
            text_time(row["created_time"]),
            changed if row["status"] == "resolved" else None,
            is_open=row["status"] != "resolved",
        )
    for row in truth["freshchat_conversations_messages"]:
        texts = [part["text"]["content"] for part in row["message_parts"] if "text" in part]
        is_system = "system" in {row["actor_type"], row["message_type"]}
        author = {"user": "customer"}.get(row["actor_type"], row["actor_type"])
        yield Message(
            "freshchat",
            row["conversation_id"],
            row["id"],
            text_time(row["created_time"]),
            "system" if is_system else author,
            emails.get(row["actor_id"], row["actor_id"]),
            "\n".join(texts) if texts else None,
            private=row["message_type"] == "private",
        )


def dixa(truth: Mapping[str, Rows]) -> Iterator[Conversation | Message]:
    for row in truth["dixa_conversation_export"]:
        closed = row.get("closed_at")
        yield Conversation(
            "dixa",
            str(row["id"]),
            row["initial_channel"],
            millis(row["created_at"]),
            millis(closed) if closed else None,
            is_open=row["status"] != "closed",
        )
    for row in truth["dixa_messages"]:
        author = {"inbound": "customer", "outbound": "agent"}[row["direction"]]
        yield Message(
            "dixa",
            str(row["csid"]),
            row["id"],
            millis(row["created_at"]),
            "bot" if row["is_automated_message"] else author,
            row["author_email"],
            row["text"],
        )


def livechat(truth: Mapping[str, Rows]) -> Iterator[Conversation | Message]:
    kinds = {(row["thread_id"], row["id"]): row for row in truth["livechat_thread_users"]}
    for row in truth["livechat_threads"]:
        ended = row["ended_at"]
        yield Conversation(
            "livechat",
            row["id"],
            "livechat",
            text_time(row["created_at"]),
            text_time(ended) if ended else None,
            is_open=row["active"],
        )
    for row in truth["livechat_thread_events"]:
        if row["type"] not in {"message", "file", "rich_message", "system_message"}:
            continue
        user = kinds.get((row["thread_id"], row.get("author_id")), {})
        yield Message(
            "livechat",
            row["thread_id"],
            row["id"],
            text_time(row["created_at"]),
            "system" if row["type"] == "system_message" else user["type"],
            user.get("email", row.get("author_id")),
            row.get("text") or row.get("name"),
            private=row.get("visibility") == "agents",
            deleted=row.get("deleted", False),
        )


def gorgias(truth: Mapping[str, Rows]) -> Iterator[Conversation | Message]:
    for row in truth["gorgias_tickets"]:
        is_closed = row["status"] == "closed"
        yield Conversation(
            "gorgias",
            str(row["id"]),
            row["channel"],
            text_time(row["created_datetime"]),
            text_time(row["closed_datetime"]) if is_closed else None,
            is_open=not is_closed,
        )
    for row in truth["gorgias_messages"]:
        yield Message(
            "gorgias",
            str(row["ticket_id"]),
            str(row["id"]),
            text_time(row["created_datetime"]),
            "agent" if row["from_agent"] else "customer",
            row["sender"].get("email") or str(row["sender"]["id"]),
            row["body_text"] if row["stripped_text"] is None else row["stripped_text"],
            private=not row["public"],
        )


def front(truth: Mapping[str, Rows]) -> Iterator[Conversation | Message]:
    archived: dict[str, float] = {}
    for row in truth["front_events"]:
        if row["type"] == "archive":
            talk = row["conversation"]["id"]
            archived[talk] = max(archived.get(talk, 0), row["emitted_at"])
    channels: dict[str, str] = {}
    for row in truth["front_messages"]:
        talk = row["_conversations_id"]
        channels[talk] = min(channels.get(talk, "~"), row["type"])
        author = row["author"] or {}
        if not row["is_draft"]:
            yield Message(
                "front",
                talk,
                row["id"],
                seconds(row["created_at"]),
                "customer" if row["is_inbound"] else "agent",
                author.get("email"),
                row["text"],
            )
    for row in truth["front_comments"]:
        yield Message(
            "front",
            row["_conversations_id"],
            row["id"],
            seconds(row["posted_at"]),
            "agent",
            row["author"]["email"],
            row["body"],
            private=True,
        )
    for row in truth["front_conversations"]:
        is_closed = row["status"] == "archived"
        yield Conversation(
            "front",
            row["id"],
            channels.get(row["id"]),
            seconds(row["created_at"]),
            seconds(archived[row["id"]]) if is_closed else None,
            is_open=not is_closed,
        )


def intercom(truth: Mapping[str, Rows]) -> Iterator[Conversation | Message]:
    closed: dict[str, int] = {}
    roles = {"admin": "agent", "bot": "bot"}
    for row in truth["intercom_conversation_parts"]:
        talk = row["_conversations_id"]
        if row["part_type"] == "close":
            closed[talk] = max(closed.get(talk, 0), row["created_at"])
        if row["part_type"] in {"comment", "note"} or row["body"] is not None:
            author = row["author"]
            yield Message(
                "intercom",
                talk,
                row["id"],
                seconds(row["created_at"]),
                roles.get(author["type"], "customer"),
                author["email"] or author["id"],
                row["body"],
                private=row["part_type"] == "note",
                deleted=row["redacted"],
            )
    for row in truth["intercom_conversations"]:
        source, is_closed = row["source"], row["state"] == "closed"
        created = seconds(row["created_at"])
        author = source["author"]
        yield Conversation(
            "intercom",
            row["id"],
            source["type"],
            created,
            seconds(closed[row["id"]]) if is_closed and row["id"] in closed else None,
            is_open=not is_closed,
        )
        yield Message(
            "intercom",
            row["id"],
            source["id"],
            created,
            roles.get(author["type"], "customer"),
            author["email"] or author["id"],
            source["body"],
        )


def chatwoot(truth: Mapping[str, Rows]) -> Iterator[Conversation | Message]:
    emails = {row["id"]: row["email"] for row in truth["chatwoot_agents"]}
    for row in truth["chatwoot_conversations"]:
        is_closed = row["status"] == "resolved"
        yield Conversation(
            "chatwoot",
            str(row["id"]),
            row["meta"]["channel"],
            seconds(row["created_at"]),
            seconds(row["last_activity_at"]) if is_closed else None,
            is_open=not is_closed,
        )
    for row in truth["chatwoot_messages"]:
        sender = (row.get("sender") or {}).get("id")
        is_agents = row["message_type"] == 1
        yield Message(
            "chatwoot",
            str(row["conversation_id"]),
            str(row["id"]),
            seconds(row["created_at"]),
            ("customer", "agent", "system", "bot")[row["message_type"]],
            emails.get(sender, str(sender)) if is_agents else str(sender),
            row["content"],
            private=row["private"],
            deleted=bool(row["content_attributes"].get("deleted")),
        )


def messages_api(truth: Mapping[str, Rows]) -> Iterator[Message]:
    for row in truth["chat_messages"]:
        created = text_time(row["timestamp"])
        yield Message("chat", None, row["id"], created, None, row["user_id"], row["message"])


def ratings(truth: Mapping[str, Rows]) -> Iterator[tuple[str, str, float, bool]]:
    scores: dict[str, list[tuple[str, float | None]]] = {
        "freshchat": [
            (row["conversation_id"], row["score"]) for row in truth["freshchat_csat_scores"]
        ],
        "dixa": [
            (str(row["id"]), rating["rating_score"])
            for row in truth["dixa_conversation_export"]
            for rating in row["ratings"]
            if rating["rating_type"] == "csat"
        ],
        "gorgias": [
            (str(row["ticket_id"]), row["score"]) for row in truth["gorgias_satisfaction_surveys"]
        ],
        "intercom": [
            (row["id"], (row["conversation_rating"] or {}).get("rating"))
            for row in truth["intercom_conversations"]
        ],
        "livechat": [
            (row["id"], row["properties"].get("rating", {}).get("score"))
            for row in truth["livechat_threads"]
        ],
    }
    for platform, given in scores.items():
        good = 1 if platform == "livechat" else 4
        for conversation, score in given:
            if score is not None:
                yield platform, conversation, score, score >= good


def reopenings(truth: Mapping[str, Rows]) -> Iterator[tuple[str, str]]:
    for row in truth["freshchat_conversation_events"]:
        if row.get("reopened") == "true":
            yield "freshchat", row["conversation_id"]
    for row in truth["dixa_activity_log"]:
        if row["activityType"] == "ConversationReopened":
            yield "dixa", str(row["conversationId"])
    for row in truth["livechat_threads"]:
        if row.get("previous_thread_id"):
            yield "livechat", row["id"]
    for row in truth["front_events"]:
        if row["type"] == "reopen":
            yield "front", row["conversation"]["id"]
