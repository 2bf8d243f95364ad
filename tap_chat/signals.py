"""Ending the tap on a signal, even if its main thread is blocked."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time

from tap_chat.display import is_watched

#: Signals that end a run. The exit code is 128 and the number of the signal, as in a shell.
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

#: Seconds from a signal to the exit, to finish the line that is being written and write a STATE.
GRACE_SECONDS = 2.0

SHOW_CURSOR = b"\x1b[?25h"

logger = logging.getLogger(__name__)


def watch_signals() -> None:
    """Start a thread that ends the process after a signal, if the main thread does not.

    Python runs signal handlers in the main thread, between two bytecode instructions. A main
    thread that waits for a loader that does not read, or for a DNS lookup, runs none, and Python
    resumes an interrupted write (PEP 475). When the thread ends the process, the output may end
    within a line. That part of a line is not valid JSON, so no loader takes it for a record.
    """
    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    try:
        threading.Thread(
            target=_exit_after_signal, args=(receiver,), name="ending", daemon=True
        ).start()
    except RuntimeError:  # the limit of threads is reached
        logger.warning("No thread can be started. A signal ends the run when the loader reads.")
        return
    signal.set_wakeup_fd(sender.detach(), warn_on_full_buffer=False)


def _exit_after_signal(signals: socket.socket) -> None:
    while (signum := signals.recv(1)[0]) not in STOP_SIGNALS:
        pass
    time.sleep(GRACE_SECONDS)
    if is_watched():
        # The progress display hides the cursor, and can't restore it before the exit.
        os.write(sys.stderr.fileno(), SHOW_CURSOR)
    os._exit(128 + signum)
