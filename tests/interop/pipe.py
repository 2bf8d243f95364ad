"""A tap and a target in a shell pipe, as in docs/target-dlt.md."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: The last line of the target is the state for the next run.
PIPE = """
set -o pipefail
"$TAP" --config config.json $(for name in catalog state; do
    test ! -e $name.json || echo --$name $name.json
  done) | "$TARGET" --config target.json > state.jsonl
code=$?
test ! -s state.jsonl || tail -1 state.jsonl > state.json
exit $code
"""


@dataclass(frozen=True)
class Done:
    """The end of a run.

    Attributes:
        code: The exit code.
        said: The log.
    """

    code: int
    said: str


def piped(folder: Path, tap: str, target: str) -> Done:
    """Run a tap and a target once, with the files of a folder.

    Args:
        folder: A folder with config.json, target.json, and catalog.json if the tap needs one.
        tap: The program of the tap.
        target: The program of the target.
    """
    done = subprocess.run(
        ["bash", "-c", PIPE],
        cwd=folder,
        env=os.environ | {"TAP": tap, "TARGET": target},
        capture_output=True,
        text=True,
        check=False,
    )
    return Done(done.returncode, done.stderr)
