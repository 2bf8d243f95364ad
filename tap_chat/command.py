"""The command `tap-chat`: turns each error into a sentence and an exit code."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import traceback
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from singer_sdk.exceptions import SingerSDKError

from tap_chat.config.errors import config_error, config_problems
from tap_chat.docs import link_of
from tap_chat.http.errors import RequestError
from tap_chat.logs import make_log_plain
from tap_chat.signals import STOP_SIGNALS, watch_signals
from tap_chat.singer.sdk_tap import ConfigError
from tap_chat.singer.writer import buffer_output, flush
from tap_chat.tap import TapChat

if TYPE_CHECKING:
    from collections.abc import Callable

    from click import Command

#: Parameters of glibc's `mallopt`: the number of heaps of a process, and the size in bytes from
#: which on an allocation gets pages of its own (mallopt(3)).
M_ARENA_MAX, M_MMAP_THRESHOLD = -8, -3
MMAP_BYTES = 16 * 1024

#: The file descriptor of standard error, the last of the three standard streams.
STANDARD_ERROR = 2


def limit_heap() -> None:
    """Keep glibc's heap from growing with the number of requests.

    By default, each thread has its own heap, and keeps its memory. Only one thread of Python runs
    at a time, so all threads share one heap here. Response bodies get their own memory pages: they
    have all sizes, and would leave more and more holes in the heap.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, MMAP_BYTES)


def open_standard_streams() -> None:
    """Open closed standard streams, so that no other file gets their file descriptors."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= STANDARD_ERROR:
        pass
    os.close(descriptor)


def prepare_command() -> Callable[[], object]:
    """Set up the log, and return the command.

    Raises:
        ConfigValidationError: The log can't be set up as the environment says.
    """
    try:
        command: Command = TapChat.cli  # sets up the log
    except Exception as error:  # noqa: BLE001 - any error; its text may hold lines of any file
        raise config_error(
            f"The log can't be set up ({type(error).__name__}). Check the environment variables"
            " TAP_CHAT_LOGLEVEL and LOGLEVEL, such as INFO, and the file that SINGER_SDK_LOG_CONFIG"
            " names."
        ) from None
    make_log_plain()
    if sys.argv[1:2] == ["init"]:
        # Here, because no other run asks questions.
        from tap_chat.init_command import command as init  # noqa: PLC0415

        return partial(init.main, sys.argv[2:], prog_name="tap-chat init")
    return command


def run() -> None:
    """Run the tap; exit with 0 only if every record was written."""
    open_standard_streams()
    watch_signals()
    for signum in STOP_SIGNALS:
        # These handlers are for the time before the tap exists and sets its own.
        signal.signal(signum, lambda number, _: sys.exit(128 + number))
    limit_heap()
    if sys.stderr is None:  # as in `tap-chat 2>&-`
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - never closed
    if sys.stdout is None:  # as in `tap-chat >&-`
        sys.exit("Standard output is closed: there is nowhere to write the records to.")
    buffer_output()
    try:
        try:
            prepare_command()()
        finally:
            flush()
    except (SingerSDKError, RequestError) as error:
        # One line for each problem of the config.
        problems = error.errors if isinstance(error, ConfigError) else config_problems(error)
        texts = problems or [str(error)]
        for text in texts:
            TapChat.logger.error(text)
        TapChat.logger.info("Docs: %s", link_of(texts[0]))
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - its text may hold what a user wrote
        TapChat.logger.error(
            "Unexpected %s. This is a bug in tap-chat, or an error in its config, catalog or state."
            " TAP_CHAT_LOGLEVEL=DEBUG shows where it happened.",
            type(error).__name__,
        )
        if TapChat.logger.isEnabledFor(logging.DEBUG):
            frames = "".join(traceback.format_tb(error.__traceback__))
            TapChat.logger.debug("It happened here:\n%s", frames)
        sys.exit(1)
