"""Freshchat's raw reports: jobs, files on another host, and their CSV."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import replace
from datetime import UTC, datetime
from threading import Semaphore
from typing import TYPE_CHECKING, Any

import pytest
from running import by_stream, ended_after, full_config, in_order, merged, missing

from tap_chat.http.errors import RefusedError
from tap_chat.platforms.freshchat.report_queue import ReportJob, ReportQueue, ReportSpan
from tap_chat.sandbox import Fault, Options, Sandbox, World
from tap_chat.tap import TapChat

if TYPE_CHECKING:
    from running import Run, Runner

SCORES, EVENTS = "freshchat_csat_scores", "freshchat_conversation_events"
TRANSCRIPTS = "freshchat_chat_transcripts"
ALL = (SCORES, EVENTS, TRANSCRIPTS)
WORLD = World(users=20, conversations=200)
#: A few windows before the time of the sandbox.
START = "2026-01-20T00:00:00.000Z"
FILES, JOBS = "/report-files/", "/reports/raw"


def config_of(sandbox: Sandbox, *, workers: int = 4, **settings: Any) -> dict[str, Any]:
    """Return a config of all streams of reports, from START on."""
    of_reports = {"reports_start_date": START, "report_poll_seconds": 0.01}
    extra = {"extra_streams": [SCORES, EVENTS, TRANSCRIPTS]}
    config = full_config(sandbox, "freshchat", freshchat=of_reports | extra | settings)
    return config | {"max_workers": workers}


def catalog_of(config: dict[str, Any], *streams: str) -> dict[str, Any]:
    """Return the catalog that selects some streams."""
    catalog = TapChat(config=config).catalog_dict
    for entry in catalog["streams"]:
        [of_stream] = [of for of in entry["metadata"] if not of["breadcrumb"]]
        of_stream["metadata"]["selected"] = entry["tap_stream_id"] in streams
    return catalog


def read(tap: Runner, config: dict[str, Any], *streams: str, **files: Any) -> Run:
    """Run the tap for some streams alone."""
    return tap(config, catalog=catalog_of(config, *streams), **files)


def truth(sandbox: Sandbox, stream: str, start: str = START) -> list[dict[str, Any]]:
    """Return the rows of a stream from a time on."""
    rows = {**sandbox.world.truth, TRANSCRIPTS: sandbox.world.freshchat.transcripts}[stream]
    return [row for row in rows if (row.get("created_at") or row["created_time"]) >= start]


def assert_whole(run: Run, sandbox: Sandbox, *streams: str) -> None:
    """Check that a run wrote each row of some streams once."""
    assert run.code == 0, run.err
    for stream in streams:
        rows = truth(sandbox, stream)
        assert rows
        assert in_order(by_stream(run)[stream]) == in_order(rows), stream


@pytest.mark.parametrize(
    ("workers", "options"),
    [
        (4, Options()),
        (1, Options(report_bounds="()", report_format="csv", report_times="iso")),
        (4, Options(report_bounds="[)", report_empty="no_file")),
        (4, Options(report_bounds="(]", report_empty="no_link", report_delay=0.02)),
    ],
)
def test_every_row_arrives_once_whatever_the_form(
    tap: Runner, workers: int, options: Options
) -> None:
    with Sandbox(WORLD, options) as sandbox:
        run = read(tap, config_of(sandbox, workers=workers), *ALL)
        assert_whole(run, sandbox, *ALL)
    assert "WARNING" not in run.err


@pytest.mark.parametrize("bounds", ["[]", "()"])
def test_row_at_the_bound_of_a_span_arrives(tap: Runner, bounds: Any) -> None:
    with Sandbox(WORLD, Options(report_bounds=bounds)) as sandbox:
        rows = truth(sandbox, TRANSCRIPTS)
        bound = rows[len(rows) // 2]["created_time"]
        config = config_of(sandbox, lookback_days=0)
        first = read(tap, config | {"end_date": bound}, TRANSCRIPTS)
        assert first.bookmark(TRANSCRIPTS)[:23] == bound[:23]
        second = read(tap, config, TRANSCRIPTS, state=first.state)
        found = [*first.rows(TRANSCRIPTS), *second.rows(TRANSCRIPTS)]
        assert missing(rows, found) == []


def test_later_runs_bring_what_changed_and_little_else(tap: Runner) -> None:
    with Sandbox(WORLD) as sandbox:
        config = config_of(sandbox)
        runs = [read(tap, config, *ALL)]
        for now in (datetime(2026, 2, 2, tzinfo=UTC), datetime(2026, 2, 3, tzinfo=UTC)):
            sandbox.world = replace(sandbox.world, now=now)
            before = sandbox.requests
            config |= {"end_date": now.isoformat()}
            runs.append(read(tap, config, *ALL, state=runs[-1].state))
            # A report takes a request for the job, one for its status and one for each file.
            assert sandbox.requests - before < 60
        tables = merged(runs)
        for stream in ALL:
            rows = truth(sandbox, stream)
            assert in_order(list(tables[stream].values())) == in_order(rows), stream
            assert runs[1].rows(stream)
            assert len(runs[2].rows(stream)) < len(runs[0].rows(stream))
    assert len(str(runs[-1].state)) < 3000


def test_late_rows_arrive_within_the_lookback(tap: Runner) -> None:
    with Sandbox(WORLD, Options(report_lag=20)) as sandbox:
        config = config_of(sandbox)
        first = read(tap, config, TRANSCRIPTS)
        rows = truth(sandbox, TRANSCRIPTS)
        assert missing(rows, first.rows(TRANSCRIPTS))
        sandbox.options.report_lag = 0
        second = read(tap, config, TRANSCRIPTS, state=first.state)
        found = [*first.rows(TRANSCRIPTS), *second.rows(TRANSCRIPTS)]
        assert missing(rows, found) == []


def test_killed_run_continues_with_its_window(tap: Runner) -> None:
    with Sandbox(WORLD) as sandbox:
        config = config_of(sandbox)
        command = tap.command(config, catalog=catalog_of(config, TRANSCRIPTS))
        killed = ended_after(command, 300, signal.SIGKILL)
        whole = replace(killed, out=killed.out[: killed.out.rfind(b"\n") + 1])
        assert whole.bookmark(TRANSCRIPTS) > START
        rest = read(tap, config, TRANSCRIPTS, state=whole.state)
        assert rest.code == 0, rest.err
        rows = truth(sandbox, TRANSCRIPTS)
        assert missing(rows, [*whole.rows(TRANSCRIPTS), *rest.rows(TRANSCRIPTS)]) == []
        assert len(rest.rows(TRANSCRIPTS)) < len(rows)


def test_columns_with_other_names_are_known_or_kept(tap: Runner) -> None:
    with Sandbox(WORLD, Options(report_columns="other")) as sandbox:
        run = read(tap, config_of(sandbox), *ALL)
        for stream in ALL:
            found = by_stream(run)[stream]
            assert {str(row.pop("other_columns", {})) for row in found} == {
                "{}",
                "{'Sentiment': 'good'}",
            }
            assert in_order(found) == in_order(truth(sandbox, stream)), stream
    warnings = [line for line in run.err.splitlines() if "WARNING" in line]
    assert [line.partition("reports of ")[2].split()[0] for line in warnings] == [*ALL]
    assert all("a column 'Sentiment' that is not declared" in line for line in warnings)


def test_times_of_another_zone_lose_no_row(tap: Runner) -> None:
    with Sandbox(WORLD, Options(report_times="zone")) as sandbox:
        run = read(tap, config_of(sandbox), TRANSCRIPTS)
        rows = {row["message_id"] for row in truth(sandbox, TRANSCRIPTS)}
        assert {row["message_id"] for row in run.rows(TRANSCRIPTS)} == rows
    assert "Perhaps the times are not in UTC." in run.err


@pytest.mark.parametrize(
    "fault",
    [
        Fault(kind="report", literal="FAILED", path=JOBS, times=2),
        Fault(kind="report", literal="PENDING", path=JOBS, times=1),
        Fault(kind="status", status=403, path=FILES),
        Fault(kind="status", status=503, path=FILES, times=2),
        Fault(kind="cut", path=FILES),
        Fault(kind="truncate", path=FILES),
        Fault(kind="empty", path=JOBS),
        Fault(kind="html", path=FILES),
        Fault(kind="reset", path=JOBS),
        Fault(kind="status", status=404, path=f"{JOBS}/", times=2),
        Fault(kind="status", status=202, literal='{"status": "ACCEPTED"}', path=f"{JOBS}/"),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.literal}-{fault.status}-{fault.path}",
)
def test_fault_that_passes_loses_nothing(tap: Runner, fault: Fault) -> None:
    with Sandbox(WORLD, Options(faults=[fault])) as sandbox:
        run = read(tap, config_of(sandbox, report_wait=0.5), SCORES)
        assert_whole(run, sandbox, SCORES)
        assert "signature" not in run.err


def named(address: str) -> str:
    """Return the response about a job with one file."""
    return json.dumps({"id": "x", "status": "COMPLETED", "links": [{"link": {"href": address}}]})


def test_report_that_is_looked_up_again_may_have_more_files(tap: Runner) -> None:
    start = "2025-12-19T00:00:00.000Z"
    fault = Fault(kind="body", literal=named("/nothing"), path=f"{JOBS}/")
    with Sandbox(WORLD, Options(faults=[fault])) as sandbox:
        run = read(tap, config_of(sandbox, reports_start_date=start), SCORES)
        assert run.code == 0, run.err
        assert in_order(by_stream(run)[SCORES]) == in_order(truth(sandbox, SCORES, start))


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (
            Fault(kind="report", literal="FAILED", path=JOBS, times=None),
            ["has the status FAILED. It was requested 3 times in all.", "ask Freshchat's support"],
        ),
        (
            Fault(kind="report", literal="QUEUED", path=JOBS, times=None),
            ["is not ready after 0 s (setting freshchat.report_wait)"],
        ),
        (
            Fault(kind="status", status=403, path=FILES, times=None),
            ["http://localhost:", "/*** returned 403 Forbidden", "may be out of time"],
        ),
        (Fault(kind="html", path=FILES, times=None), ["a web page instead of CSV"]),
        (
            Fault(kind="body", literal="a,b\n1,2\n", path=FILES, times=None),
            ["returned a report without the column conversation_id"],
        ),
        (
            # A report without rows has a header: another line is not one.
            Fault(kind="body", literal='{"error": "expired"}', path=FILES, times=None),
            ["returned a report without the column conversation_id"],
        ),
        (
            Fault(kind="body", literal='conversation_id\n"1', path=FILES, times=None),
            ["returned a file that is not valid CSV"],
        ),
        (
            Fault(kind="body", literal=named("ftp://host/file"), path=f"{JOBS}/", times=None),
            ["named a file whose address is not a URL with https://"],
        ),
        (
            Fault(kind="body", literal=named("http://user@host/file"), path=f"{JOBS}/", times=None),
            ["named a file whose address is not a URL with https://"],
        ),
        (Fault(kind="null", path=JOBS, times=None), ["returned no id of the report, but null"]),
    ],
    ids=lambda value: value.kind if isinstance(value, Fault) else "",
)
def test_fault_that_stays_ends_the_run(tap: Runner, fault: Fault, words: list[str]) -> None:
    with Sandbox(WORLD, Options(faults=[fault])) as sandbox:
        config = config_of(sandbox, report_wait=0.01, optional=[SCORES])
        run = read(tap, config, SCORES)
        assert run.code == 1
        [error] = run.errors
        assert error.startswith(f"Stream {SCORES}: ")
        assert all(word in error for word in words), error
        assert "signature" not in run.err
        sandbox.options.faults = []
        assert_whole(read(tap, config, SCORES, state=run.state), sandbox, SCORES)


HEADER = "conversation_id,created_at,value\n"


def test_rows_that_share_a_key_are_kept_apart_or_counted(tap: Runner) -> None:
    rows = [f"{number},2026-01-25,5\n" for number in range(600)]
    text = "".join([HEADER, *rows, "0,2026-01-25,4\n", rows[0], "1\n"])
    body = Fault(kind="body", literal=text, path=FILES, times=None)
    with Sandbox(WORLD, Options(faults=[body])) as sandbox:
        run = read(tap, config_of(sandbox), SCORES)
        body.literal = text.replace("conversation_id", "conversation_id,message_id").replace(
            ",2026", ",m,2026"
        )
        transcripts = read(tap, config_of(sandbox, lookback_days=0), TRANSCRIPTS)
    assert run.code == transcripts.code == 0, run.err
    rated = [row for row in run.rows(SCORES) if row["conversation_id"] == "0"]
    assert len({(row["id"], row["value"]) for row in rated}) == len({row["id"] for row in rated})
    assert {row["value"] for row in rated} == {"4", "5"}
    assert f"Rows of {SCORES} with the key of another row" not in run.err
    assert f"Rows of {TRANSCRIPTS} with the key of another row" in transcripts.err
    assert f"Rows of {SCORES} with fewer cells than their header" in run.err


def test_rows_without_a_column_of_times_stay_apart(tap: Runner) -> None:
    literal = "conversation_id,Rated on,value\n1,May,5\n1,June,4\n"
    body = Fault(kind="body", literal=literal, path=FILES, times=None)
    with Sandbox(WORLD, Options(faults=[body])) as sandbox:
        run = read(tap, config_of(sandbox), SCORES)
        again = read(tap, config_of(sandbox), SCORES)
    keys = {row["id"] for row in run.rows(SCORES)}
    assert len(keys) == 2
    assert {row["id"] for row in again.rows(SCORES)} == keys


def test_account_without_reports_is_left_out_only_by_the_setting(tap: Runner) -> None:
    faults = [Fault(kind="status", status=403, path=JOBS, times=None)]
    with Sandbox(WORLD, Options(faults=faults)) as sandbox:
        run = read(tap, config_of(sandbox, optional=[SCORES]), SCORES)
        assert run.code == 0, run.err
        assert "The stream is left out, as it is in freshchat.optional." in run.err
        strict = read(tap, config_of(sandbox), SCORES)
        assert strict.code == 1
        assert "freshchat.api_key may not read this" in strict.errors[0]


def test_reports_are_paced_and_other_streams_are_not(tap: Runner) -> None:
    with Sandbox(WORLD, Options(reports_per_window=1)) as sandbox:
        config = config_of(sandbox, reports_per_minute=1)
        others = [name for name in sandbox.world.rows if name.startswith("freshchat")]
        others = [name for name in others if name not in ALL]
        lines = sum(sandbox.world.rows[name] for name in others)
        command = tap.command(config, catalog=catalog_of(config, *others, EVENTS))
        started = time.monotonic()
        ended_after(command, lines, signal.SIGKILL)
        assert time.monotonic() - started < 40
        assert sandbox.app.refused == 0


def test_log_shows_that_reports_do_not_go_back_so_far(tap: Runner) -> None:
    with Sandbox(replace(WORLD, now=datetime.now(UTC))) as sandbox:
        config = config_of(sandbox, reports_start_date="2019-01-01", reports_months=1)
        run = read(tap, config, SCORES)
        assert run.code == 0, run.err
    assert "Freshchat makes reports of the last 1 months (freshchat.reports_months)" in run.err


def test_job_that_fails_once_does_not_stop_those_after_it() -> None:
    posted: list[str] = []
    start = datetime(2026, 1, 1, tzinfo=UTC)
    spans = [ReportSpan(name, start, start) for name in "abc"]

    def post(span: ReportSpan) -> ReportJob:
        posted.append(span.event)
        if posted == ["a"]:
            raise RefusedError("429")
        done.release()
        return ReportJob(span.event, start, 0.0)

    done = Semaphore(0)
    queue = ReportQueue(is_ahead=True)
    queue.expect(spans, post)
    assert [done.acquire(timeout=10) for _ in "bc"] == [True, True]
    assert [queue.job(span, post).id for span in spans] == ["a", "b", "c"]
    assert posted == ["a", "b", "c", "a"]
