"""The values that arrive in DuckDB, with target-duckdb and with the bridge."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import demo
import duckdb
from dlt.pipeline.exceptions import PipelineStepFailed
from fault_matrix.case import WORLD, number
from fault_matrix.cases import CASES
from fault_matrix.runs import config_of
from msgspec.structs import replace
from staging import Stage

from dlt_bridge import singer

if TYPE_CHECKING:
    from pathlib import Path

    from fault_matrix.case import Case
    from running import Runner

    from tap_chat.sandbox import Fault, Sandbox

TARGET = demo.ROOT / ".meltano" / "loaders" / "target-duckdb" / "venv" / "bin" / "target-duckdb"
STREAM = "chat_messages"
ROWS = WORLD.chat.messages
#: Several values share one load of the bridge, because a load takes long. Each has its own page.
PAGE = 100
# Each page begins with the last row of the one before.
PAGES = range(0, len(ROWS) - 1, PAGE - 1)


@dataclass(frozen=True)
class Loaded:
    """The result of a load.

    Attributes:
        code: The exit code; for the bridge, 1 is an exception.
        rows: The number of rows in the table.
        values: The stored values of the changed field, by column.
        expected: The correct value.
        err: The log.
    """

    code: int
    rows: int
    values: dict[str, Any]
    expected: Any
    err: str

    @property
    def cell(self) -> str:
        """The cell of the table."""
        if self.code:
            return f"fails, {self.rows or 'no'} rows loaded"
        if self.rows != len(ROWS):
            return f"{len(ROWS) - self.rows} lost"
        own, *others = self.values
        if self.values[own] == self.expected:
            return "whole"
        kept = [name for name in others if self.values[name] == self.expected]
        if kept:
            return f"whole, in `{kept[0]}`"
        return f"whole, but `{self.values[own]}` instead"


def cases_of_values() -> list[Case]:
    """Return the cases with values that the tap writes."""
    return [case for case in CASES if case.ending == "whole" and case.fault.kind == "replace"]


def by_target_duckdb(tap: Runner, sandbox: Sandbox, case: Case) -> Loaded:
    """Load with `tap-chat | target-duckdb`."""
    with demo.installing():
        if not TARGET.exists():
            install = [*demo.MELTANO, "install", "loader", "target-duckdb"]
            subprocess.run(install, cwd=demo.ROOT, check=True, capture_output=True)
    sandbox.options.faults = [struck(case, PAGE)]
    run = tap(config_of(sandbox, "chat", **case.settings))
    sandbox.options.faults = []
    assert run.code == 0, run.errors
    path = tap.folder / "target.duckdb"
    config = tap.folder / "target.json"
    config.write_text(json.dumps({"filepath": str(path), "default_target_schema": "data"}))
    done = subprocess.run(
        [TARGET, "--config", config],
        cwd=tap.folder,
        input=run.out,
        capture_output=True,
        check=False,
    )
    return loaded(path, case, PAGE, (done.returncode, done.stderr.decode(errors="replace")))


def by_bridge(folder: Path, sandbox: Sandbox, cases: list[Case]) -> dict[str, Loaded]:
    """Load with `pipeline.run(singer("tap-chat", config))`; return the result of each case."""
    found = {}
    for start in range(0, len(cases), len(PAGES)):
        some = dict(zip(PAGES, cases[start:], strict=False))
        own = folder / f"bridge-{start}"
        own.mkdir()
        stage = Stage(own)
        sandbox.options.faults = [struck(case, page) for page, case in some.items()]
        settings = {name: value for case in some.values() for name, value in case.settings.items()}
        code, said = 0, ""
        try:
            stage.pipeline.run(singer("tap-chat", config_of(sandbox, "chat", **settings)))
        except PipelineStepFailed as error:
            code, said = 1, str(error)
        sandbox.options.faults = []
        for page, case in some.items():
            found[case.name] = loaded(own / "w.duckdb", case, page, (code, said))
    return found


def struck(case: Case, page: int) -> Fault:
    """Return the fault of a case for the page that begins with this row."""
    return replace(case.struck("chat"), query={"offset": str(page)}, after=0)


def loaded(path: Path, case: Case, page: int, ended: tuple[int, str]) -> Loaded:
    """Return the result of a load from the content of a database.

    Args:
        path: The database.
        case: The case.
        page: The changed page; the fault changed its last row.
        ended: The exit code of the load, and its log.
    """
    field, expected = case.put("chat")
    rows, values = 0, {field: None}
    of_struck = min(page + PAGE, len(ROWS)) - 1
    if path.exists():
        with duckdb.connect(str(path), read_only=True) as database:
            tables = database.execute("select table_name from information_schema.tables")
            if STREAM in {name for (name,) in tables.fetchall()}:
                [(rows,)] = database.execute(f"select count(*) from data.{STREAM}").fetchall()
                found = database.execute(
                    f"select * from data.{STREAM} where id = ?", [ROWS[of_struck]["id"]]
                )
                names = [name for name, *_ in found.description or ()]
                for row in found.fetchall():
                    there = dict(zip(names, row, strict=True))
                    columns = [name for name in names if name.startswith(f"{field}__v_")]
                    # Objects, and values that do not fit their column, are stored as JSON.
                    own = plain(there[field], source=isinstance(expected, dict))
                    others = {name: plain(there[name], source=True) for name in columns}
                    values = {field: own} | others
    return Loaded(ended[0], rows, values, expected, ended[1])


def plain(stored: Any, *, source: bool) -> Any:
    """Return a stored value as a value of JSON.

    Args:
        stored: The value.
        source: Whether a text is the JSON of the value.
    """
    text = stored.decode() if isinstance(stored, bytes) else stored
    return json.loads(text, parse_float=number) if source and isinstance(text, str) else text
