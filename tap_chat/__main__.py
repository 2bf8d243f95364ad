"""The command `tap-chat`: what goes wrong becomes a sentence and an exit code."""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from singer_sdk.exceptions import SingerSDKError

from tap_chat.config.errors import config_error
from tap_chat.http.errors import RequestError
from tap_chat.logs import keep_log_plain
from tap_chat.signals import STOPPING, watch_signals
from tap_chat.singer.writer import buffer_output, flush
from tap_chat.tap import TapChat

if TYPE_CHECKING:
    from click import Command

#: Of glibc's `mallopt`: the most heaps of a process, and the least bytes that get pages of their
#: own (mallopt(3)).
M_ARENA_MAX, M_MMAP_THRESHOLD = -8, -3
PAGED_BYTES = 16 * 1024

#: The number of the last file that is open from the beginning.
STANDARD_ERROR = 2


def keep_heap_small() -> None:
    """Let glibc's heap not grow with the number of requests.

    All threads share one, where each would have its own and keep what it once needed: as threads
    of Python take turns, they need no more. And bodies of answers are not in it. They come and go
    in all sizes, and between those that wait for their turn ever more holes were left.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)
        mallopt(M_MMAP_THRESHOLD, PAGED_BYTES)


def take_standard_numbers() -> None:
    """Open standard input, output and error where they are closed: no other file may be one."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= STANDARD_ERROR:
        pass
    os.close(number)


def prepared_command() -> Command:
    """Set up the log, and return the command.

    Raises:
        ConfigValidationError: The environment asks for a log that can't be.
    """
    try:
        command: Command = TapChat.cli  # sets up the log
    except Exception as error:  # noqa: BLE001 - of all kinds, and its text may be of any file
        raise config_error(
            f"The log can't be set up ({type(error).__name__}). Check the environment variables"
            " TAP_CHAT_LOGLEVEL and LOGLEVEL, such as INFO, and the file that SINGER_SDK_LOG_CONFIG"
            " names."
        ) from None
    keep_log_plain()
    return command


def main() -> None:
    """Run the tap; exit with 0 only if every record was written."""
    take_standard_numbers()
    watch_signals()
    for signum in STOPPING:
        # Until the tap is made, and handles them itself.
        signal.signal(signum, lambda number, _: sys.exit(128 + number))
    keep_heap_small()
    if sys.stderr is None:  # as in `tap-chat 2>&-`
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - to the end
    if sys.stdout is None:  # as in `tap-chat >&-`
        sys.exit("Standard output is closed: there is nowhere to write the records to.")
    buffer_output()
    try:
        try:
            prepared_command()()
        finally:
            flush()
    except (SingerSDKError, RequestError) as error:
        TapChat.logger.error(str(error))
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - whatever it is, its text may hold what a user wrote
        TapChat.logger.error(
            "Unexpected %s. This is a bug of tap-chat, or of something in its config, catalog or"
            " state; TAP_CHAT_LOGLEVEL=DEBUG shows where it happened.",
            type(error).__name__,
        )
        if TapChat.logger.isEnabledFor(logging.DEBUG):
            frames = "".join(traceback.format_tb(error.__traceback__))
            TapChat.logger.debug("It happened here:\n%s", frames)
        sys.exit(1)


if __name__ == "__main__":
    main()
