"""Python runs this file first: a tap notes it if another tap reads the same account.

A lock of a file ends with its process, however that ends.
"""

import fcntl
import os
import re
import sys
from pathlib import Path

FOLDER = "TAPS_WATCHED_IN"


def _watch(folder: Path) -> None:
    config = Path(sys.orig_argv[sys.orig_argv.index("--config") + 1]).read_text()
    [account] = set(re.findall(r"/accounts/([^/\"]+)", config))
    file = os.open(folder / f"{account}.lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with (folder / "twice").open("a") as twice:
            twice.write(f"{account}\n")


if FOLDER in os.environ and "tap_chat" in sys.orig_argv and "--config" in sys.orig_argv:
    _watch(Path(os.environ[FOLDER]))
