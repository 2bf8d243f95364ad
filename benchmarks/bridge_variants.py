"""Load a file of Singer messages with one of several uses of dlt.

bridge_speed.py, bridge_growth.py and postgres_targets.py start it:
`bridge_variants.py <variant> <input> <folder> [<url>]`. The URL is of a PostgreSQL database;
without it, the rows go into a DuckDB file. Its last line of output is JSON with the seconds of the
load and of its stages.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import dlt
from dlt.common.runtime.collector import NullCollector
from typing_extensions import override

from benchmarks.singer_data import KEYS, STREAM, catalog
from dlt_bridge import load, singer
from dlt_bridge.postgres import postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dlt import Pipeline
    from dlt.extract import DltResource, DltSource

DATASET = "bench"
#: A file next to the input with the names of the streams. Without it, the input has one stream.
STREAMS_FILE = "streams.json"
CHECKPOINT_SECONDS = 2.0


@dataclass(slots=True)
class Loaded:
    """The duration of a load.

    Attributes:
        seconds: The whole load, without imports.
        packages: The number of packages that dlt has loaded.
        stages: The seconds of each stage of dlt.
    """

    seconds: float = 0
    packages: int = 0
    stages: dict[str, float] = field(default_factory=dict)


class _Stages(NullCollector):
    """Sums the stages of all runs of a pipeline, from dlt's trace."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded

    @override
    def on_end_trace_step(
        self, trace: Any, step: Any, pipeline: Any, step_info: Any, send_state: bool
    ) -> None:
        stages, took = self._loaded.stages, step.finished_at - step.started_at
        stages[step.step] = stages.get(step.step, 0) + took.total_seconds()
        if step.step == "load":
            self._loaded.packages += len(step_info.load_packages) if step_info else 0


@dataclass(frozen=True, slots=True)
class Job:
    """A file to load.

    Attributes:
        source: The file of Singer messages.
        folder: The folder for the database and the files of dlt.
        streams: The streams in the file.
        url: The PostgreSQL database; None for a DuckDB file in the folder.
    """

    source: Path
    folder: Path
    streams: list[str]
    url: str | None = None

    def pipeline(self, loaded: Loaded, kind: type[Any] = postgres) -> Pipeline:
        """Return a new pipeline.

        Args:
            loaded: Where to sum the stages.
            kind: The destination for PostgreSQL.
        """
        return dlt.pipeline(
            "bench",
            pipelines_dir=str(self.folder / "pipelines"),
            destination=kind(self.url)
            if self.url
            else dlt.destinations.duckdb(str(self.folder / "warehouse.duckdb")),
            dataset_name="raw" if self.url else DATASET,
            progress=_Stages(loaded),
        )

    def bridge(self) -> DltSource:
        """Return the source of the lines in the file."""
        return singer(self.source.open("rb"), catalog=catalog(self.streams), name="bench")


def bridge_run(job: Job, loaded: Loaded) -> None:
    """Use the bridge: it merges if the SCHEMA has a key, and appends otherwise."""
    job.pipeline(loaded).run(job.bridge())


def bridge_load(job: Job, loaded: Loaded) -> None:
    """Use the bridge, with a checkpoint every few seconds while the tap runs."""
    load(job.pipeline(loaded), job.bridge(), checkpoint_every=CHECKPOINT_SECONDS)


def naive(job: Job, loaded: Loaded) -> None:
    """Pass dicts from `json.loads` to a resource of dlt, as most people try first."""

    def records() -> Iterator[Any]:
        with job.source.open(encoding="utf-8") as lines:
            for message in map(json.loads, lines):
                if message["type"] == "RECORD":
                    yield message["record"]

    resource: DltResource = dlt.resource(
        records, name=STREAM, write_disposition="merge", primary_key=list(KEYS)
    )
    job.pipeline(loaded, dlt.destinations.postgres).run(resource)


VARIANTS: dict[str, Callable[[Job, Loaded], None]] = {
    "run": bridge_run,
    "load": bridge_load,
    "naive": naive,
}


def main() -> None:
    """Run one variant, and print its seconds."""
    variant, source, folder, *url = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:]
    streams_file = source.parent / STREAMS_FILE
    streams = json.loads(streams_file.read_text()) if streams_file.exists() else [STREAM]
    # dlt imports the packages of a destination at the first use.
    Job(source, folder / "warm", streams, *url).pipeline(Loaded())
    job, loaded = Job(source, folder, streams, *url), Loaded()
    start = time.perf_counter()
    VARIANTS[variant](job, loaded)
    loaded.seconds = time.perf_counter() - start
    print(json.dumps(asdict(loaded)))


if __name__ == "__main__":
    main()
