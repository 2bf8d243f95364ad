"""The bridge with real dlt and real destinations, over taps that are real processes."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt
import duckdb
from bridge.destinations import DATASET, DuckDB, Warehouse
from dlt.common.configuration.container import Container
from dlt.common.configuration.specs import PluggableRunContext

from dlt_bridge import singer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dlt.extract import DltSource

SCRIPTED_TAP = Path(__file__).parent / "bridge" / "scripted_tap.py"


@dataclass
class Stage:
    """A pipeline into one destination, with a scripted tap.

    Attributes:
        folder: The folder of all files.
        streams: The streams of the tap's catalog: name to replication method.
        warehouse: The destination; one DuckDB file by default.
    """

    folder: Path
    streams: dict[str, str] = field(default_factory=lambda: {"a": "INCREMENTAL"})
    warehouse: Warehouse | None = None

    def __post_init__(self) -> None:
        self.into = self.warehouse or DuckDB(self.folder)
        self.pipeline = self.new_pipeline("pipelines")

    def new_pipeline(self, folder: str) -> dlt.Pipeline:
        """Return the pipeline as on another machine, with its own working folder."""
        return dlt.pipeline(
            "test",
            pipelines_dir=str(self.folder / folder),
            destination=self.into.destination(),
            dataset_name=DATASET,
        )

    def source(
        self,
        lines: list[Any],
        *,
        given_catalog: Any = None,
        name: str | None = None,
        options: Mapping[str, Any] | None = None,
        **script: Any,
    ) -> DltSource:
        """Return the source of a tap that writes these lines, with options of `singer`."""
        catalog = {"streams": [entry(name, method) for name, method in self.streams.items()]}
        path = self.folder / "script.json"
        path.write_text(json.dumps({"catalog": catalog, "lines": lines, **script}))
        command = [sys.executable, str(SCRIPTED_TAP), str(path)]
        return singer(
            command, {"password": "s3cret"}, catalog=given_catalog, name=name, **(options or {})
        )

    def load(
        self,
        lines: list[Any],
        *,
        refresh: Any = None,
        run: Mapping[str, Any] | None = None,
        **script: Any,
    ) -> None:
        """Load the lines of a tap. `run` goes to `pipeline.run`, and `script` to `source`."""
        self.pipeline.run(
            self.source(lines, **script), refresh=refresh, **{**self.into.options, **(run or {})}
        )

    @property
    def given(self) -> dict[str, Any]:
        """The config, state and catalog of the last run of the tap."""
        given: dict[str, Any] = json.loads((self.folder / "script.given.json").read_text())
        return given

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Return the result of a query of the DuckDB file."""
        with duckdb.connect(str(self.folder / "w.duckdb")) as database:
            database.execute("set timezone = 'UTC'")
            return database.execute(query).fetchall()


def entry(stream: str, method: str) -> dict[str, Any]:
    return {
        "tap_stream_id": stream,
        "stream": stream,
        "schema": {"properties": {}},
        "replication_method": method,
        "metadata": [{"breadcrumb": [], "metadata": {"inclusion": "available"}}],
    }


def schema(stream: str = "a", keys: tuple[str, ...] = ("id",), **properties: Any) -> dict[str, Any]:
    properties = {"id": {"type": "integer"}} | properties
    return {
        "type": "SCHEMA",
        "stream": stream,
        "schema": {"type": "object", "properties": properties},
        "key_properties": list(keys),
    }


def record(stream: str = "a", **values: Any) -> dict[str, Any]:
    return {"type": "RECORD", "stream": stream, "record": values}


def bookmark(**streams: Any) -> dict[str, Any]:
    return {"type": "STATE", "value": {"bookmarks": streams}}


@dataclass(frozen=True)
class Project:
    """A dlt project in the working folder.

    Attributes:
        folder: The folder.
    """

    folder: Path

    def write(self, *, secrets: str = "", config: str = "") -> None:
        """Write secrets.toml and config.toml, and let dlt read them."""
        (self.folder / ".dlt").mkdir(exist_ok=True)
        (self.folder / ".dlt" / "secrets.toml").write_text(secrets)
        (self.folder / ".dlt" / "config.toml").write_text(config)
        self.reload()

    @staticmethod
    def reload() -> None:
        """Let dlt read the files of the working folder again."""
        Container()[PluggableRunContext].reload_providers()
