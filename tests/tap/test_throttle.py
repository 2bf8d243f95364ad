"""The server's rate limit: it is found, fully used, and kept."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

import pytest
from limiters.cases import CASES, COUNTS, NOTHING, WAIT, Case, Reports, always, exactly
from limiters.page import STARTS, Start, meet, rows
from limiters.servers import AtOnce, Bucket, Each, Strays, Windows
from limiters.simulation import MEAN, Simulation
from running import assert_complete, chat_config, full_config
from typing_extensions import override

from tap_chat.http.rate_limits import headers as limits
from tap_chat.http.rate_limits.headers import LimitHeaders
from tap_chat.http.rate_limits.pacer import Pacer
from tap_chat.http.rate_limits.throttle import StarvedError, Throttle
from tap_chat.sandbox import Options, Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from limiters.servers import Limit
    from running import Runner

FRESH, USED_UP = Start(16, used=False), Start(16, used=True)
ALONE = Start(1, used=False)


def throttle(max_wait: float = 900) -> Throttle:
    return Throttle(None, workers=16, max_wait=max_wait, name="Chat")


@pytest.mark.parametrize("start", [FRESH, USED_UP, ALONE])
@pytest.mark.parametrize(
    ("server", "reports", "seconds"),
    [
        # By the second, by 40 s and by the hour; a bucket, and one that keeps them apart.
        (lambda: Windows(20, 1, 0.37), NOTHING, 60),
        (lambda: Windows(20, 1, 0.37), WAIT, 60),
        (lambda: Windows(300, 40, 15), NOTHING, 400),
        (lambda: Windows(100, 15, 5), WAIT, 200),
        (lambda: Windows(1000, 3600, 1332), NOTHING, 18000),
        (lambda: Windows(1000, 3600, 1332), WAIT, 18000),
        (lambda: Bucket(10, 20), NOTHING, 90),
        (lambda: Bucket(10, 1), NOTHING, 60),
    ],
)
def test_rate_is_found(
    server: Callable[[], Limit], reports: Reports, seconds: float, start: Start
) -> None:
    outcome = meet(Case("", server, reports, seconds), start)
    assert outcome.share >= 0.9
    assert outcome.often <= 5
    assert outcome.stall <= outcome.span


@pytest.mark.parametrize("start", [FRESH, USED_UP, ALONE])
@pytest.mark.parametrize("window", [Windows(20, 1, 0.37), Windows(100, 15, 5)])
def test_remaining_requests_are_used_without_a_refusal(window: Windows, start: Start) -> None:
    def server() -> Limit:
        return Windows(window.count, window.span, window.phase)

    outcome = meet(Case("", server, COUNTS, 20 * window.span), start)
    assert outcome.share >= 0.95
    # Those that are under way when the first response reports that nothing is left.
    assert outcome.refused <= start.workers
    assert outcome.often == 0


def test_exaggerated_wait_is_corrected_within_seconds() -> None:
    case = Case("", lambda: Windows(20, 1, 0.37), always(30), 600)
    assert meet(case, FRESH).share >= 0.65
    assert meet(case, ALONE).share >= 0.65


@pytest.mark.parametrize("reports", [NOTHING, always(1)])
def test_concurrency_limit_is_met_by_fewer_requests_at_once(reports: Reports) -> None:
    pacer = Pacer(None, 16)
    outcome = Simulation(Case("", lambda: AtOnce(4), reports, 60), pacer, 16, used=False).run()
    assert outcome.share >= 0.85
    assert pacer.learner.rate.value is None
    assert pacer.learner.concurrency.value in {3, 4, 5, 6}


def test_stray_refusals_cost_little() -> None:
    assert meet(Case("", lambda: Strays(0.01), NOTHING, 30), ALONE).share >= 0.95
    assert meet(Case("", lambda: Strays(0.001), NOTHING, 30), FRESH).share >= 0.9
    once = Case("", lambda: Strays(0.0001, 30), always(30), 300)
    assert meet(once, FRESH).share >= 0.9


@pytest.mark.parametrize("start", [FRESH, ALONE])
@pytest.mark.parametrize("reports", [NOTHING, always(0)])
@pytest.mark.parametrize(
    ("server", "each"),
    [(lambda: Each(2), 1), (lambda: Strays(0.5), 1), (lambda: Strays(0.1), 9)],
)
def test_refusals_at_random_cost_no_more_than_a_short_wait(
    server: Callable[[], Limit], each: int, reports: Reports, start: Start
) -> None:
    seconds = 120
    case = Case("", server, reports, seconds)
    simulation = Simulation(case, Pacer(None, start.workers), start.workers, used=False)
    simulation.run()
    # Each refusal costs a fifth of a second, and each accepted request what it takes.
    assert len(simulation._accepted) >= seconds / (0.2 / each + MEAN)


def test_shrunken_limit_is_kept_despite_random_refusals() -> None:
    class Shrinking(Bucket):
        @override
        def take(self, now: float) -> bool:
            self.rate = 40 if now < 60 else 2
            return super().take(now)

    pacer = Pacer(None, 16)
    case = Case("", lambda: Shrinking(40, 1), NOTHING, 300)
    outcome = Simulation(case, pacer, 16, used=False).run()
    assert outcome.refused <= 150
    assert pacer.learner.rate.value == pytest.approx(2, rel=0.2)


@pytest.mark.parametrize("start", [FRESH, ALONE])
def test_wrong_remaining_headers_are_detected(start: Start) -> None:
    lies = Reports("", reset=exactly, full=True)
    assert meet(Case("", lambda: Windows(20, 1, 0.37), lies, 60), start).share >= 0.9


@pytest.mark.parametrize("start", [FRESH, ALONE])
@pytest.mark.parametrize("seconds", ["2", "600"])
def test_wrong_report_that_nothing_is_left_is_ignored(seconds: str, start: Start) -> None:
    empty = Reports("", reset=lambda _: seconds, empty=True)
    case = Case("", lambda: Strays(0), empty, 60 + float(seconds))
    simulation = Simulation(case, Pacer(None, start.workers), start.workers, used=False)
    simulation.run()
    assert len([at for at in simulation._accepted if at > float(seconds) + 5]) >= 1000


@pytest.mark.parametrize("start", [FRESH, USED_UP, ALONE])
def test_one_request_in_a_window_is_believed_again_when_it_is_true(start: Start) -> None:
    outcome = meet(Case("", lambda: Windows(1, 2, 0.7), COUNTS, 300), start)
    assert outcome.share >= 0.95
    assert outcome.refused <= 3 + 3 * start.workers


def test_server_that_lies_twice_is_not_believed() -> None:
    pacer = Pacer(None, 16)
    full = LimitHeaders(remaining=100, reset=60)
    pacer.accepted(0.1, pacer.send(0.0), full)
    assert pacer.budget.is_known
    for moment in (1.0, 2.0):
        pacer.refused(moment, pacer.send(moment), full)
    assert not pacer.budget.is_known


def test_changing_rate_limit_is_followed() -> None:
    class Changing(Windows):
        @override
        def take(self, now: float) -> bool:
            self.count = 100 if now < 60 or now > 120 else 20
            return super().take(now)

    pacer = Pacer(None, 16)
    simulation = Simulation(Case("", lambda: Changing(100, 1), NOTHING, 300), pacer, 16, used=False)
    outcome = simulation.run()
    assert outcome.share >= 0.75 * (240 + 60 / 5) / 300
    assert outcome.refused <= 1000


@pytest.mark.parametrize("rate", [2, 4])
def test_limit_that_rises_fivefold_is_reached_within_a_minute(rate: int) -> None:
    class Rising(Bucket):
        @override
        def take(self, now: float) -> bool:
            self.rate = rate if now < 120 else 5 * rate
            return super().take(now)

    case = Case("", lambda: Rising(rate, 1), NOTHING, 180)
    simulation = Simulation(case, Pacer(None, 16), 16, used=False)
    simulation.run()
    last = [moment for moment in simulation._accepted if 170 <= moment < 180]
    assert len(last) >= 0.8 * 10 * 5 * rate


@pytest.mark.parametrize("latency", [0.001, 0.05])
def test_rate_limit_of_the_settings_is_used_at_once_and_never_exceeded(latency: float) -> None:
    pacer = Pacer(600, 1)
    now, sent = 0.0, []
    for _ in range(1800):
        now += max(0.0, pacer.delay(now))
        turn = pacer.send(now)
        sent.append(now)
        now += latency
        pacer.accepted(now, turn, limits.NOTHING)
    assert all(later - sooner > 60 for sooner, later in zip(sent, sent[600:], strict=False))
    # Two minutes at least, for the third 600 come after two whole windows.
    assert now < 1.05 * (120 + 600 * latency)


@pytest.mark.parametrize("per_minute", [0.5, 1, 7.5])
def test_slow_rate_limit_is_kept(per_minute: float) -> None:
    pacer = Pacer(per_minute, 1)
    now = 0.0
    for _ in range(30):
        now += max(0.0, pacer.delay(now))
        pacer.accepted(now, pacer.send(now), limits.NOTHING)
    least = (30 - max(1, int(per_minute))) / per_minute * 60
    assert least <= now < 1.05 * 30 / per_minute * 60


@pytest.mark.parametrize(
    ("per_minute", "count", "span"), [(None, 20, 10), (600, 600, 60), (30, 30, 60)]
)
def test_documented_limit_applies_where_the_settings_have_none(
    per_minute: float | None, count: int, span: float
) -> None:
    pacer = Pacer(per_minute, 1, (20, 10))
    now, sent = 0.0, []
    for _ in range(3 * count):
        now += max(0.0, pacer.delay(now))
        sent.append(now)
        pacer.accepted(now, pacer.send(now), limits.NOTHING)
    assert all(later - sooner > span for sooner, later in zip(sent, sent[count:], strict=False))
    assert now < 1.05 * 2 * span


def test_pause_holds_all_threads() -> None:
    pacer = Pacer(None, 16)
    pacer.pause(0.0, 30)
    assert pacer.delay(10.0) == 20
    pacer.pause(10.0, 5)
    assert pacer.delay(10.0) == 20


def test_one_request_tests_whether_a_block_is_over() -> None:
    pacer = Pacer(None, 16)
    turns = [pacer.send(0.0) for _ in range(3)]
    for turn in turns:
        pacer.refused(0.1, turn, LimitHeaders(wait=5))
    assert pacer.delay(0.1) == 5
    looks = pacer.send(5.2)
    assert pacer.delay(60) == float("inf")
    # If the test gets no response, another request tests later.
    pacer.failed(60, looks)
    assert 0 < pacer.delay(60) < 60
    looks = pacer.send(120)
    pacer.accepted(120.1, looks, limits.NOTHING)
    assert pacer.delay(130) <= 0


def test_no_limit_costs_no_time() -> None:
    unlimited = throttle()
    begun = time.perf_counter()
    for _ in range(2000):
        unlimited.accepted(unlimited.enter(), limits.NOTHING)
    assert time.perf_counter() - begun < 0.5
    assert (unlimited.sent, unlimited.refused_count, unlimited.waited) == (2000, 0, 0)
    assert unlimited.summary() is None


def test_threads_take_turns(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    server, lock = Bucket(200, 10), threading.Lock()
    begun = time.monotonic()
    shared = throttle()
    accepted: list[object] = []

    def work() -> None:
        while len(accepted) < 200:
            turn = shared.enter()
            with lock:
                taken = server.take(time.monotonic() - begun)
            if taken:
                accepted.append(turn)
                shared.accepted(turn, limits.NOTHING)
            else:
                shared.refused(turn, limits.NOTHING)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - begun < 3
    assert shared.sent == len(accepted) + shared.refused_count
    assert 0 < shared.refused_count < 100
    summary = shared.summary()
    assert summary is not None
    assert summary.startswith("Chat: waited ")
    assert any("Chat: rate limit of about " in line for line in caplog.messages)


class Clock:
    """A simulated clock."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def pass_for(self, shared: Throttle) -> None:
        """Let the time pass until no thread waits."""
        self.now += max(0.0, shared._pacer.delay(self.now))


