"""Dixa."""

from __future__ import annotations

from platforms.facts import Facts, Place, Probe

TESTED = {"end_date": "2025-01-01T00:00:00Z", "dixa": {"api_token": "k"}}
URL_SETTINGS = ("api_url", "main_api_url")

FACTS = Facts(
    place=Place(
        "Dixa",
        "dixa_conversation_export",
        "/v1/conversation_export",
        # The third window of a run that starts on 2025-10-01: several are requested at once.
        {"updated_after": "1764633599997"},
        fields={
            "key": "id",
            "mark": "updated_at",
            "text": "queue_name",
            "integer": "total_duration",
        },
    ),
    address=["dixa.api_url"],
    unknown=["dixa.api_token is wrong or expired", "Settings > Integrations > API tokens"],
    forbidden=["dixa.api_token may not read the exports API", "Settings > Integrations"],
    probes=[
        Probe(
            TESTED,
            [],
            "/conversation_export",
            "updated_after=1735689539999 updated_before=1735689600000",
            others={"/agents": {"data": []}},
            url_settings=URL_SETTINGS,
        ),
        Probe(
            TESTED,
            {"data": []},
            "/agents",
            "pageLimit=1",
            others={"/conversation_export": []},
            url_settings=URL_SETTINGS,
        ),
    ],
)
