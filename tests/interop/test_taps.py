"""Taps of other projects for files and APIs, into target-dlt: two runs with changes between."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bridge.target_command import as_bytes
from interop.cells import differences
from interop.environments import program
from interop.pipe import piped
from interop.targets import Dlt, SingerJsonl
from serving import Server
from staging import record, schema

if TYPE_CHECKING:
    from pathlib import Path

    from interop.cells import Row

#: Values that some program might change.
FIRST: list[Row] = [
    {"id": 1, "name": "Zoë 😀", "big": 2**60, "ratio": 0.1, "open": True, "tags": ["a", None]},
    {"id": 2, "name": "", "big": None, "ratio": 2.5, "open": False, "tags": []},
    {
        "id": 3,
        "name": 'tab\tline\n"quoted", a',
        "big": -1,
        "ratio": None,
        "open": None,
        "tags": None,
    },
]
#: One row changes, and one row and one column are new.
SECOND: list[Row] = [FIRST[1] | {"name": "changed", "city": "Köln"}, {"id": 4, "city": "Oslo"}]
BLANK = dict.fromkeys([*FIRST[0], "city"])
TRUTH = [BLANK | row for row in (FIRST[0], SECOND[0], FIRST[2], SECOND[1])]
TEXT = {"type": ["null", "string"]}
SCHEMA: dict[str, Any] = {
    "name": TEXT,
    "big": {"type": ["null", "integer"]},
    "ratio": {"type": ["null", "number"]},
    "open": {"type": ["null", "boolean"]},
    "tags": {"type": ["null", "array"]},
}


@dataclass(frozen=True)
class Run:
    """target-dlt after a tap of another project.

    Attributes:
        folder: The folder of the files.
        environment: The environment of the tap.
        tap: The tap.
    """

    folder: Path
    environment: str
    tap: str

    @property
    def target(self) -> Dlt:
        return Dlt(self.folder / "w.duckdb")

    def __call__(self, config: dict[str, Any], stream: str = "things") -> list[Row]:
        """Run the pair, and return the loaded rows, without the columns that the tap adds."""
        (self.folder / "config.json").write_text(json.dumps(config))
        (self.folder / "target.json").write_text(json.dumps(self.target.config))
        done = piped(self.folder, program(self.environment, self.tap), self.target.path)
        assert done.code == 0, done.said
        held = self.target.held(stream)
        return [{name: row[name] for name in row if "_sdc_" not in name} for row in held]


def test_tap_jsonl(tmp_path: Path) -> None:
    run = Run(tmp_path, "tap-jsonl", "tap-jsonl")
    files = tmp_path / "files"
    files.mkdir()
    config = {
        "path": str(files / "*.jsonl"),
        "stream_name": "things",
        "primary_keys": ["id"],
    }
    write(files / "1.jsonl", FIRST)
    assert differences(["id"], FIRST, run(config)) == []
    write(files / "2.jsonl", SECOND)
    assert differences(["id"], TRUTH, run(config)) == []
    state = json.loads((tmp_path / "state.json").read_text())
    assert len(state["bookmarks"]["things"]["partitions"]) == 2


def test_tap_singer_jsonl_reads_what_target_singer_jsonl_wrote(tmp_path: Path) -> None:
    run = Run(tmp_path, "singer-jsonl", "tap-singer-jsonl")
    for number, rows in enumerate((FIRST, SECOND)):
        folder = tmp_path / f"run-{number}"
        folder.mkdir()
        # The first SCHEMA does not have the later column.
        columns = SCHEMA | ({"city": TEXT} if number else {})
        lines = [schema("things", **columns), *(record("things", **row) for row in rows)]
        SingerJsonl(folder / "out").load(as_bytes(lines), folder)
        held = run(
            {
                "source": "local",
                "local": {"folders": [str(folder / "out")], "recursive": True},
                "add_record_metadata": False,
            }
        )
        assert differences(["id"], TRUTH if number else FIRST, held) == []


def test_tap_rest_api_msdk(tmp_path: Path) -> None:
    run = Run(tmp_path, "tap-rest-api-msdk", "tap-rest-api-msdk")
    rows = FIRST
    with Server(lambda _: {"things": rows}) as server:
        config = {
            "api_url": server.url,
            "streams": [
                {
                    "name": "things",
                    "path": "/things",
                    "primary_keys": ["id"],
                    "records_path": "$.things[*]",
                }
            ],
        }
        assert differences(["id"], FIRST, run(config)) == []
        rows = SECOND
        assert differences(["id"], TRUTH, run(config)) == []


def write(path: Path, rows: list[Row]) -> None:
    path.write_bytes(as_bytes(rows))
