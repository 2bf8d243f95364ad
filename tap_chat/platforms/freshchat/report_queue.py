"""The jobs of reports in a run: each is posted once, and some are posted ahead.

Freshchat takes one report a minute. So reports are requested from the start of a run on, by a
thread of its own, while other streams are read.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_chat.http.errors import RefusedError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    Post = Callable[["ReportSpan"], "ReportJob"]

logger = logging.getLogger(__name__)

#: The most jobs that are posted and not read. A run that is killed leaves no more of them.
MOST_AHEAD = 10

#: Seconds after which a waiting thread looks again. Where a lock can't be interrupted, a signal
#: waits this long.
LONGEST_SLEEP = 1.0


@dataclass(frozen=True, slots=True)
class ReportSpan:
    """A report of a span of time.

    Attributes:
        event: The name of the report in the API.
        start: The start of the span.
        end: The end of the span.
    """

    event: str
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class ReportJob:
    """A job that makes a report.

    Attributes:
        id: Its id.
        sent_at: When it was posted, by the server's clock; `FAR` if that is unknown.
        posted: When it was posted, in seconds of the monotonic clock.
    """

    id: str
    sent_at: datetime
    posted: float


class ReportQueue:
    """The jobs of the reports of a run; safe to use from several threads.

    Args:
        is_ahead: Whether jobs are posted ahead, by a thread.
    """

    def __init__(self, *, is_ahead: bool) -> None:
        self._is_ahead = is_ahead
        self._changed = threading.Condition()
        self._expected: deque[Iterator[tuple[ReportSpan, Post]]] = deque()
        self._jobs: dict[ReportSpan, ReportJob] = {}
        # The reports whose jobs are posted and not read, and those that were read.
        self._unread: set[ReportSpan] = set()
        self._read: set[ReportSpan] = set()
        self._posting: ReportSpan | None = None
        self._thread: threading.Thread | None = None

    def expect(self, spans: Iterable[ReportSpan], post: Post) -> None:
        """Post jobs ahead, after those that are expected already.

        Args:
            spans: The reports, in the order in which they will be read.
            post: Posts the job of one, once: it is posted again when it is read.
        """
        expected = [(span, post) for span in spans]
        if not (self._is_ahead and expected):
            return
        with self._changed:
            self._expected.append(iter(expected))
            if self._thread is None:
                thread = threading.Thread(target=self._post_ahead, daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:  # the system allows no more threads
                    logger.debug("%s Reports are requested when they are read.", error)
                    self._is_ahead = False
                    self._expected.clear()
                else:
                    self._thread = thread

    def job(self, span: ReportSpan, post: Post) -> ReportJob:
        """Return the job of a report.

        Args:
            span: The report.
            post: Posts its job, if there is none.
        """
        with self._changed:
            while self._posting == span:
                self._changed.wait(LONGEST_SLEEP)
            self._read.add(span)
            self._unread.discard(span)
            self._changed.notify_all()
            if job := self._jobs.get(span):
                return job
        job = post(span)
        with self._changed:
            self._jobs[span] = job
        return job

    def forget(self, span: ReportSpan) -> None:
        """Forget the job of a report, so that another is posted."""
        with self._changed:
            self._jobs.pop(span, None)

    def _post_ahead(self) -> None:
        """Post jobs until none is expected.

        A job that fails is posted again when it is read. If it fails for good, those of its stream
        will, too.
        """
        while (expected := self._next()) is not None:
            span, post = expected
            job, is_final = None, False
            try:
                job = post(span)
            except (RefusedError, TransientError) as error:
                logger.debug("%s It was requested ahead.", error)
            except Exception as error:  # noqa: BLE001 - it is posted again when it is read
                logger.debug("%s It was requested ahead.", error)
                is_final = True
            with self._changed:
                self._posting = None
                if job is not None:
                    self._jobs[span] = job
                    self._unread.add(span)
                elif is_final:
                    self._expected.popleft()
                self._changed.notify_all()

    def _next(self) -> tuple[ReportSpan, Post] | None:
        """Return the next report to post ahead, when there are few enough; None at the end."""
        with self._changed:
            while len(self._unread) >= MOST_AHEAD:
                self._changed.wait(LONGEST_SLEEP)
            while self._expected:
                for span, post in self._expected[0]:
                    if span not in self._read and span not in self._jobs:
                        self._posting = span
                        return span, post
                self._expected.popleft()
            self._thread = None
            return None
