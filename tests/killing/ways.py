"""The ways of loading that the trials kill, with the state that each keeps between runs."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import IO, TYPE_CHECKING, Any, ClassVar, Self

import duckdb
from dlt.common.versioned_state import decompress_state
from killing import counting
from killing.processes import MARK
from running import BIN
from typing_extensions import override

from dlt_bridge.tables import state_store

if TYPE_CHECKING:
    from collections.abc import Iterator

    Rows = dict[str, Counter[str]]

ROOT = Path(__file__).parent.parent.parent
TARGET_DUCKDB = ROOT / ".meltano" / "loaders" / "target-duckdb" / "venv" / "bin" / "target-duckdb"
DATASET = "data"
#: Prefixes of the columns that loaders add.
ADDED = ("_sdc", "_dlt", "_singer", "__loader")


@dataclass(frozen=True)
class Trial:
    """A series of runs, and the files that they leave.

    Attributes:
        folder: The folder of all files.
        config: The config of the tap.
        mark: A variable in the environment of all processes.
    """

    folder: Path
    config: dict[str, Any]
    mark: str

    @classmethod
    @contextmanager
    def beginning(cls, config: dict[str, Any]) -> Iterator[Self]:
        """Yield a trial in a temporary folder."""
        with TemporaryDirectory(prefix="kills-") as folder:
            found = cls(Path(folder), config, folder)
            found.temporary.mkdir()
            yield found

    @property
    def temporary(self) -> Path:
        return self.folder / "temporary"

    @property
    def warehouse(self) -> Path:
        return self.folder / "w.duckdb"

    @property
    def outputs(self) -> list[Path]:
        """The standard outputs of the runs, oldest first."""
        return sorted(self.folder.glob("*.out"))

    @property
    def errors(self) -> list[Path]:
        """The standard error of each process of the last run."""
        return sorted(self.folder.glob(f"{len(self.outputs):02}-*.err"))

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The complete lines of all outputs."""
        return [
            json.loads(line)
            for path in self.outputs
            for line in path.read_bytes().splitlines(keepends=True)
            if line.endswith(b"\n")
        ]

    def to_another_machine(self) -> None:
        """Delete the working files of pipelines."""
        shutil.rmtree(self.folder / "dlt", ignore_errors=True)

    def file(self, name: str, content: Any) -> str:
        """Write a JSON file, and return its path."""
        path = self.folder / name
        path.write_text(json.dumps(content))
        return str(path)

    def popen(
        self, name: str, command: list[str], out: IO[bytes] | int, stdin: IO[bytes] | None = None
    ) -> subprocess.Popen[bytes]:
        """Start a process. Its name is also that of the file with its standard error."""
        environment = os.environ | {
            MARK: self.mark,
            "TMPDIR": str(self.temporary),
            "DLT_DATA_DIR": str(self.folder / "dlt"),
            "RUNTIME__DLTHUB_TELEMETRY": "false",
            "RUNTIME__LOG_LEVEL": "DEBUG",
            "TAP_CHAT_LOGLEVEL": "DEBUG",
            "TARGET_DLT_LOGLEVEL": "DEBUG",
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        }
        with (self.folder / f"{len(self.outputs):02}-{name}.err").open("wb") as err:
            return subprocess.Popen(
                command,
                stdin=stdin or subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=self.folder,
                env=environment,
                start_new_session=True,
            )

    @contextmanager
    def output(self) -> Iterator[IO[bytes]]:
        """Open the file for the standard output of the next run."""
        with (self.folder / f"{len(self.outputs):02}.out").open("xb") as file:
            yield file


