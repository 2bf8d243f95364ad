"""LiveChat."""

from __future__ import annotations

from platforms.facts import Facts, Place, Probe

FACTS = Facts(
    place=Place(
        "LiveChat",
        "livechat_chats",
        "/chats",
        {"page": "2"},
        fields={
            "key": "id",
            "mark": "ended_timestamp",
            "text": "referrer",
            "integer": "duration",
            "object": "visitor",
        },
        records="chats",
    ),
    address=["livechat.api_url"],
    unknown=["livechat.access_token is wrong or expired", "livechat.entity_id", "Console"],
    forbidden=["livechat.access_token may not read", "chats--all:ro", "Console"],
    probes=[
        Probe(
            {"end_date": "2025-01-01", "livechat": {"entity_id": "e", "access_token": "k"}},
            {"chats": [], "total": 0, "pages": 0},
            "/chats",
            "date_from=2025-01-01 date_to=2025-01-01 include_pending=0 page=1",
        ),
    ],
)
