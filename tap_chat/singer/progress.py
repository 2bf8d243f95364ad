"""The progress of a run: what its streams have written, and how long rate limits held it back."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from singer_sdk import metrics
from typing_extensions import override

from tap_chat.display import READING, Display, StreamProgress, duration, is_watched, stream_lines

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_chat.http.rate_limits.throttle import Throttle

#: The METRIC lines of a stream's share are at least so many seconds, and this share, apart.
LOG_SECONDS, LOG_SHARE = 10.0, 0.05
STOPPED = "stopped"
#: Seconds of the shortest wait for a rate limit that is shown.
SHOWN_WAIT = 2.0


class ReadProgress(StreamProgress):
    """The progress of a stream that the tap reads.

    Args:
        name: The name of the stream.
        throttle: The throttle of its requests; None if it has none.
    """

    __slots__ = ("_has_windows", "_logged_at", "_logged_share", "_throttle", "_total")

    def __init__(self, name: str, throttle: Throttle | None = None) -> None:
        super().__init__(name)
        self._total = 0
        self._has_windows = False
        self._throttle = throttle
        self._logged_at = self.started
        self._logged_share = 0.0

    def add(self, rows: int) -> None:
        """Count rows that are written."""
        self.rows += rows
        if self._total and not self._has_windows:
            self.share = max(self.share or 0.0, self.rows / self._total)
        self.log_share()

    def expect(self, rows: int) -> None:
        """Note the number of rows that the API states for a list of the stream.

        A stream may read its list twice, by two filters: then the longer one counts.
        """
        self._total = max(self._total, rows)

    def reach(self, share: float) -> None:
        """Note which part of the stream is read.

        Args:
            share: From 0 to 1.
        """
        self.share = share
        self._has_windows = True  # a stated total is that of a window
        self.log_share()

    def log_share(self) -> None:
        """Log the share as a METRIC line, from time to time."""
        if self.share is None or self.share < self._logged_share + LOG_SHARE:
            return
        now = time.monotonic()
        if now >= self._logged_at + LOG_SECONDS:
            self._logged_at, self._logged_share = now, self.share
            _log_metric("gauge", "progress", self.share, {"stream": self.name})

    def see(self) -> None:
        """Look whether the stream waits for its rate limit."""
        if self.ended is None:
            wait = self._throttle.seconds_to_wait if self._throttle else 0.0
            waits = wait >= SHOWN_WAIT
            self.state = f"waiting for the rate limit, {duration(wait)}" if waits else READING

    def stop(self) -> None:
        """Note that the run has ended, and the stream may not be done."""
        if self.ended is None:
            self.end(STOPPED)


class Progress:
    """Counts records, and shows the progress of the run on standard error.

    Attributes:
        streams: The streams that were begun, by their names.
        throttles: The throttles of the platforms, which count the requests.
    """

    def __init__(self) -> None:
        self.streams: dict[str, ReadProgress] = {}
        self.throttles: list[Throttle] = []
        self._started: float | None = None
        self._display: Display | None = None
        self._logged_waits: defaultdict[str, float] = defaultdict(float)

    def start(self, *, shows: bool = True) -> None:
        """Show the progress until `stop`, if standard error is a terminal.

        Args:
            shows: Whether it is wanted.
        """
        if self._started is not None:
            return
        self._started = time.monotonic()
        # Records on the same terminal would break the display.
        if shows and is_watched() and not sys.stdout.isatty():
            self._display = Display(self.lines)
            self._display.start()

    def begin(self, stream: ReadProgress) -> None:
        """Add a stream that begins now, if it was not begun before."""
        if stream.name not in self.streams:
            stream.started = time.monotonic()
            self.streams[stream.name] = stream

    def stop(self) -> None:
        """Show the progress at the end of the run, and nothing after it."""
        if self._display:
            for stream in self.streams.values():
                stream.stop()
            self._display.stop()
            self._display = None

    def log_wait(self, throttle: Throttle) -> None:
        """Log how long the rate limit has held back requests since the last time, as a METRIC line.

        Args:
            throttle: The throttle of a platform.
        """
        seconds = throttle.waited - self._logged_waits[throttle.name]
        self._logged_waits[throttle.name] += seconds
        _log_metric("timer", "rate_limit_wait", seconds, {"platform": throttle.name})

    def lines(self, width: int, height: int | None) -> list[str]:
        """Return a line for each stream, and one for all.

        Args:
            width: The longest line.
            height: The most lines; None for no maximum.
        """
        streams = [*self.streams.values()]
        for stream in streams:
            stream.see()
        seconds = max(time.monotonic() - (self._started or 0.0), 0.001)
        requests = sum(throttle.sent for throttle in self.throttles)
        waited = sum(throttle.waited for throttle in self.throttles)
        whole = f"{duration(seconds)}: {requests:,} requests, {requests / seconds:,.0f}/s"
        if waited >= 1:
            whole += f", waited {duration(waited)} for the rate limit"
        rest = None if height is None else height - 1
        return [*stream_lines(streams, width=width, height=rest), whole[:width]]


class RecordCounter(metrics.Counter):
    """The SDK's counter of the records of a stream, which also counts for the progress.

    Args:
        progress: The progress of the stream.
        log_interval: Seconds between two log lines.
    """

    def __init__(
        self, progress: ReadProgress, log_interval: float = metrics.DEFAULT_LOG_INTERVAL
    ) -> None:
        super().__init__(
            metrics.Metric.RECORD_COUNT,
            {metrics.Tag.STREAM: progress.name},
            log_interval=log_interval,
        )
        self._progress = progress

    @override
    def increment(self, value: int = 1) -> None:
        self._progress.add(value)
        super().increment(value)


def _log_metric(kind: str, name: str, value: float, tags: Mapping[str, str]) -> None:
    """Log a METRIC line that the SDK does not have."""
    logger = metrics.get_metrics_logger()
    if logger.isEnabledFor(logging.INFO):
        point = {"type": kind, "metric": name, "value": round(value, 3), "tags": tags}
        logger.info("METRIC: %s", json.dumps(point, separators=(",", ":")))
