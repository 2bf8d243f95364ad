"""Between two steps of dlt the machine stops: nothing is lost, whatever is left of its files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import dlt
import duckdb
import pytest
from running import BIN
from staging import Stage, bookmark, record, schema

from dlt_bridge import BridgeError, load, singer
from dlt_bridge.run import recovery

if TYPE_CHECKING:
    from collections.abc import Callable

    from dlt.extract import DltSource

# A tap that counts up from its bookmark: three times thirty records.
COUNTING_TAP = """
import json, pathlib, sys
flag = dict(zip(sys.argv[1::2], sys.argv[2::2]))
state = json.load(open(flag["--state"])) if "--state" in flag else {}
seen = state.get("bookmarks", {}).get("a", {}).get("x", 0)
schema = {"properties": {"id": {"type": "integer"}, "v": {"type": "string"}}}
print(json.dumps({"type": "SCHEMA", "stream": "a", "schema": schema, "key_properties": KEYS}))
for number in range(seen + 1, min(seen + 31, 91)):
    print(json.dumps({"type": "RECORD", "stream": "a", "record": {"id": number, "v": "x"}}))
print(json.dumps({"type": "STATE", "value": {"bookmarks": {"a": {"x": min(seen + 30, 90)}}}}))
"""
Nested = Literal["json", "tables"]
ALL = [(number,) for number in range(1, 91)]


class Machine:
    """A machine with a pipeline, of which thirty rows are committed and thirty are on the way."""

    def __init__(self, folder: Path, keys: str = "id") -> None:
        self.folder, self.keys = folder, keys.split()
        (folder / "tap.py").write_text(COUNTING_TAP.replace("KEYS", json.dumps(self.keys)))

    def source(self, nested: Nested) -> DltSource:
        command = [sys.executable, str(self.folder / "tap.py")]
        catalog = {"streams": [{"tap_stream_id": "a", "key_properties": self.keys}]}
        return singer(command, catalog=catalog, name="counting", nested=nested)

    def pipeline(self) -> dlt.Pipeline:
        """Return the pipeline as a new process sees it."""
        return dlt.pipeline(
            "p",
            pipelines_dir=str(self.folder / "dlt"),
            destination=dlt.destinations.duckdb(str(self.folder / "w.duckdb")),
            dataset_name="data",
        )

    @property
    def working(self) -> Path:
        return self.folder / "dlt" / "p"

    def run(self, nested: Nested = "json") -> None:
        load(self.pipeline(), self.source(nested))

    def left(self, step: str, nested: Nested = "json") -> list[Path]:
        """Run it once, and stop it the second time after a step; return what it left."""
        self.run(nested)
        pipeline = self.pipeline()
        pipeline.extract(self.source(nested))
        folder = self.working / "normalize" / "extracted"
        if step == "normalize":
            pipeline.normalize()
            folder = self.working / "load" / "normalized"
        return [path for path in folder.rglob("*") if path.is_file()]

    def restart(self) -> None:
        (self.working / recovery.BOOT_FILE).write_text("another")

    @property
    def rows(self) -> list[Any]:
        with duckdb.connect(str(self.folder / "w.duckdb"), read_only=True) as database:
            return database.execute("select id from data.a order by id").fetchall()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def halved(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


CUTS = [emptied, halved, Path.unlink]


@pytest.mark.parametrize("step", ["extract", "normalize"])
@pytest.mark.parametrize("nested", ["json", "tables"])
@pytest.mark.parametrize("cut", CUTS)
def test_package_from_before_a_restart_may_be_damaged(
    machine: Machine, step: str, nested: Nested, cut: Callable[[Path], None]
) -> None:
    for path in machine.left(step, nested):
        cut(path)
    machine.restart()
    for _ in range(2):
        machine.run(nested)
    assert machine.rows == ALL


def test_emptied_file_of_rows_loses_no_rows(machine: Machine) -> None:
    """dlt itself loads it as no rows, and keeps the state."""
    [rows] = [path for path in machine.left("extract", "tables") if path.name.startswith("a.")]
    emptied(rows)
    machine.restart()
    for _ in range(2):
        machine.run("tables")
    assert machine.rows == ALL


def test_lost_commit_is_loaded_again(machine: Machine, tmp_path: Path) -> None:
    machine.run()
    shutil.copy(machine.folder / "w.duckdb", tmp_path / "before")
    machine.run()
    shutil.copy(tmp_path / "before", machine.folder / "w.duckdb")
    machine.restart()
    for _ in range(2):
        machine.run()
    assert machine.rows == ALL


def test_package_without_a_restart_is_loaded_first(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    machine.left("normalize")
    machine.run()
    assert machine.rows == ALL
    assert not caplog.records
    machine.restart()
    machine.run()
    assert machine.rows == ALL
    assert "The machine was restarted since" in caplog.text


@pytest.mark.parametrize("cut", [emptied, halved])
def test_damage_that_the_destination_finds_is_given_up(
    machine: Machine, cut: Callable[[Path], None]
) -> None:
    """The tap sends the rows of the package again."""
    [rows] = [path for path in machine.left("normalize") if path.name.startswith("a.")]
    cut(rows)
    for _ in range(2):
        machine.run()
    assert machine.rows == ALL


@pytest.mark.parametrize("cut", [emptied, halved])
def test_damage_is_one_sentence_with_a_remedy(
    machine: Machine, cut: Callable[[Path], None]
) -> None:
    [rows] = [path for path in machine.left("extract") if path.name.startswith("a.")]
    cut(rows)
    for _ in range(2):
        with pytest.raises(BridgeError, match=f"delete the folder {machine.working}, and run"):
            machine.run()
    assert machine.rows == ALL[:30]
    shutil.rmtree(machine.working)
    for _ in range(2):
        machine.run()
    assert machine.rows == ALL


# Two runs, each of which is killed before or after a step of dlt.
KILLED = """
import os, signal, sys
from importlib import import_module
from pathlib import Path
from bridge.test_power_loss import Machine

