"""How a signal ends the tap, whatever is under way."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time

from tap_chat.singer.progress import watched

#: Signals that end a run; as a shell says it, with 128 and their number.
STOPPING = (signal.SIGTERM, signal.SIGINT)

#: Seconds from a signal to the end, for what is written to be written whole, and for a last STATE.
GRACE = 2.0

SHOW_CURSOR = b"\x1b[?25h"

logger = logging.getLogger(__name__)


def watch_signals() -> None:
    """See that a signal ends the process, though its main thread may be held up.

    Python calls handlers of signals in the main thread, between two of its steps. One that waits
    for a loader that does not read, or for the resolver of names, takes no step, and a write that
    was interrupted is gone on with (PEP 475). So another thread gets to know of signals, too, and
    leaves the process if the main one has not in time. The output may then end within a line: that
    is no JSON, which no loader takes for a record.
    """
    read, written = socket.socketpair()
    written.setblocking(False)
    try:
        threading.Thread(target=_leave, args=(read,), name="ending", daemon=True).start()
    except RuntimeError:  # there may be no more threads
        logger.warning("No thread can be started. A signal ends the run when the loader reads.")
        return
    signal.set_wakeup_fd(written.detach(), warn_on_full_buffer=False)


def _leave(signals: socket.socket) -> None:
    while (signum := signals.recv(1)[0]) not in STOPPING:
        pass
    time.sleep(GRACE)
    if watched():
        # What shows the progress has hidden it, and has no time left to bring it back.
        os.write(sys.stderr.fileno(), SHOW_CURSOR)
    os._exit(128 + signum)
