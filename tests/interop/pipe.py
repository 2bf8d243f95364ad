"""A tap and a target in a shell's pipe, as docs/target-dlt.md has it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

#: The last line that the target printed is the state of the next run.
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
    """How a run ended.

    Attributes:
        code: The exit code.
        said: What was said.
    """

    code: int
    said: str


def piped(folder: Path, tap: str, target: str) -> Done:
    """Run a tap and a target once, with the files of a folder.

    Args:
        folder: It has config.json and target.json, and catalog.json if the tap needs one.
        tap: The program of the tap.
        target: That of the target.
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
