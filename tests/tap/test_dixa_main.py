"""Dixa's main API: lists, the activity log, and the ratings and notes that it leads to."""

from __future__ import annotations

import signal
from dataclasses import replace
from datetime import UTC, datetime
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from running import (
    assert_complete,
    assert_up_to_date,
    by_stream,
    catalog_of,
    ended_after,
    full_config,
    in_order,
    merged,
)
from serving import Server

from tap_chat.platforms.dixa.main_details import DixaNotes, DixaRatings
from tap_chat.platforms.dixa.main_paging import page_key_of
from tap_chat.sandbox import API_KEY, Fault, Options, Sandbox, World
from tap_chat.streams.paginators import PaginationError

if TYPE_CHECKING:
    from running import Runner
    from starlette.requests import Request

LISTS = (
    "dixa_agents",
    "dixa_end_users",
    "dixa_queues",
    "dixa_teams",
    "dixa_tags",
    "dixa_custom_attributes",
)
LOG, RATINGS, NOTES = "dixa_activity_log", "dixa_ratings", "dixa_notes"
MAIN = (*LISTS, LOG, RATINGS, NOTES)
LATER, LAST = datetime(2026, 3, 15, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
WORLD = World(dixa_conversations=80, dixa_end_users=30)

#: Ways in which the documents leave open how the API behaves.
WAYS: list[dict[str, Any]] = [
    {"dixa_links": "placeholder", "dixa_page_key": "page", "max_page_size": 100},
    {"dixa_links": "path", "dixa_page_key": "filters", "max_page_size": 7, "dixa_bounds": "[]"},
    {"dixa_links": "always", "dixa_page_limit": "refused", "max_page_size": 9, "dixa_bounds": "()",
     "dixa_order": "oldest"},
]  # fmt: skip


def main_config(sandbox: Sandbox, **settings: Any) -> dict[str, Any]:
    return full_config(sandbox, "dixa", dixa=settings) | {"start_date": "2025-09-25"}


@pytest.mark.parametrize("way", WAYS)
def test_every_row_arrives_once_however_the_api_pages(tap: Runner, way: dict[str, Any]) -> None:
    with Sandbox(WORLD, Options(**way)) as sandbox:
        run = tap(main_config(sandbox), catalog=catalog_of(*MAIN))
        assert_complete(run, sandbox, *MAIN)
        times = [row["activityTimestamp"] for row in run.rows(LOG)]
        assert not any("[" in time for time in times)
        assert run.bookmark(LOG) == "2026-01-31T12:00:00.000000Z"


def test_later_runs_bring_what_is_new_and_request_little_else(tap: Runner) -> None:
    with Sandbox(WORLD) as sandbox:
        runs = [tap(main_config(sandbox), catalog=catalog_of(*MAIN))]
        for now in (LATER, LAST):
            sandbox.world = replace(sandbox.world, now=now)
            state = runs[-1].state
            runs.append(tap(main_config(sandbox), catalog=catalog_of(*MAIN), state=state))
            assert_up_to_date(runs, sandbox, MAIN)
        whole = [len(run.records) for run in runs]
        assert whole[1] < sum(sandbox.world.rows[stream] for stream in MAIN) / 2
        before = sandbox.requests
        idle = tap(main_config(sandbox), catalog=catalog_of(*MAIN), state=runs[-1].state)
        assert_up_to_date([*runs, idle], sandbox, MAIN)
        assert not idle.rows(LOG)
        assert not idle.rows(RATINGS)
        assert sandbox.requests - before == len(LISTS)
        sizes = [len(str(run.state)) for run in (*runs, idle)]
        assert max(sizes) - min(sizes) < 100


def test_a_note_that_leaves_updated_at_as_it_was_arrives(tap: Runner) -> None:
    with Sandbox(replace(WORLD, dixa_conversations=300)) as sandbox:
        catalog = catalog_of("dixa_conversation_export", NOTES)
        first = tap(main_config(sandbox), catalog=catalog)
        sandbox.world = replace(sandbox.world, now=LATER)
        second = tap(main_config(sandbox), catalog=catalog, state=first.state)
        assert_up_to_date([first, second], sandbox, [NOTES])
        exported = {row["id"] for row in second.rows("dixa_conversation_export")}
        assert {row["conversation_id"] for row in second.rows(NOTES)} - exported


@pytest.mark.parametrize("lines", [30, 90, 150])
def test_next_run_completes_a_killed_one(tap: Runner, lines: int) -> None:
    with Sandbox(WORLD, Options(max_page_size=20)) as sandbox:
        catalog = catalog_of(LOG, RATINGS, NOTES)
        command = tap.command(main_config(sandbox), catalog=catalog)
        killed = ended_after(command, lines, signal.SIGKILL)
        killed = replace(killed, out=killed.out[: killed.out.rfind(b"\n") + 1])
        resumed = tap(main_config(sandbox), catalog=catalog, state=killed.state)
        assert resumed.code == 0, resumed.err
        tables = merged([killed, resumed])
        for stream in (LOG, RATINGS, NOTES):
            truth = sandbox.world.truth[stream]
            assert in_order(list(tables[stream].values())) == in_order(truth), stream
        if killed.state:
            assert len(resumed.records) < sum(sandbox.world.rows[name] for name in MAIN[-3:])


def test_output_does_not_depend_on_the_number_of_workers(tap: Runner) -> None:
    with Sandbox(WORLD, Options(latency=0.002)) as sandbox:
        requests, rows = [0], []
        for workers in (1, 16):
            config = main_config(sandbox) | {"max_workers": workers}
            run = tap(config, catalog=catalog_of(*MAIN))
            rows.append(by_stream(run))
            requests.append(sandbox.requests)
        assert rows[0] == rows[1]
        assert len({after - before for before, after in pairwise(requests)}) == 1


def test_apis_have_tokens_of_their_own(tap: Runner) -> None:
    with Sandbox(WORLD, Options(dixa_main_token="other")) as sandbox:
        wrong = tap(main_config(sandbox), catalog=catalog_of("dixa_agents"))
        assert wrong.code == 1
        [error] = wrong.errors
        assert "dixa.main_api_token, or in dixa.api_token if that is not set, is wrong" in error
        assert "for the exports API only" in error
        config = main_config(sandbox, main_api_token="other")
        right = tap(config, catalog=catalog_of("dixa_agents", "dixa_conversation_export"))
        assert_complete(right, sandbox, "dixa_agents", "dixa_conversation_export")
        assert API_KEY not in right.err


def test_refused_stream_may_be_optional(tap: Runner) -> None:
    with Sandbox(WORLD) as sandbox:
        sandbox.options.faults = [Fault(kind="status", status=403, path="/notes", times=None)]
        run = tap(main_config(sandbox, optional=[NOTES]), catalog=catalog_of(RATINGS, NOTES))
        assert_complete(run, sandbox, RATINGS)
        assert not run.rows(NOTES)
        assert "The stream is left out, as it is in dixa.optional." in run.err
        sandbox.options.faults = []
        second = tap(main_config(sandbox), catalog=catalog_of(NOTES), state=run.state)
        assert_complete(second, sandbox, NOTES)


def test_deleted_conversation_is_skipped_and_counted(tap: Runner) -> None:
    with Sandbox(WORLD) as sandbox:
        sandbox.options.faults = [
            Fault(kind="status", status=404, path="/conversations/100070/ratings", times=None)
        ]
        run = tap(main_config(sandbox), catalog=catalog_of(RATINGS))
    assert run.code == 0, run.err
    truth = [row for row in sandbox.world.truth[RATINGS] if row["conversation_id"] != 100_070]
    assert in_order(run.rows(RATINGS)) == in_order(truth)
    assert (
        "Requests for /conversations/{conversation_id}/ratings that returned 404 Not Found: 1."
        in run.err
    )


def served_config(api: Server) -> dict[str, Any]:
    section = {"api_token": "t", "main_api_url": f"{api.url}/v1", "lag_minutes": 0}
    section |= {"backoff_factor": 0.01, "max_retries": 0, "extra_streams": [RATINGS, NOTES]}
    return {"start_date": "2025-01-01", "end_date": "2025-02-01", "dixa": section}


def test_log_whose_filter_fails_is_an_error(tap: Runner) -> None:
    entries = [
        {"id": str(number), "conversationId": number, "activityTimestamp": "2024-06-01T00:00:00Z"}
        for number in range(12)
    ]
    with Server(lambda _: {"data": entries}) as api:
        run = tap(served_config(api), catalog=catalog_of(LOG))
    assert run.code == 1
    [error] = run.errors
    assert "returned records outside the requested window. Dixa does not filter" in error


@pytest.mark.parametrize("body", [{"data": None}, {"data": None, "meta": {}}, {"data": []}])
def test_list_without_records_may_be_null(tap: Runner, body: Any) -> None:
    with Server(lambda _: body) as api:
        run = tap(served_config(api), catalog=catalog_of(*LISTS))
    assert run.code == 0, run.err
    assert not run.records
    assert len(api.requests) == len(LISTS)


@pytest.mark.parametrize("body", [{"message": "made up"}, {"data": {}}, [], {"meta": {}}])
def test_response_without_a_list_is_an_error(tap: Runner, body: Any) -> None:
    with Server(lambda _: body) as api:
        run = tap(served_config(api), catalog=catalog_of("dixa_teams"))
    assert run.code == 1
    assert "dixa.main_api_url: the main API is at https://dev.dixa.io/v1" in run.errors[-1]


def test_ratings_with_one_key_are_counted(tap: Runner) -> None:
    entry = {
        "id": "1",
        "conversationId": 7,
        "activityTimestamp": "2025-01-03T00:00:00Z[GMT]",
        "_type": "ConversationRated",
    }
    ratings = [{"id": "a", "ratingType": "Csat"}, {"id": "a", "ratingType": "Csat"}, {"id": "b"}]

    def answer(request: Request) -> Any:
        is_log = request.url.path.endswith("/activitylog")
        first = request.query_params.get("fromDatetime", "").startswith("2024-12-31")
        return {"data": ratings if not is_log else [entry] if first else []}

    with Server(answer) as api:
        run = tap(served_config(api), catalog=catalog_of(RATINGS))
    assert run.code == 0, run.err
    keys = [(row["conversation_id"], row["id"], row["ratingType"]) for row in run.rows(RATINGS)]
    assert keys == [(7, "a", "Csat"), (7, "a", "Csat"), (7, "b", "unknown")]
    assert "Ratings with the conversation, survey and type of another: 1." in run.err


@pytest.mark.parametrize(
    ("link", "key"),
    [
        ("/v1/agents?pageKey=abc", "abc"),
        ("/<api-version>/agents/?pageKey=cGFnZT0x%3D%3D:", "cGFnZT0x=="),
        ("https://dev.dixa.io/beta/agents?pageLimit=5&pageKey=a+b%2Fc", "a+b/c"),
        ("/v1/agents?page=2", None),
        ("/v1/agents?pageKey=", None),
        ("http://[", None),
        (7, None),
    ],
)
def test_only_the_key_of_a_link_is_used(link: object, key: str | None) -> None:
    if key is not None:
        assert page_key_of(link) == key
        return
    with pytest.raises(PaginationError, match="without a pageKey"):
        page_key_of(link)


@pytest.mark.parametrize(
    ("entry", "rates", "notes"),
    [
        ({"_type": "ConversationRated"}, True, False),
        ({"_type": "ConversationRatingOffered"}, True, False),
        ({"activityType": "conversation_rating_scheduled"}, True, False),
        ({"activityType": "note_added"}, False, True),
        ({"_type": "NoteAdded", "activityType": None}, False, True),
        ({"_type": "ConversationTransferred"}, False, False),
        # Nearly every conversation has these.
        ({"_type": "ConversationOfferAccepted"}, False, False),
        ({"activityType": "conversation_offer_timeout"}, False, False),
        ({"_type": "ConversationReserved"}, False, False),
        ({"activityType": "message_added_by_customer"}, False, False),
        ({"_type": "SomethingNew"}, True, True),
        ({}, True, True),
    ],
)
def test_entry_with_an_unknown_name_may_bring_anything(
    entry: dict[str, Any],
    rates: bool,  # noqa: FBT001
    notes: bool,  # noqa: FBT001
) -> None:
    for stream, expected in ((DixaRatings, rates), (DixaNotes, notes)):
        ratings = SimpleNamespace(signs=stream.signs)
        assert stream.brings_news(ratings, entry) is expected  # type: ignore[arg-type]