folder, module, owner, step, when = sys.argv[1:]

def killed(*arguments, going_on, **options):
    if when == "after":
        going_on(*arguments, **options)
    os.kill(os.getpid(), signal.SIGKILL)

for _ in range(2):
    if (child := os.fork()) == 0:
        owner = getattr(import_module(module), owner)
        going_on = getattr(owner, step)
        setattr(owner, step, lambda *a, **o: killed(*a, going_on=going_on, **o))
        Machine(Path(folder), keys="").run()
        os._exit(1)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
"""


@pytest.mark.parametrize(
    ("place", "when"),
    [
        # The package is there, but not yet in dlt's state.
        ("dlt.extract.extract Extract commit_packages", "after"),
        # It is normalized, and what was extracted is there, too.
        ("dlt.common.storages LoadStorage commit_new_load_package", "after"),
        ("dlt Pipeline load", "before"),
        ("dlt.load.load Load complete_package", "before"),
        ("dlt.load.load Load complete_package", "after"),
    ],
)
def test_kill_between_two_steps_loses_and_duplicates_nothing(
    tmp_path: Path, place: str, when: str
) -> None:
    command = [sys.executable, "-c", KILLED, str(tmp_path), *place.split(), when]
    path = os.pathsep.join(map(str, sys.path))
    # Each run ends.
    subprocess.run(command, env=os.environ | {"PYTHONPATH": path}, check=True, timeout=100)
    machine = Machine(tmp_path, keys="")
    for _ in range(3):
        machine.run()
    assert machine.rows == ALL


@pytest.mark.parametrize("cut", [emptied, halved])
def test_target_needs_nothing_of_its_working_files(
    tmp_path: Path, cut: Callable[[Path], None]
) -> None:
    stage = Stage(tmp_path)
    lines = [schema(), record(id=1), bookmark(a={"x": 1})]
    stage.pipeline.extract(singer(map(json.dumps, lines), name="test"))
    stage.pipeline.normalize()
    for path in Path(stage.pipeline.working_dir, "load", "normalized").rglob("*"):
        if path.is_file():
            cut(path)
    config = {
        "destination": "duckdb",
        "credentials": str(tmp_path / "w.duckdb"),
        "dataset_name": "data",
        "pipelines_dir": str(tmp_path / "pipelines"),
        "pipeline_name": "test",
    }
    (tmp_path / "target.json").write_text(json.dumps(config))
    command = [str(BIN / "target-dlt"), "--config", str(tmp_path / "target.json")]
    text = "".join(f"{json.dumps(line)}\n" for line in lines)

    def run() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False)

    assert run().returncode == 0
    assert stage.rows("select id from data.a") == [(1,)]
    cut(Path(stage.pipeline.working_dir, "state.json"))
    damaged = run()
    assert damaged.returncode == 1
    assert f"delete the folder {stage.pipeline.working_dir}, and run" in damaged.stderr
    assert "Traceback" not in damaged.stderr
