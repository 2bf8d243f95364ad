"""`target-dlt`, as a process or within that of the tests."""

from __future__ import annotations

import json
import logging
import subprocess
import tempfile
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
from bridge.destinations import DATASET
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs import PluggableRunContext
from running import BIN

from dlt_bridge.target.__main__ import LOG_FORMAT
from dlt_bridge.target.target import run


@dataclass
class Target:
    """Runs `target-dlt` into a DuckDB file of its own."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "w.duckdb"

    def command(self, **settings: Any) -> list[str]:
        config = {
            "destination": "duckdb",
            "credentials": str(self.file),
            "dataset_name": DATASET,
            **settings,
        }
        path = self.folder / "target.json"
        path.write_text(json.dumps(config))
        return [str(BIN / "target-dlt"), "--config", str(path)]

    def __call__(
        self, lines: list[Any] | bytes, **settings: Any
    ) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            self.command(**settings), input=as_bytes(lines), capture_output=True, check=False
        )

    def within(
        self, lines: list[Any] | bytes, **settings: Any
    ) -> subprocess.CompletedProcess[bytes]:
        """Load within this process: to start one takes longer than most loads."""
        *_, config = command = self.command(**settings)
        logger, log = logging.getLogger("target-dlt"), StringIO()
        handler = logging.StreamHandler(log)
        handler.setFormatter(logging.Formatter(LOG_FORMAT, style="{"))
        logger.addHandler(handler)
        code: Any = 0
        try:
            # So that it looks where temporary files are.
            with patch.object(tempfile, "tempdir", None), redirect_stdout(StringIO()) as out:
                run(
                    json.loads(Path(config).read_text()),
                    BytesIO(as_bytes(lines)),
                    parse_env_config=False,
                )
        except SystemExit as error:
            code = error.code
        finally:
            logger.removeHandler(handler)
            # They read the environment again.
            Container()[PluggableRunContext].reload_providers()
        texts = (text.getvalue().encode() for text in (out, log))
        return subprocess.CompletedProcess(command, code, *texts)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with duckdb.connect(str(self.file), read_only=True) as database:
            return database.execute(query).fetchall()


def as_bytes(lines: list[Any] | bytes) -> bytes:
    if isinstance(lines, bytes):
        return lines
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def states(run: subprocess.CompletedProcess[bytes]) -> list[Any]:
    """Return what was passed on: the values of STATEs, one a line, each a tap's next state file."""
    return [json.loads(line) for line in run.stdout.splitlines()]