def refuse_until_starved(told: LimitHeaders, max_wait: float) -> tuple[float, float]:
    """Return the time at which a throttle gives up, and its error."""
    clock = Clock()
    shared = Throttle(None, workers=1, max_wait=max_wait, name="Chat", clock=clock)
    while True:
        clock.pass_for(shared)
        try:
            shared._check_starved(clock.now)
        except StarvedError as error:
            return clock.now, error.seconds
        shared.refused(shared.enter(), told)


def test_run_without_an_accepted_request_ends() -> None:
    ended, seconds = refuse_until_starved(limits.NOTHING, 900)
    assert 900 <= ended <= 960
    assert seconds == pytest.approx(ended, abs=1)
    # The first wait that the server asks for is added, and no other.
    ended, _ = refuse_until_starved(LimitHeaders(wait=60), 900)
    assert 960 <= ended <= 1020
    ended, _ = refuse_until_starved(LimitHeaders(wait=2400), 900)
    assert 3300 <= ended <= 4800


def test_correct_wait_beyond_max_wait_is_survived() -> None:
    clock = Clock()
    shared = Throttle(None, workers=1, max_wait=900, name="Chat", clock=clock)
    for _ in range(3):
        clock.pass_for(shared)
        shared.refused(shared.enter(), LimitHeaders(wait=2400))
        clock.pass_for(shared)
        shared.accepted(shared.enter(), limits.NOTHING)


