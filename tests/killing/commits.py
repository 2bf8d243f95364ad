"""Runs that are killed, or held, at one step of a commit: a statement, or a change of a file.

This is a program that forks a process for each run, because importing dlt takes longer than a run.
It reads a line of JSON for each, and writes a line with how the run has ended.
"""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import traceback
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What a run does step by step, by the module and the class.
STEPS = {
    ("dlt.common.storages.file_storage", "FileStorage"): (
        *("atomic_rename", "atomic_import", "delete", "save"),
    ),
    ("dlt.destinations.impl.duckdb.sql_client", "DuckDbSqlClient"): (
        *("execute_query", "commit_transaction"),
    ),
    ("dlt.destinations.impl.postgres.sql_client", "Psycopg2SqlClient"): (
        *("execute_query", "commit_transaction"),
    ),
    ("dlt.destinations.impl.sqlalchemy.db_api_client", "SqlalchemyClient"): (
        *("execute_query", "commit_transaction"),
    ),
}


@dataclass(frozen=True, kw_only=True)
class Run:
    """A run of the tap below, of which only `load`, or the target, is killed.

    From record 11 on, there is another property, and another stream.

    Attributes:
        folder: The folder of the tap, the logs and the state of the target.
        destination: The name of the destination.
        credentials: Its credentials.
        pipeline: The name of the pipeline.
        machine: The name of a folder for working files, as if on another machine.
        upto: The number of the last record that the source has.
        kill: Before which step the run is killed: its number, or a pattern; None to let it end.
        whole: Count the steps from the begin of the run, not of the load.
        hold: Stop it there instead, until `go_on`.
        go_on: Let this process continue, and wait for its end, instead of starting one.
        target: Load by target-dlt, from the last STATE that it has written.
        nested: How nested values are loaded.
        workers: How many files are loaded at the same time.
        replace_strategy: How dlt replaces a table.
    """

    folder: str
    destination: str
    credentials: str
    pipeline: str = "p"
    machine: str = "here"
    upto: int = 20
    kill: int | str | None = None
    whole: bool = False
    hold: bool = False
    go_on: int | None = None
    target: bool = False
    nested: str = "json"
    workers: int = 20
    replace_strategy: str = "truncate-and-insert"


TAP = """
import json, sys
upto, files = int(sys.argv[1]), dict(zip(sys.argv[2::2], sys.argv[3::2]))
state = json.load(open(files["--state"])) if "--state" in files else {}
seen = {stream: mark["x"] for stream, mark in state.get("bookmarks", {}).items()}
types = {"id": {"type": "integer"}, "v": {"type": "array"}}
streams = "abfk"
if upto > 10:
    types["w"] = {"type": "string"}
    streams += "n"
for stream in streams:
    keys = ["id"] if stream == "k" else []
    print(json.dumps({"type": "SCHEMA", "stream": stream, "schema": {"properties": types},
        "key_properties": keys}))
    for number in range(1 if stream == "f" else seen.get(stream, 0) + 1, upto + 1):
        row = {"id": number, "v": [number, -number]} | ({"w": "new"} if number > 10 else {})
        print(json.dumps({"type": "RECORD", "stream": stream, "record": row}))
marks = {stream: {"x": upto} for stream in streams if stream != "f"}
print(json.dumps({"type": "STATE", "value": {"bookmarks": marks}}))
"""
CATALOG = {
    "streams": [
        {
            "tap_stream_id": stream,
            "key_properties": ["id"] if stream == "k" else [],
            "replication_method": "FULL_TABLE" if stream == "f" else "INCREMENTAL",
        }
        for stream in "abfkn"
    ]
}


@contextmanager
def killing(run: Run) -> Iterator[Iterator[int]]:
    """Count the steps from the begin of the load, and end or stop this process before one."""
    from importlib import import_module  # noqa: PLC0415 - in the forked process

    from dlt_bridge.destinations.load_once import LoadOnce  # noqa: PLC0415

    steps, loading = count(), [run.whole]

    def counted(step: Any) -> Any:
        def wrapped(*arguments: Any, **options: Any) -> Any:
            if loading[0]:
                number, said = next(steps), f"{step.__name__} {arguments[1:]}"
                is_it = bool(re.search(run.kill, said)) if isinstance(run.kill, str) else False
                if is_it or number == run.kill:
                    loading[0] = False
                    os.kill(os.getpid(), signal.SIGSTOP if run.hold else signal.SIGKILL)
            return step(*arguments, **options)

        return wrapped

    for (module, owner), names in STEPS.items():
        found = getattr(import_module(module), owner)
        for name in names:
            setattr(found, name, counted(getattr(found, name)))
    begin = LoadOnce.load_single_package

    def begun(*arguments: Any) -> None:
        loading[0] = True
        begin(*arguments)

    LoadOnce.load_single_package = begun  # type: ignore[method-assign,assignment]
    yield steps


