"""The command `tap-chat`: what goes wrong becomes a sentence and an exit code."""

from __future__ import annotations

import os
import sys

from singer_sdk.exceptions import ConfigurationError, SyncError

from tap_chat.tap import TapChat


def main() -> None:
    """Run the tap; exit with 0 only if every record was written."""
    try:
        try:
            TapChat.cli()
        finally:
            sys.stdout.flush()
    except (ConfigurationError, SyncError) as error:
        TapChat.logger.error(str(error))
        sys.exit(1)
    except BrokenPipeError:
        # Python flushes standard output once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        TapChat.logger.error("The loader closed the pipe before everything was written.")
        sys.exit(1)


if __name__ == "__main__":
    main()