def test_waiting_thread_learns_that_no_request_is_accepted() -> None:
    starving = throttle(max_wait=0.2)
    starving.refused(starving.enter(), limits.NOTHING)
    starving.pause(60)
    begun = time.monotonic()
    with pytest.raises(StarvedError):
        starving.enter()
    assert time.monotonic() - begun < 2


def test_wait_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = Clock()
    shared = Throttle(None, workers=1, max_wait=900, name="Chat", clock=clock)
    shared.refused(shared.enter(), LimitHeaders(wait=100))
    waiting = threading.Thread(target=shared.enter)
    waiting.start()
    while not shared._is_watched:
        time.sleep(0.001)
    clock.now = 100
    with shared._changed:
        shared._changed.notify_all()
    waiting.join()
    assert caplog.messages == ["Chat: waiting 100 s for the rate limit."]


def test_wait_after_the_last_request_of_a_window_is_logged_and_ends(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    clock = Clock()
    shared = Throttle(None, workers=1, max_wait=900, name="Chat", clock=clock)
    shared.accepted(shared.enter(), LimitHeaders(remaining=0, reset=3600))
    waiting = threading.Thread(target=shared.enter)
    waiting.start()
    while not shared._is_watched:
        time.sleep(0.001)
    clock.now = 3601
    with shared._changed:
        shared._changed.notify_all()
    waiting.join()
    assert caplog.messages == ["Chat: waiting 3600 s for the rate limit."]
    # The first wait that the server asks for is added to the time after which the run ends.
    clock.now = 4499
    shared._check_starved(clock.now)
    clock.now = 4501
    with pytest.raises(StarvedError):
        shared._check_starved(clock.now)


def test_page_has_each_server() -> None:
    cases = [case for group in CASES.values() for case in group]
    assert [cells[:2] for cells in rows()] == [[case.name, case.reports.words] for case in cases]


@pytest.mark.parametrize("number", [0, 11, 57])
def test_page_shows_the_result_of_each_server(number: int) -> None:
    case = [case for group in CASES.values() for case in group][number]
    share = [cells[2] for cells in rows()][number]
    assert min(meet(case, start).share for start in STARTS) == pytest.approx(
        float(share.removesuffix("%")) / 100, abs=0.01
    )


@pytest.mark.parametrize("workers", [1, 16])
def test_server_with_a_low_limit_is_read_with_few_refusals(tap: Runner, workers: int) -> None:
    options = Options(rate_limit=100, rate_window=1)
    with Sandbox(World(users=60, conversations=150), options) as sandbox:
        run = tap(full_config(sandbox, "freshchat") | {"max_workers": workers})
        assert_complete(run, sandbox, "freshchat_conversations_messages")
        assert sandbox.app.refused <= 0.05 * sandbox.requests + workers


def test_refusal_without_a_time_to_wait_is_waited_out(tap: Runner) -> None:
    options = Options(dixa_rate_limit=4, rate_window=1)
    with Sandbox(World(dixa_conversations=300), options) as sandbox:
        run = tap(full_config(sandbox, "dixa", dixa={"batch_size": 20, "backoff_factor": 1}))
        assert_complete(run, sandbox, "dixa_conversation_export")
        assert sandbox.requests > 8


def test_rate_limit_of_the_settings_is_shared_by_all_workers(tap: Runner) -> None:
    with Sandbox(World(messages=900), Options(rate_limit=1000)) as sandbox:
        run = tap(chat_config(sandbox, requests_per_minute=1000))
        assert run.code == 0
        assert sandbox.app.refused == 0
