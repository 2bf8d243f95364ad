"""One pipeline, several places: each gets every row once, whatever was loaded elsewhere."""

from __future__ import annotations

import json
import shutil
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import dlt
import duckdb
import pytest
from bridge.command_line import Command
from dlt.pipeline.exceptions import PipelineStepFailed
from staging import Stage, record, schema

from dlt_bridge import load, singer

if TYPE_CHECKING:
    from pathlib import Path

    from dlt.extract import DltSource

# A tap that counts from its bookmark to the number in a file. It has no keys, so duplicates show.
COUNTING_TAP = """
import json, pathlib, sys
flag = dict(zip(sys.argv[1::2], sys.argv[2::2]))
state = json.load(open(flag["--state"])) if "--state" in flag else {}
seen = state.get("bookmarks", {}).get("a", {}).get("x", 0)
last = int(pathlib.Path(__file__).with_name("last").read_text())
schema = {"properties": {"id": {"type": "integer"}}}
print(json.dumps({"type": "SCHEMA", "stream": "a", "schema": schema, "key_properties": []}))
for number in range(seen + 1, last + 1):
    print(json.dumps({"type": "RECORD", "stream": "a", "record": {"id": number}}))
print(json.dumps({"type": "STATE", "value": {"bookmarks": {"a": {"x": last}}}}))
"""
CATALOG = {"streams": [{"tap_stream_id": "a"}]}
Way = Literal["load", "run", "command"]


@dataclass
class World:
    """A tap whose account grows, and one working folder for a pipeline to many places."""

    folder: Path
    last: int = 0

    def __post_init__(self) -> None:
        (self.folder / "tap.py").write_text(COUNTING_TAP)
        (self.folder / "catalog.json").write_text(json.dumps(CATALOG))

    def source(self, name: str = "counting") -> DltSource:
        return singer([sys.executable, str(self.folder / "tap.py")], catalog=CATALOG, name=name)

    def pipeline(self, file: str, dataset: str, folder: str = "dlt") -> dlt.Pipeline:
        """Return the pipeline as a new process sees it."""
        return dlt.pipeline(
            "p",
            pipelines_dir=str(self.folder / folder),
            destination=dlt.destinations.duckdb(str(self.folder / file)),
            dataset_name=dataset,
        )

    def grow(self) -> None:
        self.last += 3
        (self.folder / "last").write_text(str(self.last))

    def load(self, way: Way, file: str = "w.duckdb", dataset: str = "data", **run: Any) -> None:
        """Load to a place what the account has by now."""
        self.grow()
        if way == "load":
            load(self.pipeline(file, dataset), self.source(), **run)
        elif way == "run":
            self.pipeline(file, dataset).run(self.source(), **run)
        else:
            done = Command(self.folder)(
                *("singer", "run", f"{sys.executable} {self.folder / 'tap.py'}"),
                *("--name", "counting", "--catalog", str(self.folder / "catalog.json")),
                *("--pipeline", "p", "--pipelines-dir", str(self.folder / "dlt")),
                *("--credentials", str(self.folder / file), "--dataset", dataset),
            )
            assert done.returncode == 0, done.stderr

    def rows(self, file: str = "w.duckdb", dataset: str = "data", table: str = "a") -> list[int]:
        with duckdb.connect(str(self.folder / file), read_only=True) as database:
            found = database.execute(f"select id from {dataset}.{table} order by id").fetchall()
        return [number for (number,) in found]

    @property
    def all(self) -> list[int]:
        return list(range(1, self.last + 1))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


PROD, TEST = ("prod.duckdb", "data"), ("test.duckdb", "data")
OTHER_DATASET = ("prod.duckdb", "other")


