"""Decodes batches in parallel: in a thread, and large streams in processes of their own.

Python runs one thread at a time, so a thread that decodes keeps dlt from writing what is decoded
already. A process does not, but takes a while to start, so only large streams get processes.

What a decoder observes in a batch applies to the batches after it. A process decodes with what was
observed when the batch was sent. If more has been observed when its table arrives, the batch is
decoded again.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import cycle
from multiprocessing.connection import wait
from typing import IO, TYPE_CHECKING, cast

import pyarrow as pa

from dlt_bridge.arrow.batches import Batch, ColumnBatch, LineBatch
from dlt_bridge.arrow.decoder import RecordDecoder
from dlt_bridge.errors import BridgeError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from dlt_bridge.arrow.record_schema import Observed, RecordSchema

#: Bytes of lines after which processes are started.
BEFORE_PROCESSES = 16 * 1024 * 1024
#: Seconds to wait for a process to start; the thread decodes until it has.
START_SECONDS: float | None = 0
#: The most processes: more would wait for dlt.
MAX_PROCESSES = 4
#: Bytes in a pipe: the most that Linux allows an ordinary user.
PIPE_BYTES = 1024 * 1024
#: Batches that each process has to decode while dlt writes decoded ones.
BATCHES_AHEAD = 4
#: The first bytes that a process writes.
READY = b"ready"

# A process finds modules where this program finds them, and does not run the program itself.
_CHILD = (
    "import sys; sys.path[:] = sys.argv[1:]; from dlt_bridge.arrow.workers import serve; serve()"
)


@dataclass(frozen=True, slots=True)
class _Work:
    """A batch as it is sent to a process, with what has been observed."""

    record_schema: RecordSchema
    observed: Observed
    lines: list[bytes]
    numbers: list[range]
    sequence: int
    received: list[int]
    is_first: bool

    def continues(self, decoder: RecordDecoder) -> bool:
        """Return whether a decoder knows just what is to be known for the batch."""
        return decoder.record_schema == self.record_schema and decoder.observed == self.observed


class DecoderPool:
    """Decodes batches, and returns their tables in the order of the batches."""

    def __init__(self) -> None:
        # One thread, so that the tables are in order.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="decoder")
        self._processes: list[_Process] = []
        self._turns: Iterator[_Process] = iter(())
        self._size = 0

    @property
    def ahead(self) -> int:
        """The number of batches to submit before the first table is waited for."""
        return 1 + BATCHES_AHEAD * len(self._processes)

    def submit(self, batch: Batch, sequence: int, *, full: bool) -> Future[pa.Table]:
        """Return the table of a batch, or the MessageError of a record that does not fit.

        Args:
            batch: The batch.
            sequence: The value of `_sdc_sequence` of the first row.
            full: Whether the batch is as large as a batch may be.
        """
        if isinstance(batch, ColumnBatch):
            # Arrow itself converts columns, and lets other threads run.
            return self._thread.submit(batch.table, sequence)
        self._size += batch.size
        if not self._processes and self._size >= BEFORE_PROCESSES and (cores := _cores()) > 1:
            self._processes = [_Process() for _ in range(min(cores, MAX_PROCESSES))]
            self._turns = cycle(self._processes)
        if full and any(process.ready for process in self._processes):
            process = next(process for process in self._turns if process.ready)
            observed = batch.decoder.observed
            process.submit(batch, observed, sequence)
            return self._thread.submit(_table, process, batch, observed, sequence)
        return self._thread.submit(batch.table, sequence)

    def close(self) -> None:
        """Stop, whatever is still being decoded."""
        for process in self._processes:
            process.close()
        self._thread.shutdown(cancel_futures=True)


def _table(process: _Process, batch: LineBatch, before: Observed, sequence: int) -> pa.Table:
    """Return the table of a process; decode the batch here if more has been observed since."""
    outcome, table = process.receive()
    decoder = batch.decoder
    if before != decoder.observed:
        return batch.table(sequence)
    if isinstance(outcome, Exception):
        raise outcome
    decoder.observe(outcome)
    return table


def serve() -> None:
    """Decode the batches on standard input until it ends, and write tables to standard output."""
    works, tables = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # Whatever else is printed must not get between the tables.
    os.dup2(2, 1)
    decoders: dict[str, RecordDecoder] = {}
    # The program has closed the pipe, or has ended.
    with suppress(EOFError, BrokenPipeError):
        tables.write(READY)
        tables.flush()
        while True:
            work: _Work = pickle.load(works)  # noqa: S301 - of this package
            schema = work.record_schema
            decoder = decoders.get(schema.stream)
            if decoder is None or not work.continues(decoder):
                decoder = decoders[schema.stream] = RecordDecoder(schema, work.observed)
            _decode(decoder, work, tables)
            tables.flush()


def _decode(decoder: RecordDecoder, work: _Work, tables: IO[bytes]) -> None:
    """Write what a batch has shown, and its table; or its error."""
    text = b"\n".join(work.lines)
    try:
        table = decoder.table(text, work.numbers, work.sequence, work.received, first=work.is_first)
    except Exception as error:  # noqa: BLE001 - raised where the table is waited for
        pickle.dump(error, tables)
        return
    pickle.dump(decoder.observed, tables)
    with pa.ipc.new_stream(tables, table.schema) as stream:
        stream.write_table(table)


class _Process:
    """A process that runs `serve`."""

    def __init__(self) -> None:
        self._popen = subprocess.Popen(  # noqa: S603 - this package
            [sys.executable, "-c", _CHILD, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pipesize=PIPE_BYTES,
            # Ctrl-C goes to the program alone, which stops this process.
            start_new_session=True,
        )
        self._batches = cast("IO[bytes]", self._popen.stdin)
        self._tables = cast("IO[bytes]", self._popen.stdout)
        self._sender = ThreadPoolExecutor(1, thread_name_prefix="to-decoder")
        self._sent: deque[Future[None]] = deque()
        self._ready = False

    @property
    def ready(self) -> bool:
        """Whether it has started."""
        if not self._ready and wait([self._tables.fileno()], START_SECONDS):
            self._ready = self._tables.read(len(READY)) == READY
        return self._ready

    def submit(self, batch: LineBatch, observed: Observed, sequence: int) -> None:
        """Send a batch, to be decoded with what has been observed."""
        self._sent.append(self._sender.submit(self._send, batch, observed, sequence))

    def receive(self) -> tuple[Observed | Exception, pa.Table | None]:
        """Wait for the next table; return it with what has been observed, or an error.

        Raises:
            BridgeError: The process has ended.
        """
        self._sent.popleft().result()
        try:
            outcome = pickle.load(self._tables)  # noqa: S301 - of this package's process
            if isinstance(outcome, Exception):
                return outcome, None
            return outcome, pa.ipc.open_stream(self._tables).read_all()
        except (EOFError, OSError, pickle.UnpicklingError, pa.ArrowInvalid):
            raise BridgeError(
                "A process that decodes records ended early, with exit code"
                f" {self._popen.wait()}. The machine may have run out of memory. Nothing of this"
                " package is loaded."
            ) from None

    def close(self) -> None:
        """End the process, which has nothing left that is needed."""
        self._popen.kill()
        self._popen.wait()
        self._sender.shutdown(cancel_futures=True)
        for pipe in (self._batches, self._tables):
            with suppress(BrokenPipeError):
                pipe.close()

    def _send(self, batch: LineBatch, observed: Observed, sequence: int) -> None:
        # If the process has ended, `receive` raises.
        with suppress(BrokenPipeError):
            part = (batch.lines, batch.numbers, sequence, batch.received, batch.is_first)
            pickle.dump(_Work(batch.decoder.record_schema, observed, *part), self._batches)
            self._batches.flush()


def _cores() -> int:
    """Return how many processes can run at once."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
