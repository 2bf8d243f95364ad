"""The vendor-neutral messages API."""

from __future__ import annotations

from platforms.facts import Facts, Place, Probe

FACTS = Facts(
    place=Place(
        "messages API",
        "chat_messages",
        "/v1/messages",
        after=2,
        fields={
            "key": "id",
            "mark": "timestamp",
            "text": "message",
            "integer": "count",
            "number": "score",
            "object": "extra",
        },
        records="data",
    ),
    address=["chat.api_url and chat.path"],
    unknown=["chat.api_key is wrong or expired", "chat.api_key_in", "chat.api_key_name"],
    forbidden=["chat.api_key may not read", "plan"],
    bad_request=[],
    probes=[
        Probe(
            {"chat": {"api_key": "k"}}, {"data": []}, "/v1/messages", "offset=0 limit=1 api_key=k"
        ),
        Probe(
            {"chat": {"api_key": "k", "paging": "none"}}, {"data": []}, "/v1/messages", "api_key=k"
        ),
        Probe(
            {
                "start_date": "2025-01-01",
                "chat": {"api_key": "k", "replication_key": "timestamp", "filter_param": "since"},
            },
            {"data": []},
            "/v1/messages",
            "offset=0 limit=1 since=2024-12-31T23:59:59.999Z api_key=k",
        ),
    ],
)
