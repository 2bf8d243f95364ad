"""Signals that wait until a step is done.

A handler of a signal may raise an exception anywhere. Between the start of a process and the `try`
that stops it, the process would stay behind.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_STOPPING = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


@contextmanager
def held_signals() -> Iterator[Callable[[], None]]:
    """Hold back signals that have a handler, to the end of the body of the `with`.

    Yields:
        A function that calls the handlers earlier, and holds back no more signals.
    """
    if threading.current_thread() is not threading.main_thread():
        # Others take no signals.
        yield lambda: None
        return
    held: list[int] = []
    handlers: dict[int, Any] = {}

    def release() -> None:
        for number in [*handlers]:
            signal.signal(number, handlers.pop(number))
        while held:
            signal.raise_signal(held.pop(0))

    for number in _STOPPING:
        if callable(handler := signal.getsignal(number)):
            handlers[number] = handler
            signal.signal(number, lambda signum, _: held.append(signum))
    try:
        yield release
    finally:
        release()
