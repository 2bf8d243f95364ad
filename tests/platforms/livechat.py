"""LiveChat."""

from __future__ import annotations

from platforms.facts import Facts, Place, Probe

FACTS = Facts(
    place=Place(
        "LiveChat",
        "livechat_threads",
        "list_archives",
        content='"page_id"',
        fields={
            "key": "thread.id",
            "mark": "thread.created_at",
            "text": "thread.previous_accessible_thread_id",
            "integer": "thread.queues_duration",
            "object": "thread.queue",
        },
        records="chats",
    ),
    quick={"batch_size": 200},
    address=["livechat.api_url"],
    unknown=["livechat.access_token is wrong or expired", "livechat.entity_id", "Console"],
    forbidden=["livechat.access_token may not read", "chats--all:ro", "Console"],
    probes=[
        Probe(
            {"end_date": "2025-01-01", "livechat": {"entity_id": "e", "access_token": "k"}},
            {"chats": [], "found_chats": 0},
            "/v3.6/agent/action/list_archives",
            others={
                f"/v3.6/configuration/action/{action}": []
                for action in ("list_groups", "list_agents")
            },
        ),
        Probe(
            {
                "end_date": "2025-01-01",
                "livechat": {"entity_id": "e", "access_token": "k", "api_version": "2"},
            },
            {"chats": [], "total": 0, "pages": 0},
            "/chats",
            "date_from=2025-01-01 date_to=2025-01-01 include_pending=0 page=1",
        ),
    ],
    # Which groups the token sees.
    further_requests=3,
)
