"""The progress of a run, shown on a terminal."""

from __future__ import annotations

import atexit
import json
import logging
import sys
import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from singer_sdk import metrics
from typing_extensions import override

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from tap_chat.http.rate_limits.throttle import Throttle

REFRESHES_PER_SECOND = 4


def is_watched() -> bool:
    """Return whether standard error is a terminal."""
    return sys.stderr is not None and sys.stderr.isatty()


class ConsoleStream:
    """A text stream that prints above the live display of a console.

    Args:
        console: The console.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    def write(self, text: str) -> None:
        """Print a text.

        Args:
            text: One or more lines, with their line breaks.
        """
        self._console.out(text, end="", highlight=False)

    def flush(self) -> None:
        """Do nothing: the console does not buffer."""


class Progress:
    """Counts records, and shows the progress of the run on standard error.

    Attributes:
        records: The number of records written so far, by stream.
        throttles: The throttles of the platforms, which count the requests.
    """

    def __init__(self) -> None:
        self.records: Counter[str] = Counter()
        self.throttles: list[Throttle] = []
        self._started: float | None = None
        self._logged_waits: defaultdict[str, float] = defaultdict(float)

    def start(self) -> None:
        """Show the progress until the process ends, if standard error is a terminal."""
        if self._started is not None:
            return
        self._started = time.monotonic()
        if not is_watched() or sys.stdout.isatty():
            # Records on the same terminal would break the display.
            return
        # Importing rich takes longer than a small run.
        from rich.console import Console  # noqa: PLC0415
        from rich.live import Live  # noqa: PLC0415

        console = Console(stderr=True)
        live = Live(
            console=console,
            get_renderable=self.table,
            refresh_per_second=REFRESHES_PER_SECOND,
            redirect_stdout=False,
        )
        log = [
            handler
            for handler in logging.getLogger().handlers
            if isinstance(handler, logging.StreamHandler) and handler.stream is sys.stderr
        ]
        live.start()
        for handler in log:
            handler.setStream(ConsoleStream(console))
        atexit.register(live.stop)

    def log_wait(self, throttle: Throttle) -> None:
        """Log how long the rate limit has held back requests since the last time, as a METRIC line.

        Args:
            throttle: The throttle of a platform.
        """
        seconds = throttle.waited - self._logged_waits[throttle.name]
        self._logged_waits[throttle.name] += seconds
        point = {
            "type": "timer",
            "metric": "rate_limit_wait",
            "value": round(seconds, 3),
            "tags": {"platform": throttle.name},
        }
        metrics.get_metrics_logger().info("METRIC: %s", json.dumps(point, separators=(",", ":")))

    def table(self) -> Table:
        """Return the display."""
        from rich.table import Table  # noqa: PLC0415

        seconds = max(time.monotonic() - (self._started or 0.0), 0.001)
        requests = sum(throttle.sent for throttle in self.throttles)
        waited = sum(throttle.waited for throttle in self.throttles)
        table = Table(box=None, show_header=False)
        for stream, records in self.records.items():
            table.add_row(stream, f"{records:,} record{'' if records == 1 else 's'}")
        table.add_row(
            f"{seconds:.0f} s",
            f"{requests:,} requests, {requests / seconds:,.0f}/s,"
            f" waited {waited:.0f} s for the rate limit",
        )
        return table


class RecordCounter(metrics.Counter):
    """The SDK's counter of the records of a stream, which also counts for the progress.

    Args:
        stream: The name of the stream.
        progress: The progress of the run.
        log_interval: Seconds between two log lines.
    """

    def __init__(
        self,
        stream: str,
        progress: Progress,
        log_interval: float = metrics.DEFAULT_LOG_INTERVAL,
    ) -> None:
        super().__init__(
            metrics.Metric.RECORD_COUNT, {metrics.Tag.STREAM: stream}, log_interval=log_interval
        )
        self._stream = stream
        self._records = progress.records

    @override
    def increment(self, value: int = 1) -> None:
        self._records[self._stream] += value
        super().increment(value)
