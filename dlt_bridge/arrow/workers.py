"""Where batches are decoded: in a thread; where there are many, in processes of their own.

Python runs one thread at a time, so a thread that decodes keeps dlt from writing what is decoded.
Processes do not. They need a moment to start, so they are for streams that fill batch after batch.

What a decoder learns from a batch counts for those that follow. A process decodes with what was
known when it was asked; if more is known when the table comes back, the batch is decoded again.
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

from dlt_bridge.arrow.decoder import RecordDecoder
from dlt_bridge.errors import BridgeError, MessageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

    from dlt_bridge.arrow.record_schema import Observed

#: Bytes of lines after which processes are started for the rest.
BEFORE_PROCESSES = 16 * 1024 * 1024
#: Seconds to wait for a process to start; until then, the thread goes on.
START_SECONDS: float | None = 0
#: More processes would wait for dlt.
MOST_PROCESSES = 4
#: Bytes that a pipe holds: the most that Linux allows without asking.
PIPE_BYTES = 1024 * 1024
#: Batches for each process to go on with while dlt writes what others have decoded.
AHEAD = 4
#: The first that a process writes.
READY = b"ready"

# Modules are found where this program finds them; nothing of the program itself runs again.
_CHILD = (
    "import sys; sys.path[:] = sys.argv[1:]; from dlt_bridge.arrow.workers import serve; serve()"
)


@dataclass(frozen=True, slots=True)
class LineBatch:
    """Lines of one stream that are decoded together.

    Attributes:
        decoder: What decodes them.
        lines: The lines, some with newlines between several.
        numbers: Their numbers.
        rows: How many they are.
        size: Their bytes.
        opening: They are the first of the stream, and may show of what types its columns are.
    """

    decoder: RecordDecoder
    lines: list[bytes]
    numbers: list[range]
    rows: int
    size: int
    opening: bool = False

    def table(self, sequence: int) -> pa.Table:
        """Decode the lines here and now.

        Args:
            sequence: The first value of `_sdc_sequence`.

        Raises:
            MessageError: A record does not fit.
        """
        text = b"\n".join(self.lines)
        return self.decoder.table(text, self.numbers, sequence, first=self.opening)

    def can_be_decoded(self, sequence: int, before: int) -> bool:
        """Say whether the lines before another line can be decoded.

        Args:
            sequence: As for `table`.
            before: As for `before`.
        """
        part = self.before(before)
        try:
            _ = part and part.table(sequence)
        except MessageError:
            return False
        return True

    @property
    def first(self) -> int:
        """The number of the first line."""
        return self.numbers[0].start

    def before(self, number: int) -> LineBatch | None:
        """Return the lines before another line; None if there are none.

        Args:
            number: The number of a line that is no RECORD, so that it parts no block of lines.
        """
        parts = [
            (lines, numbers)
            for lines, numbers in zip(self.lines, self.numbers, strict=True)
            if numbers.stop <= number
        ]
        if not parts:
            return None
        lines, numbers = map(list, zip(*parts, strict=True))
        rows, size = sum(map(len, numbers)), sum(map(len, lines))
        return LineBatch(self.decoder, lines, numbers, rows, size, self.opening)


class DecoderPool:
    """Decodes batches beside the program, and returns their tables in the order of the batches."""

    def __init__(self) -> None:
        # One thread, so that the tables are in order.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="decoder")
        self._processes: list[_Process] = []
        self._turns: Iterator[_Process] = iter(())
        self._size = 0

    @property
    def ahead(self) -> int:
        """How many batches are to be asked for before the first is waited for."""
        return 1 + AHEAD * len(self._processes)

    def submit(self, batch: LineBatch, sequence: int, *, full: bool) -> Future[pa.Table]:
        """Return the table of a batch, or the MessageError of a record that does not fit.

        Args:
            batch: The batch.
            sequence: The first value of `_sdc_sequence`.
            full: The batch is as large as can be.
        """
        self._size += batch.size
        if not self._processes and self._size >= BEFORE_PROCESSES and (cores := _cores()) > 1:
            self._processes = [_Process() for _ in range(min(cores, MOST_PROCESSES))]
            self._turns = cycle(self._processes)
        if full and any(process.ready for process in self._processes):
            process = next(process for process in self._turns if process.ready)
            known = batch.decoder.observed
            process.ask(batch, known, sequence)
            return self._thread.submit(_answered, process, batch, known, sequence)
        return self._thread.submit(batch.table, sequence)

    def close(self) -> None:
        """Stop, whatever is still being decoded."""
        for process in self._processes:
            process.close()
        self._thread.shutdown(cancel_futures=True)


def _answered(process: _Process, batch: LineBatch, known: Observed, sequence: int) -> pa.Table:
    """Return the table that a process made, or the one that is made now if more is known now."""
    learnt, table = process.answer()
    decoder = batch.decoder
    if known != decoder.observed:
        return batch.table(sequence)
    if isinstance(learnt, Exception):
        raise learnt
    decoder.observe(learnt)
    return table


def serve() -> None:
    """Decode what comes on standard input, until it ends; the tables go to standard output."""
    requests, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    # Nothing else may be written between the tables.
    os.dup2(2, 1)
    decoders: dict[str, RecordDecoder] = {}
    # Either the program needs nothing any more, or there is none.
    with suppress(EOFError, BrokenPipeError):
        answers.write(READY)
        answers.flush()
        while True:
            record_schema, known, lines, numbers, sequence, first = pickle.load(requests)  # noqa: S301
            decoder = decoders.get(record_schema.stream)
            if decoder is None or (decoder.record_schema, decoder.observed) != (
                record_schema,
                known,
            ):
                decoder = decoders[record_schema.stream] = RecordDecoder(record_schema, known)
            try:
                table = decoder.table(b"\n".join(lines), numbers, sequence, first=first)
            except Exception as error:  # noqa: BLE001 - raised where the table is waited for
                pickle.dump(error, answers)
            else:
                pickle.dump(decoder.observed, answers)
                with pa.ipc.new_stream(answers, table.schema) as stream:
                    stream.write_table(table)
            answers.flush()


class _Process:
    """A process of this module's `serve`."""

    def __init__(self) -> None:
        self._popen = subprocess.Popen(  # noqa: S603 - this package
            [sys.executable, "-c", _CHILD, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pipesize=PIPE_BYTES,
            # Ctrl-C is for the program, which stops this process.
            start_new_session=True,
        )
        self._requests = cast("IO[bytes]", self._popen.stdin)
        self._answers = cast("IO[bytes]", self._popen.stdout)
        self._sender = ThreadPoolExecutor(1, thread_name_prefix="to-decoder")
        self._sent: deque[Future[None]] = deque()
        self._ready = False

    @property
    def ready(self) -> bool:
        """It has started."""
        if not self._ready and wait([self._answers.fileno()], START_SECONDS):
            self._ready = self._answers.read(len(READY)) == READY
        return self._ready

    def ask(self, batch: LineBatch, known: Observed, sequence: int) -> None:
        """Have a batch decoded with what is known."""
        self._sent.append(self._sender.submit(self._send, batch, known, sequence))

    def answer(self) -> tuple[Observed | Exception, pa.Table | None]:
        """Wait for the next answer, and return the table and what was learnt, or an error.

        Raises:
            BridgeError: There is no process any more.
        """
        self._sent.popleft().result()
        try:
            learnt = pickle.load(self._answers)  # noqa: S301 - of this package's process
            if isinstance(learnt, Exception):
                return learnt, None
            return learnt, pa.ipc.open_stream(self._answers).read_all()
        except (EOFError, OSError, pickle.UnpicklingError, pa.ArrowInvalid):
            raise BridgeError(
                "A process that decodes records ended before its time, with exit code"
                f" {self._popen.wait()}. Perhaps there was too little memory. Nothing of this"
                " package is loaded."
            ) from None

    def close(self) -> None:
        """End the process: it has nothing that is still needed."""
        self._popen.kill()
        self._popen.wait()
        self._sender.shutdown(cancel_futures=True)
        for pipe in (self._requests, self._answers):
            with suppress(BrokenPipeError):
                pipe.close()

    def _send(self, batch: LineBatch, known: Observed, sequence: int) -> None:
        # If there is no process any more, that is said where the answer is waited for.
        with suppress(BrokenPipeError):
            of_batch = (batch.lines, batch.numbers, sequence, batch.opening)
            pickle.dump((batch.decoder.record_schema, known, *of_batch), self._requests)
            self._requests.flush()


def _cores() -> int:
    """Return how many processes can run at once."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
