"""An interpreter for the `python` blocks of one page, which share their names as in a notebook.

It is a separate program: it reads a line of JSON per block, and writes one per result.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import traceback
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pages.blocks import Block


class Session:
    """The interpreter. It ends with the context.

    Args:
        folder: The working folder.
        environment: The environment variables.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._log = (folder / ".session.log").open("w+")
        self._process = subprocess.Popen(
            [sys.executable, __file__, *sys.path],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def run(self, block: Block, text: str, *, short_of_load: bool = False) -> str:
        """Run a block, and return its error, or an empty text.

        Args:
            block: The block.
            text: The code to run.
            short_of_load: Whether pipelines do everything except the load.
        """
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        asked = {"page": str(block.page), "line": block.line, "text": text, "short": short_of_load}
        print(json.dumps(asked), file=stdin, flush=True)
        answer = stdout.readline()
        problem: str = json.loads(answer)["problem"] if answer else "The interpreter ended."
        self._log.seek(0)
        return f"{problem}\n{self._log.read()}" if problem else ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()
        self._log.close()


def serve() -> None:
    """Run blocks until standard input ends."""
    from pages.not_run import short_of_load  # noqa: PLC0415 - sys.path is made below

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # the output of the blocks is not a result
    names: dict[str, Any] = {"__name__": "__main__"}
    for line in sys.stdin:
        asked = json.loads(line)
        context: AbstractContextManager[object] = (
            short_of_load() if asked["short"] else nullcontext()
        )
        try:
            _reload()
            # Count lines as on the page.
            code = compile("\n" * (asked["line"] - 1) + asked["text"], asked["page"], "exec")
            with context:
                exec(code, names)
        except BaseException:  # noqa: BLE001 - whatever it is, the page is wrong
            problem = traceback.format_exc()
        else:
            problem = ""
        print(json.dumps({"problem": problem}), file=answers, flush=True)


def _reload() -> None:
    """Let dlt read its files again, because blocks may have changed them."""
    if "dlt" in sys.modules:
        from dlt.common.configuration.container import Container  # noqa: PLC0415
        from dlt.common.configuration.specs import PluggableRunContext  # noqa: PLC0415

        Container()[PluggableRunContext].reload_providers()


if __name__ == "__main__":
    sys.path[:] = sys.argv[1:]
    serve()
