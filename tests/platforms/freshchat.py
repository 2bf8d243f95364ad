"""Freshchat."""

from __future__ import annotations

from platforms.facts import Facts, Place, Probe

FACTS = Facts(
    place=Place(
        "Freshchat",
        "freshchat_agents",
        "/v2/agents",
        {"page": "2"},
        fields={
            "key": "id",
            "text": "last_name",
            "integer": "agent_capacity",
            "object": "agent_status",
        },
        records="agents",
    ),
    quick={"items_per_page": 20},
    address=["freshchat.api_url"],
    unknown=["freshchat.api_key is wrong or expired", "Admin settings > API tokens"],
    forbidden=["freshchat.api_key may not read", "plan", "Admin settings > API tokens"],
    probes=[
        Probe({"freshchat": {"api_key": "k"}}, {"account_id": 7}, "/accounts/configuration"),
    ],
)
