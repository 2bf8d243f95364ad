"""Responses of Dixa that the sandbox does not give: refusals, deletions, odd times, ids, links."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from running import SelectingRunner, catalog_of
from serving import Server
from starlette.responses import JSONResponse

from tap_chat.platforms.dixa.main_api import number_of, text_of, without_zone

if TYPE_CHECKING:
    from running import Run, Runner
    from starlette.requests import Request

MESSAGES, LOG, RATINGS = "dixa_messages", "dixa_activity_log", "dixa_ratings"
DAY = 24 * 60 * 60_000
NOW = int(datetime.now(UTC).timestamp() * 1000)
STATE = {"replication_key": "created_at", "replication_key_value": NOW - 3 * DAY}


class Account:
    """Old conversations that have changed, each with a message.

    Attributes:
        refused: The status of each conversation whose messages Dixa does not return.
        changed_at: When each conversation changed, in ms.
        asked: The conversations of each request (`csids`).
    """

    def __init__(self, count: int) -> None:
        self.refused: dict[int, int] = {}
        # The later ones changed first.
        self.changed_at = {key: NOW - DAY - key for key in range(1, count + 1)}
        self.asked: list[list[int]] = []

    def __call__(self, request: Request) -> Any:
        query = request.query_params
        if "updated_after" in query:
            after, before = int(query["updated_after"]), int(query["updated_before"])
            return [
                {"id": key, "created_at": 1, "updated_at": time}
                for key, time in self.changed_at.items()
                if after <= time < before or time < NOW - 5 * DAY
            ]
        if "csids" not in query:
            return []
        keys = [int(key) for key in query["csids"].split(",")]
        self.asked.append(keys)
        for key in keys:
            if key in self.refused:
                return JSONResponse({"message": "made up"}, self.refused[key])
        return [{"id": f"m{key}", "csid": key, "created_at": 1} for key in keys]

    def read(self, tap: Runner) -> Run:
        """Read the messages from a STATE on."""
        with Server(self) as api:
            return tap(config_of(api), state={"bookmarks": {MESSAGES: STATE}})


def config_of(api: Server) -> dict[str, Any]:
    section = {"api_url": api.url, "api_token": "t", "requests_per_minute": 100_000}
    return {"dixa": section, "max_workers": 1}


@pytest.fixture
def reader(tap: Runner) -> Runner:
    """The tap, which reads the messages alone."""
    return SelectingRunner(tap.folder, (MESSAGES,))


@pytest.mark.parametrize("status", [400, 422])
def test_refused_conversation_is_an_error_that_names_the_setting(
    reader: Runner, status: int
) -> None:
    account = Account(12)
    account.refused = dict.fromkeys(account.changed_at, status)
    run = account.read(reader)
    assert run.code == 1
    [error] = run.errors
    assert f"csids=12 returned {status}" in error
    assert "Set dixa.reread_messages to false" in error


def test_conversation_that_was_deleted_after_it_was_listed_is_skipped(reader: Runner) -> None:
    account = Account(13)
    account.refused = {7: 404}
    run = account.read(reader)
    assert run.code == 0, run.err
    assert sorted(row["csid"] for row in run.rows(MESSAGES)) == [*range(1, 7), *range(8, 14)]
    assert "Changed conversations of dixa_messages that returned 404 Not Found: 1." in run.err


def test_ten_deleted_conversations_in_a_row_are_an_error(reader: Runner) -> None:
    account = Account(13)
    account.refused = dict.fromkeys(account.changed_at, 404)
    run = account.read(reader)
    assert run.code == 1
    assert "Set dixa.reread_messages to false" in run.errors[0]


def test_next_run_continues_at_the_change_that_a_failed_one_had_reached(reader: Runner) -> None:
    account = Account(45)
    account.refused = {15: 400}
    with Server(account) as api:
        failed = reader(config_of(api), state={"bookmarks": {MESSAGES: STATE}})
        assert failed.code == 1
        account.refused, account.asked = {}, []
        resumed = reader(config_of(api), state=failed.state)
    assert resumed.code == 0, resumed.err
    # The bounds of a request belong to it here: the last two before the batch are read again.
    assert [key for keys in account.asked for key in keys] == [*range(17, 0, -1)]
    rows = {row["csid"] for run in (failed, resumed) for row in run.rows(MESSAGES)}
    assert rows == account.changed_at.keys()


def test_changed_conversations_outside_the_window_are_not_counted_as_messages(
    reader: Runner,
) -> None:
    account = Account(3)
    account.changed_at[1] //= 1000
    run = account.read(reader)
    assert len(run.rows(MESSAGES)) == 3
    assert (
        "Conversations of dixa_messages with an `updated_at` outside the requested window: 1."
        in run.err
    )
    assert "Messages of dixa_messages with a `created_at`" not in run.err


def read_main(tap: Runner, stream: str, respond: Any) -> Run:
    """Read a stream of the main API from a server."""
    with Server(respond) as api:
        return tap(main_config(api), catalog=catalog_of(stream))


def main_config(api: Server) -> dict[str, Any]:
    section = {"api_token": "t", "main_api_url": api.url, "lag_minutes": 0, "max_retries": 0}
    section |= {"extra_streams": [RATINGS]}
    return {"start_date": "2025-01-01", "end_date": "2025-01-05", "dixa": section}


def test_list_that_changes_in_each_reading_is_reported(tap: Runner) -> None:
    asked = []

    def respond(request: Request) -> Any:
        asked.append(request)
        key = f"{len(asked)}"
        if "pageKey" in request.query_params:
            return {"data": [{"id": key}]}
        return {"data": [{"id": key}], "meta": {"next": f"/v1/agents?pageKey={key}"}}

    run = read_main(tap, "dixa_agents", respond)
    assert run.code == 0, run.err
    assert len(run.rows("dixa_agents")) == len(asked) == 6
    assert "may be missing" in run.err


def test_time_in_the_future_until_which_the_log_was_read_is_not_used(tap: Runner) -> None:
    entry = {
        "id": "a",
        "conversationId": 7,
        "activityTimestamp": "2025-01-03T00:00:00Z",
        "_type": "ConversationRated",
    }

    def respond(request: Request) -> Any:
        is_log = request.url.path.endswith("/activitylog")
        return {"data": [entry if is_log else {"id": "5", "ratingType": "Csat"}]}

    catalog = catalog_of(RATINGS)
    with Server(respond) as api:
        state = tap(main_config(api), catalog=catalog).state
        state["bookmarks"][RATINGS]["log_until"] = "2099-01-01T00:00:00.000Z"
        run = tap(main_config(api), catalog=catalog, state=state)
    assert len(run.rows(RATINGS)) == 1
    assert "bookmark of dixa_ratings is in the future" in run.err
    assert run.state["bookmarks"][RATINGS]["log_until"] < "2026"


@pytest.mark.parametrize("conversation", [7, "7"], ids=repr)
def test_ids_may_be_texts_or_numbers(tap: Runner, conversation: object) -> None:
    entry = {
        "id": 1,
        "conversationId": conversation,
        "activityTimestamp": "2025-01-03T00:00:00Z",
        "_type": "ConversationRated",
    }

    def respond(request: Request) -> Any:
        is_log = request.url.path.endswith("/activitylog")
        return {"data": [entry if is_log else {"id": 5, "ratingType": "Csat"}]}

    [row] = read_main(tap, LOG, respond).rows(LOG)
    assert (row["id"], row["conversationId"]) == ("1", 7)
    run = read_main(tap, RATINGS, respond)
    assert [(row["conversation_id"], row["id"]) for row in run.rows(RATINGS)] == [(7, "5")]
    assert "has no entries before" not in run.err


@pytest.mark.parametrize("link", [{}, 0, [], False], ids=repr)
def test_link_that_is_not_a_text_does_not_end_the_list(tap: Runner, link: object) -> None:
    body = {"data": [{"id": "a"}], "meta": {"next": link}}
    run = read_main(tap, "dixa_agents", lambda _: body)
    assert run.code == 1
    assert "returned a next link without a pageKey" in run.errors[0]


def test_error_says_what_to_do_with_a_token_of_the_exports_alone(tap: Runner) -> None:
    run = read_main(tap, "dixa_agents", lambda _: JSONResponse({"message": "made up"}, 401))
    [error] = run.errors
    assert "select only dixa_conversation_export and dixa_messages" in error
    assert "or name the other streams in dixa.optional" in error


@pytest.mark.parametrize(
    ("sent", "read"),
    [
        ("2021-12-01T12:46:36.581Z[GMT]", "2021-12-01T12:46:36.581Z"),
        # As Java writes a time without seconds.
        ("2021-12-01T12:46Z[GMT]", "2021-12-01T12:46:00Z"),
        ("2021-12-01T12:46+01:00[Europe/Copenhagen]", "2021-12-01T12:46:00+01:00"),
        ("2021-12-01T12:46:36.123456789+02:00[CET]", "2021-12-01T12:46:36.123456789+02:00"),
        ("2021-12-01T12:46:36Z", "2021-12-01T12:46:36Z"),
        (7, 7),
    ],
)
def test_zone_of_a_time_is_removed(sent: object, read: object) -> None:
    assert without_zone(sent) == read


def test_only_ids_of_the_other_type_are_changed() -> None:
    assert [number_of(value) for value in ("17", 17, "x", "²", None)] == [17, 17, "x", "²", None]
    assert [text_of(value) for value in (17, "17", True)] == ["17", "17", True]