def load_once(run: Run) -> None:
    """Load what the tap sends with `load`."""
    import dlt  # noqa: PLC0415 - in the forked process

    from dlt_bridge import load, singer  # noqa: PLC0415
    from dlt_bridge.run.pipelines import PipelineSpec, make_destination  # noqa: PLC0415

    tap = Path(run.folder, "tap.py")
    tap.write_text(TAP)
    spec = PipelineSpec(
        destination=run.destination, pipeline=run.pipeline, credentials=run.credentials
    )
    pipeline = dlt.pipeline(
        run.pipeline,
        pipelines_dir=str(Path(run.folder, run.machine)),
        destination=make_destination(spec),
        dataset_name="data",
    )
    source = singer(
        [sys.executable, "-I", "-S", str(tap), str(run.upto)],
        catalog=CATALOG,
        name="counting",
        nested=run.nested,  # type: ignore[arg-type]
    )
    load(pipeline, source)


def load_by_target(run: Run) -> None:
    """Load what the tap sends with target-dlt, from the last STATE."""
    from dlt_bridge.target.target import TargetDlt  # noqa: PLC0415

    folder = Path(run.folder)
    (folder / "tap.py").write_text(TAP)
    states = folder / "states"
    command = [sys.executable, "-I", "-S", str(folder / "tap.py"), str(run.upto)]
    if states.exists() and (lines := states.read_text().splitlines()):
        (folder / "state.json").write_text(lines[-1])
        command += ["--state", str(folder / "state.json")]
    sent = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    os.dup2(os.open(states, os.O_WRONLY | os.O_APPEND | os.O_CREAT), 1)
    config = {
        "destination": run.destination,
        "credentials": run.credentials,
        "dataset_name": "data",
        "pipeline_name": run.pipeline,
        "nested": run.nested,
    }
    TargetDlt(config=config).load(io.BytesIO(sent))


def main() -> None:
    """Start or continue a process for each line of standard input."""
    import dlt_bridge.target.target  # noqa: F401, PLC0415 - once, for all runs

    pipes: dict[int, int] = {}
    for line in sys.stdin:
        run = Run(**json.loads(line))
        if run.go_on:
            process = run.go_on
            os.kill(process, signal.SIGCONT)
        else:
            process, pipes_end = forked(run)
            pipes[process] = pipes_end
        _, status = os.waitpid(process, os.WUNTRACED)
        if os.WIFSTOPPED(status):
            answer: dict[str, Any] = {"process": process}
        else:
            with os.fdopen(pipes.pop(process)) as pipe:
                answer = {"steps": int(pipe.read() or 0)}
            answer["code"] = os.waitstatus_to_exitcode(status)
        print(json.dumps(answer), flush=True)
    for process in pipes:
        # It is still stopped.
        os.kill(process, signal.SIGKILL)


def forked(run: Run) -> tuple[int, int]:
    """Start a run. Return the process, and the file that it writes the number of steps to."""
    reading, writing = os.pipe()
    if process := os.fork():
        os.close(writing)
        return process, reading
    log = os.open(Path(run.folder, "log"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.environ["LOAD__WORKERS"] = str(run.workers)
    os.environ["DESTINATION__REPLACE_STRATEGY"] = run.replace_strategy
    code = 1
    try:
        with killing(run) as steps:
            (load_by_target if run.target else load_once)(run)
            os.write(writing, str(next(steps)).encode())
        code = 0
    except BaseException:  # noqa: BLE001 - as Python itself would end
        traceback.print_exc()
    finally:
        os._exit(code)


class Runs:
    """Runs in processes of a server."""

    def __init__(self) -> None:
        environment = os.environ | {"RUNTIME__DLTHUB_TELEMETRY": "false"}
        self._server = subprocess.Popen(
            [sys.executable, "-m", "killing.commits"],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def __call__(self, run: Run) -> dict[str, Any]:
        """Start a run. Return how it has ended, or the process if it was stopped."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        print(json.dumps(asdict(run)), file=self._server.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self._server.stdout.readline())
        return answer

    def close(self) -> None:
        """End the server."""
        self._server.communicate()


if __name__ == "__main__":
    main()