class Way(ABC):
    """A way of loading.

    Attributes:
        name: Its name.
        title: The command, as a user types it.
        victims: The processes to kill.
        own: The processes whose standard error and temporary files are checked.
        explained: Whether errors must be sentences without a traceback.
        may_leave: Files with SQL statements that dlt may leave in TMPDIR.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    victims: ClassVar[tuple[str, ...]] = ("tap", "loader", "both")
    own: ClassVar[tuple[str, ...]] = ("tap", "loader")
    explained: ClassVar[bool] = True
    may_leave: ClassVar[str] = ""

    @abstractmethod
    def start(self, trial: Trial) -> dict[str, subprocess.Popen[bytes]]:
        """Start a run from the stored state. Return the processes by role."""

    def kept(self, trial: Trial) -> dict[str, Any]:
        """Return the state for the next run: the last STATE that was written."""
        states = [line["value"] for line in trial.lines if line["type"] == "STATE"]
        return states[-1] if states else {}

    def rows(self, trial: Trial) -> Rows:
        """Return the loaded rows of each stream, as JSON texts."""
        if not trial.warehouse.exists():
            return {}
        with duckdb.connect(str(trial.warehouse), read_only=True) as database:
            database.execute("set timezone = 'UTC'")
            columns: dict[str, list[str]] = {}
            for table, column in database.execute(
                "select table_name, column_name from information_schema.columns"
                " where table_schema = ? order by 1, 2",
                [DATASET],
            ).fetchall():
                if not (table.startswith(ADDED) or column.startswith(ADDED)):
                    columns.setdefault(table, []).append(f'"{column}"')
            return {
                table: Counter(
                    text
                    for (text,) in database.execute(
                        f"select to_json(t)::varchar from"
                        f" (select {', '.join(names)} from {DATASET}.{table}) t"
                    ).fetchall()
                )
                for table, names in columns.items()
            }


def tap_command(trial: Trial, state: dict[str, Any]) -> list[str]:
    command = [str(BIN / "tap-chat"), "--config", trial.file("config.json", trial.config)]
    return [*command, "--state", trial.file("state.json", state)] if state else command


class TapAlone(Way):
    """The tap alone, with its output in a file."""

    name, title = "tap", "`tap-chat > file`"
    victims = ("tap",)

    @override
    def start(self, trial: Trial) -> dict[str, subprocess.Popen[bytes]]:
        command = tap_command(trial, self.kept(trial))
        with trial.output() as out:
            return {"tap": trial.popen("tap", command, out)}

    @override
    def rows(self, trial: Trial) -> Rows:
        keys: dict[str, list[str]] = {}
        found: dict[str, dict[tuple[Any, ...], str]] = {}
        for line in trial.lines:
            if line["type"] == "SCHEMA":
                keys[line["stream"]] = line["key_properties"]
            elif line["type"] == "RECORD":
                row, stream = line["record"], line["stream"]
                key = tuple(row[name] for name in keys[stream])
                found.setdefault(stream, {})[key] = json.dumps(row, sort_keys=True)
        return {stream: Counter(rows.values()) for stream, rows in found.items()}


class Piped(Way):
    """The tap and a target in a pipe."""

    @override
    def kept(self, trial: Trial) -> dict[str, Any]:
        # Targets write values of STATEs.
        return trial.lines[-1] if trial.lines else {}

    @override
    def start(self, trial: Trial) -> dict[str, subprocess.Popen[bytes]]:
        command = tap_command(trial, self.kept(trial))
        with trial.output() as out:
            tap = trial.popen("tap", command, subprocess.PIPE)
            with tap.stdout as pipe:  # type: ignore[union-attr]  # a pipe
                return {"tap": tap, "loader": trial.popen("loader", self.target(trial), out, pipe)}

    @abstractmethod
    def target(self, trial: Trial) -> list[str]:
        """Return the command of the target."""


class TargetDuckDB(Piped):
    """target-duckdb, whose standard error and temporary files are not checked."""

    name, title = "target-duckdb", "`tap-chat \\| target-duckdb`"
    own = ("tap",)

    @override
    def target(self, trial: Trial) -> list[str]:
        config = {"filepath": str(trial.warehouse), "default_target_schema": DATASET}
        return [str(TARGET_DUCKDB), "--config", trial.file("target.json", config)]


class TargetDlt(Piped):
    """target-dlt, with checkpoints."""

    name, title = "target-dlt", "`tap-chat \\| target-dlt`"

    @override
    def target(self, trial: Trial) -> list[str]:
        config = {
            "destination": "duckdb",
            "credentials": str(trial.warehouse),
            "dataset_name": DATASET,
            "checkpoint_every": 1,
        }
        return [str(BIN / "target-dlt"), "--config", trial.file("target.json", config)]


class Bridge(Way):
    """A way that stores its state in the destination."""

    may_leave = "*.sql"
    source: ClassVar[str]

    @override
    def kept(self, trial: Trial) -> dict[str, Any]:
        if not trial.warehouse.exists():
            return {}
        with duckdb.connect(str(trial.warehouse), read_only=True) as database:
            try:
                found = database.execute(
                    f"select state from {DATASET}._dlt_pipeline_state s join {DATASET}._dlt_loads l"
                    " on l.load_id = s._dlt_load_id where l.status = 0 order by l.load_id desc"
                ).fetchone()
            except duckdb.CatalogException:
                return {}
        if not found:
            return {}
        pipeline: Any = SimpleNamespace(state=decompress_state(found[0]))
        return state_store.saved_state(pipeline.state, self.source)


LOADER = """
import json, sys, dlt
from dlt_bridge import load, singer

config, warehouse = sys.argv[1:]
duckdb = dlt.destinations.duckdb(warehouse)
pipeline = dlt.pipeline("kills", destination=duckdb, dataset_name="data")
load(pipeline, singer("tap-chat", json.load(open(config))), checkpoint_every=1)
"""


class Script(Bridge):
    """A user's script that handles neither signals nor errors."""

    explained = False

    name, title, source = "load", '`load(pipeline, singer("tap-chat"))`', "tap_chat"

    @override
    def start(self, trial: Trial) -> dict[str, subprocess.Popen[bytes]]:
        config = trial.file("config.json", trial.config)
        command = [sys.executable, "-c", LOADER, config, str(trial.warehouse)]
        with trial.output() as out:
            return {"loader": trial.popen("loader", command, out)}


class Append(Bridge):
    """Streams without keys, from a tap that sends each record once."""

    name, title, source = "append", "`dlt singer run`, streams without keys", "counting"
    # dlt shows tracebacks at log level DEBUG.
    explained = False

    @override
    def start(self, trial: Trial) -> dict[str, subprocess.Popen[bytes]]:
        command = [
            str(BIN / "dlt"),
            "--debug",
            "singer",
            "run",
            f"{sys.executable} {counting.__file__}",
        ]
        command += ["--catalog", trial.file("catalog.json", counting.catalog())]
        command += ["--name", self.source, "--credentials", str(trial.warehouse)]
        command += ["--config", trial.file("config.json", trial.config), "--dataset", DATASET]
        command += ["--checkpoint-every", "0.5", "--pipeline", "kills"]
        with trial.output() as out:
            return {"loader": trial.popen("loader", command, out)}


WAYS: tuple[Way, ...] = (TapAlone(), TargetDuckDB(), Script(), TargetDlt(), Append())
