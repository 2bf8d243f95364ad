"""The command `tap-chat`: what goes wrong becomes a sentence and an exit code."""

from __future__ import annotations

import sys

from singer_sdk.exceptions import ConfigurationError, SyncError

from tap_chat.tap import TapChat
from tap_chat.writer import flush


def main() -> None:
    """Run the tap; exit with 0 only if every record was written."""
    try:
        try:
            TapChat.cli()
        finally:
            flush()
    except (ConfigurationError, SyncError) as error:
        TapChat.logger.error(str(error))
        sys.exit(1)


if __name__ == "__main__":
    main()
