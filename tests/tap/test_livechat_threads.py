"""LiveChat's v3 APIs: threads by windows of time, pages by ids, and errors with types."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from running import (
    assert_complete,
    assert_up_to_date,
    by_stream,
    catalog_of,
    full_config,
    in_order,
    merged,
)

from tap_chat.sandbox import API_KEY, ENTITY_ID, Fault, Options, Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from running import Run, Runner

WORLD = World(livechat_version="3.6", chats=130)
LATER = datetime(2026, 2, 6, tzinfo=UTC)
PAIR = b64encode(f"{ENTITY_ID}:{API_KEY}".encode()).decode()
THREADS, EVENTS, USERS = "livechat_threads", "livechat_thread_events", "livechat_thread_users"
ARCHIVE = (THREADS, EVENTS, USERS)
EXTRA = [
    "livechat_active_chats",
    "livechat_report_total_chats",
    "livechat_report_response_time",
    "livechat_report_ratings",
    "livechat_report_duration",
]
ALL = (
    *ARCHIVE,
    "livechat_agents",
    "livechat_groups",
    "livechat_tags",
    "livechat_bots",
    *EXTRA,
)


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    with Sandbox(WORLD) as running:
        yield running


@pytest.fixture
def sandbox(shared: Sandbox) -> Sandbox:
    shared.world = WORLD
    for name, value in vars(Options()).items():
        setattr(shared.options, name, value)
    return shared


def config(sandbox: Sandbox, **settings: Any) -> dict[str, Any]:
    return full_config(sandbox, "livechat", livechat=settings)


def selected(tap: Runner, config: dict[str, Any], *streams: str) -> dict[str, Any]:
    """Return a catalog that selects some streams alone."""
    command = [*tap.command(config), "--discover"]
    catalog: dict[str, Any] = json.loads(tap.run(command).out)
    for entry in catalog["streams"]:
        entry["metadata"][-1]["metadata"]["selected"] = entry["tap_stream_id"] in streams
        for part in entry["metadata"]:
            if part["breadcrumb"] == []:
                part["metadata"]["selected"] = entry["tap_stream_id"] in streams
    return catalog


def test_every_row_of_every_stream_arrives_once(tap: Runner, sandbox: Sandbox) -> None:
    run = tap(config(sandbox, extra_streams=EXTRA))
    assert_complete(run, sandbox, *ALL)
    assert set(by_stream(run)) == {*ALL}
    [shown] = [line for line in run.err.splitlines() if "LiveChat was sent" in line]
    assert f"LiveChat was sent {sandbox.requests} requests." in shown


@pytest.mark.parametrize("bounds", ["both", "from", "to", "neither"])
@pytest.mark.parametrize(
    ("compares", "paging", "found"),
    [("created", "key", "none"), ("last_event", "time", "many"), ("created", "time", "about")],
)
def test_every_thread_arrives_whatever_the_filters_compare(
    tap: Runner, sandbox: Sandbox, compares: Any, paging: Any, found: Any, bounds: Any
) -> None:
    options = sandbox.options
    options.livechat_compares, options.livechat_paging = compares, paging
    options.livechat_found, options.livechat_bounds = found, bounds
    run = tap(config(sandbox, batch_size=1))
    assert run.code == 0, run.err
    tables = merged([run])
    for stream in ARCHIVE:
        assert in_order([*tables[stream].values()]) == in_order(sandbox.world.truth[stream])


@pytest.mark.parametrize("lists", ["all", "ended"])
@pytest.mark.parametrize("compares", ["created", "last_event"])
def test_next_runs_bring_what_changed(
    tap: Runner, sandbox: Sandbox, compares: Any, lists: Any
) -> None:
    sandbox.options.livechat_compares = compares
    sandbox.world = replace(WORLD, livechat_lists=lists)
    runs = [tap(config(sandbox))]
    for moment in (LATER, LATER + timedelta(days=4)):
        sandbox.world = replace(sandbox.world, now=moment)
        runs.append(tap(config(sandbox), state=runs[-1].state))
        assert_up_to_date(runs, sandbox, ARCHIVE)
    assert len(runs[-1].rows(THREADS)) < len(runs[0].rows(THREADS)) / 4
    assert len(json.dumps(runs[-1].state)) < 2000
    assert "bookmark" not in runs[-1].err.lower().partition("reading livechat_threads")[0]


def test_thread_that_was_active_is_read_to_its_end(tap: Runner, sandbox: Sandbox) -> None:
    """Neither the archive has it before it ends, nor does the lookback reach its beginning."""
    world = replace(WORLD, livechat_lists="ended", livechat_late_days=0.0)
    hours = (WORLD.now + timedelta(hours=number) for number in range(500))
    worlds = (replace(world, now=hour) for hour in hours)
    sandbox.world = next(world for world in worlds if world.truth["livechat_active_chats"])
    settings = config(sandbox, lookback_days=0)
    first = tap(settings)
    [active, *_] = sandbox.world.truth["livechat_active_chats"]
    began = active["last_thread_summary"]["created_at"]
    assert first.bookmark(THREADS) <= began
    sandbox.world = replace(sandbox.world, now=sandbox.world.now + timedelta(days=4))
    second = tap(config(sandbox, lookback_days=0), state=first.state)
    # The thread before it in its chat has changed, too, and is not read again.
    assert_up_to_date([first, second], sandbox, [EVENTS])


def test_bookmark_is_that_of_the_last_window_that_was_written(
    tap: Runner, sandbox: Sandbox
) -> None:
    # One worker, so that the same windows are written before the fault in every run.
    settings = config(sandbox, batch_size=10) | {"start_date": "2025-10-01", "max_workers": 1}
    sandbox.options.faults = [Fault(kind="status", path="list_archives", after=8, times=None)]
    first = tap(settings)
    assert first.code == 1
    assert "2025-11" < first.bookmark(THREADS) < "2026-01"
    sandbox.options.faults = []
    second = tap(settings, state=first.state)
    assert_up_to_date([first, second], sandbox, ARCHIVE)
    assert len(second.rows(THREADS)) < len(sandbox.world.truth[THREADS])


def test_window_with_too_many_threads_is_halved(tap: Runner) -> None:
    with Sandbox(replace(WORLD, chats=700), Options(livechat_found="many")) as sandbox:
        run = tap(config(sandbox, batch_size=3660))
        assert_complete(run, sandbox, *ARCHIVE)


@pytest.mark.parametrize(
    "settings",
    [
        {"entity_id": ENTITY_ID, "access_token": API_KEY},
        {"access_token": PAIR},
        {"access_token": "basic " + PAIR.rstrip("=")},
        {"access_token": f"Authorization: Basic {PAIR}"},
        {"access_token": PAIR, "entity_id": "agent@example.com"},
        {"access_token": API_KEY},
        {"access_token": f"Bearer {API_KEY}"},
    ],
)
def test_credential_has_any_of_the_forms_of_the_vendor(
    tap: Runner, sandbox: Sandbox, settings: dict[str, str]
) -> None:
    whole = config(sandbox)
    del whole["livechat"]["entity_id"]
    whole["livechat"] |= settings
    run = tap(whole)
    assert_complete(run, sandbox, "livechat_agents", THREADS)
    assert settings["access_token"] not in run.err
    # It is the same account, whatever the form.
    if "Bearer" not in settings["access_token"] and settings["access_token"] != API_KEY:
        again = tap(config(sandbox), state=run.state)
        assert "belongs to another account" not in again.err


def test_region_is_learned_from_the_error(tap: Runner, sandbox: Sandbox) -> None:
    sandbox.options.livechat_region = "fra"
    run = tap(config(sandbox))
    assert_complete(run, sandbox, *ARCHIVE)


def test_region_that_is_refused_again_is_an_error(tap: Runner, sandbox: Sandbox) -> None:
    body = {"error": {"type": "misdirected_request", "message": "", "data": {"region": "dal"}}}
    run = tap(failing(sandbox, 421, body))
    [error] = run.errors
    assert "421 Misdirected Request with the error `misdirected_request`" in error


def failing(
    sandbox: Sandbox, status: int, body: Any, *, times: int | None = None
) -> dict[str, Any]:
    """Return the config of a run whose requests for groups return a status and a body."""
    sandbox.options.faults = [
        Fault(
            kind="status", status=status, path="list_groups", literal=json.dumps(body), times=times
        )
    ]
    return config(sandbox)


@pytest.mark.parametrize("status", [400, 401, 403, 422])
@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("authentication", "livechat.access_token is wrong or expired"),
        ("authorization", "scope groups--all:ro"),
        ("missing_access", "scope groups--all:ro"),
        ("license_expired", "subscription"),
        ("wrong_product_version", "set livechat.api_version to 2"),
    ],
)
def test_error_of_a_right_or_plan_lets_an_optional_stream_be_left_out(
    tap: Runner, sandbox: Sandbox, status: int, name: str, remedy: str
) -> None:
    settings = failing(sandbox, status, {"error": {"type": name, "message": "hunter2"}})
    catalog = catalog_of("livechat_groups", "livechat_tags")
    run = tap(settings, catalog=catalog)
    assert run.code == 1
    assert f"with the error `{name}`" in run.errors[0]
    assert remedy in run.errors[0]
    settings["livechat"]["optional"] = ["livechat_groups"]
    run = tap(settings, catalog=catalog)
    assert run.code == 0, run.err
    assert run.rows("livechat_tags")
    assert "hunter2" not in run.err


@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize(
    "name", ["internal", "request_timeout", "service_unavailable", "too_many_requests"]
)
def test_error_that_may_pass_is_retried_whatever_its_status(
    tap: Runner, sandbox: Sandbox, status: int, name: str
) -> None:
    settings = failing(sandbox, status, {"error": {"type": name, "message": ""}}, times=1)
    run = tap(settings, catalog=catalog_of("livechat_groups"))
    assert_complete(run, sandbox, "livechat_groups")


def test_restricted_threads_are_counted(tap: Runner, sandbox: Sandbox) -> None:
    sandbox.world = replace(WORLD, livechat_history_days=60)
    run = tap(config(sandbox))
    assert_complete(run, sandbox, *ARCHIVE)
    restricted = sum("restricted_access" in row for row in run.rows(THREADS))
    assert restricted
    assert f"the access to {restricted} threads, of which {restricted} have no events" in run.err


def test_state_of_version_2_is_explained(tap: Runner, sandbox: Sandbox) -> None:
    sandbox.world = replace(WORLD, livechat_version="2")
    first = tap(config(sandbox))
    assert first.rows("livechat_chats")
    sandbox.world = WORLD
    run = tap(config(sandbox), state=first.state)
    assert_complete(run, sandbox, *ARCHIVE)
    [warning] = [line for line in run.err.splitlines() if "version 2 of LiveChat's API" in line]
    assert "set it to 2026-01-" in warning
    again = tap(config(sandbox), state=run.state)
    assert "version 2 of LiveChat's API" not in again.err


def test_report_is_read_by_a_catalog_and_continued(tap: Runner, sandbox: Sandbox) -> None:
    name = "livechat_report_total_chats"
    settings = config(sandbox, extra_streams=EXTRA)
    catalog = selected(tap, settings, name)
    first = tap(settings, catalog=catalog)
    assert_complete(first, sandbox, name)
    sandbox.world = replace(WORLD, now=LATER)
    second = tap(config(sandbox, extra_streams=EXTRA), catalog=catalog, state=first.state)
    assert_up_to_date([first, second], sandbox, [name])
    assert len(second.rows(name)) < 20


def test_catalog_of_the_other_version_is_explained(tap: Runner, sandbox: Sandbox) -> None:
    for version, stream, other in (("2", "livechat_chats", "3.6"), ("3.6", THREADS, "2")):
        settings = config(sandbox, api_version=version, extra_streams=[])
        catalog = selected(tap, settings, stream)
        run = tap(config(sandbox, api_version=other, extra_streams=[]), catalog=catalog)
        assert run.code == 1
        [error] = run.errors
        assert f"The catalog selects {stream}: set livechat.api_version to {version}" in error


def checked(tap: Runner, settings: dict[str, Any]) -> Run:
    command, *files = tap.command(settings)
    return tap.run([command, "--test", *files])


def test_connection_test_tells_which_groups_the_token_reads(tap: Runner, sandbox: Sandbox) -> None:
    run = checked(tap, config(sandbox))
    assert run.code == 0, run.err
    assert b"The token reads the threads of all 3 groups." in run.out
    sandbox.world = replace(WORLD, livechat_groups="own")
    run = checked(tap, config(sandbox))
    assert run.code == 0, run.err
    assert b"No thread of 1 of the 3 groups was found" in run.out
    assert b"chats--all:ro" in run.out
    body = json.dumps({"error": {"type": "authorization", "message": ""}})
    sandbox.options.faults = [Fault(kind="status", status=403, path="list_groups", literal=body)]
    run = checked(tap, config(sandbox))
    assert run.code == 0, run.err
    assert b"it has no right to list groups" in run.out


@pytest.mark.parametrize("header", ["legacy", "deprecation"])
def test_end_of_the_version_is_logged_once(tap: Runner, sandbox: Sandbox, header: str) -> None:
    setattr(sandbox.options, f"livechat_{header}", "2026-12-31")
    run = tap(config(sandbox))
    said = f"will end, as its responses say: {header.title()} 2026-12-31."
    assert run.err.count(said) == 1
    assert said.encode() in checked(tap, config(sandbox)).out
