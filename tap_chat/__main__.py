"""The command `tap-chat`: what goes wrong becomes a sentence and an exit code."""

from __future__ import annotations

import ctypes
import logging
import signal
import sys
import traceback

from singer_sdk.exceptions import SingerSDKError

from tap_chat.tap import TapChat
from tap_chat.writer import buffer_output, flush

#: Of glibc: a parameter of `mallopt`, the most heaps of a process (mallopt(3)).
M_ARENA_MAX = -8


def share_heap() -> None:
    """Let all threads share one heap, where glibc would make one for each.

    Of several, each keeps what was once needed in it, and the memory grows with the requests. As
    threads of Python take turns, they need no heaps of their own.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_ARENA_MAX, 1)


def main() -> None:
    """Run the tap; exit with 0 only if every record was written."""
    for signum in (signal.SIGTERM, signal.SIGINT):
        # Until the tap is made, and handles them itself.
        signal.signal(signum, lambda number, _: sys.exit(128 + number))
    share_heap()
    if sys.stdout is None:  # as in `tap-chat >&-`
        sys.exit("Standard output is closed: there is nowhere to write the records to.")
    buffer_output()
    try:
        try:
            TapChat.cli()
        finally:
            flush()
    except SingerSDKError as error:
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
