"""The start of the command `tap-chat`, before the SDK is imported."""

from __future__ import annotations

import gc


def main() -> None:
    """Run the tap; exit with 0 only if every record was written."""
    # Imports make many objects and no garbage.
    gc.disable()
    from tap_chat.command import run  # noqa: PLC0415 - it imports the SDK

    gc.freeze()
    gc.enable()
    run()


if __name__ == "__main__":
    main()