@pytest.mark.parametrize(
    ("way", "other"), [("load", TEST), ("run", TEST), ("command", TEST), ("run", OTHER_DATASET)]
)
def test_locations_take_turns(
    world: World, way: Way, other: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    for place in (PROD, other, other, PROD):
        world.load(way, *place)
        assert world.rows(*place) == world.all
        told = "another destination or dataset than duckdb" in caplog.text
        caplog.clear()
    # On standard error, where pytest does not see it; and dlt itself forgets all in a new place.
    assert told or way == "command"


def test_destination_is_restored_from_a_backup(world: World) -> None:
    world.load("run")
    shutil.copy(world.folder / "w.duckdb", world.folder / "backup")
    for way in ("load", "run"):
        world.load("run")
        shutil.copy(world.folder / "backup", world.folder / "w.duckdb")
        world.load(way)
        assert world.rows() == world.all


@pytest.mark.parametrize("way", ["load", "run"])
def test_dataset_is_emptied_by_hand(world: World, way: Way) -> None:
    world.load(way)
    with duckdb.connect(str(world.folder / "w.duckdb")) as database:
        for statement in ("drop schema data cascade", "create schema data", "create schema other"):
            database.execute(statement)
    for dataset in ("data", "other"):
        world.load(way, dataset=dataset)
        assert world.rows(dataset=dataset) == world.all


def test_waiting_package_belongs_to_its_location(world: World) -> None:
    """And the place may be given as to `pipeline.run`."""

    def load_to(file: str, dataset: str, *, left: bool) -> None:
        world.grow()
        if left:
            world.pipeline(file, dataset).extract(world.source())
            return
        load(
            dlt.pipeline("p", pipelines_dir=str(world.folder / "dlt")),
            world.source(),
            destination="duckdb",
            credentials=str(world.folder / file),
            dataset_name=dataset,
        )
        assert world.rows(file, dataset) == world.all

    for place in (PROD, TEST):
        load_to(*place, left=False)
        load_to(*place, left=True)
    for place in (PROD, OTHER_DATASET, TEST):
        load_to(*place, left=False)


def test_waiting_package_is_loaded_to_its_location(world: World) -> None:
    world.load("run")
    world.grow()
    world.pipeline("w.duckdb", "data").extract(world.source())
    (world.folder / "tap.py").write_text("raise SystemExit('not again')")
    with pytest.raises(PipelineStepFailed, match="not again"):
        load(world.pipeline("w.duckdb", "data"), world.source())
    assert world.rows() == world.all


@pytest.mark.parametrize("way", ["load", "run"])
@pytest.mark.parametrize(
    "anew", [{"refresh": "drop_resources"}, {"write_disposition": "replace"}], ids=str
)
def test_stream_is_reset_in_one_location(world: World, way: Way, anew: dict[str, Any]) -> None:
    """dlt empties its table, and forgets its bookmark, before the tap is read."""
    for place in (PROD, TEST):
        world.load("run", *place)
    world.load(way, *PROD, **anew)
    assert world.rows(*PROD) == world.all


def test_sources_of_a_pipeline_continue_each_in_its_location(world: World) -> None:
    """What one source commits to a place is not the state that another has elsewhere."""

    def run(name: str, place: tuple[str, str]) -> None:
        source = world.source(name)
        source.resources["a"].apply_hints(table_name=name)
        world.pipeline(*place).run(source)

    world.grow()
    for name, place in (("one", TEST), ("two", TEST), ("one", PROD), ("two", PROD)):
        run(name, place)
        world.grow()
    for name in ("one", "two"):
        run(name, TEST)
        assert world.rows(*TEST, table=name) == world.all


def test_pipeline_object_sees_what_other_processes_loaded(world: World) -> None:
    """dlt asks the destination once for each pipeline object."""
    pipeline = world.pipeline("w.duckdb", "data")
    elsewhere = world.pipeline("w.duckdb", "data", folder="elsewhere")
    for each in (pipeline, elsewhere, pipeline):
        world.grow()
        each.run(world.source())
    assert world.rows() == world.all


@pytest.mark.parametrize("way", ["load", "run"])
def test_state_that_no_destination_keeps_belongs_to_its_location(
    world: World, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESTORE_FROM_DESTINATION", "false")
    for place in (PROD, PROD, TEST):
        world.load(way, *place)
        assert world.rows(*place) == world.all
    world.load(way, *PROD)
    # Some twice: from here, nobody knows what is there.
    assert sorted(set(world.rows(*PROD))) == world.all


def test_state_of_each_location_is_shown(world: World) -> None:
    def shown(file: str) -> Any:
        done = Command(world.folder)(
            *("singer", "state", "counting", "--json", "--pipeline", "p"),
            *("--pipelines-dir", str(world.folder / "dlt"), "--dataset", "data"),
            *("--credentials", str(world.folder / file)),
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    for place in (PROD, TEST, TEST):
        world.load("run", *place)
    assert shown("prod.duckdb") == {"bookmarks": {"a": {"x": 3}}}
    assert shown("test.duckdb") == {"bookmarks": {"a": {"x": 9}}}


def test_sequence_rises_even_if_the_clock_goes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By them the last version is known, also to another machine."""
    stage = Stage(tmp_path)
    now = time.time_ns()
    for hour, version in enumerate(("first", "second", "third")):
        monkeypatch.setattr(time, "time_ns", lambda back=hour: now - back * 3600 * 10**9)
        lines = [schema(v={"type": "string"}), record(id=1, v=version), record(id=2, v=version)]
        pipeline = stage.new_pipeline(version)
        pipeline.run(stage.source(lines), write_disposition="append")
    numbers = stage.rows("select v, min(_sdc_sequence) m from data.a group by v order by m")
    assert [version for version, _ in numbers] == ["first", "second", "third"]
