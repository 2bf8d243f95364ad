"""The private parts of dlt that the bridge depends on: all of them, here and nowhere else.

`tests/bridge/test_dlt_private.py` fails when a new version of dlt moves one of them.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlt.common.configuration.container import Container
from dlt.common.pipeline import PipelineContext, pipeline_state
from dlt.common.schema.typing import MERGE_DISPOSITION_HINTS
from dlt.common.storages.load_package import PackageStorage
from dlt.extract.items_transform import ItemTransform
from dlt.pipeline.trace import save_trace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, MutableMapping, Sequence

    from dlt import Pipeline
    from dlt.common.configuration.specs import BaseConfiguration

#: Keys of a load package's state: tables to drop or to empty before the package is loaded.
DROPPED, TRUNCATED = "dropped_tables", "truncated_tables"
#: Hints of a merge, which dlt keeps in the stored schema, though they hold for one package only.
MERGE_CONDITIONS = tuple(
    MERGE_DISPOSITION_HINTS[name] for name in ("destination_scope", "source_filter", "deduplicated")
)
#: Value in the local state of a pipeline: the folder that relative paths start from.
START_FOLDER = "initial_cwd"

# Keys of a pipeline's state, and of the part of it that stays on this machine.
_LOCAL = "_local"
_VERSION_HASH = "_version_hash"
_COMMITTED_HASH = "_last_extracted_hash"
# The folder of packages that wait to be normalized, in the working folder of a pipeline.
_EXTRACTED = ("normalize", "extracted")
# The folder of packages that are loaded.
_NORMALIZED = ("load", "normalized")
_HIDDEN = "Not kept: it may hold values of rows."


def running_pipeline() -> Any:  # noqa: ANN401
    """Return the pipeline that runs.

    `dlt.current.pipeline()` resolves the whole configuration at each call, which takes longer than
    reading a tap with thousands of streams.
    """
    return Container()[PipelineContext].pipeline()


def running_state() -> tuple[Any, bool]:
    """Return the state of the pipeline that runs, and whether changes to it are kept."""
    return pipeline_state(Container())


def local_state(state: Mapping[str, Any]) -> MutableMapping[str, Any]:
    """Return the part of a pipeline's state that stays on this machine."""
    local: MutableMapping[str, Any] = state[_LOCAL]
    return local


def was_committed(local: Mapping[str, Any], remote: Mapping[str, Any]) -> bool:
    """Return whether the state in a destination is the one that this machine sent last.

    Args:
        local: The local part of the pipeline's state.
        remote: The state in the destination; empty if there is none.
    """
    return remote.get(_VERSION_HASH) == local.get(_COMMITTED_HASH)


def extracted_folder(pipeline: Pipeline, package: str) -> Path:
    """Return the folder of an extracted package that is not normalized yet."""
    return Path(pipeline.working_dir, *_EXTRACTED, package)


def make_package_folder(pipeline: Pipeline) -> None:
    """Create the folder of packages that are loaded, if dlt was killed before it could."""
    folder = Path(pipeline.working_dir, *_NORMALIZED)
    if folder.parent.exists():
        folder.mkdir(exist_ok=True)


def completion_file(pipeline: Pipeline, package: str) -> Path:
    """Return the file that dlt writes before it moves a loaded package to another folder."""
    name = PackageStorage.PACKAGE_COMPLETED_FILE_NAME
    return Path(pipeline.working_dir, *_NORMALIZED, package, name)


@contextmanager
def own_signal_handlers(pipeline: Pipeline) -> Iterator[None]:
    """Keep the program's signal handlers while dlt normalizes and loads.

    dlt delays a signal until its step is done. Then it raises an error, or forgets the signal if
    the package is complete, and the run would continue with the next package.
    """
    config = pipeline.runtime_config
    before, config.intercept_signals = config.intercept_signals, False
    try:
        yield
    finally:
        config.intercept_signals = before


def hide_failures(pipeline: Pipeline) -> None:
    """Remove the texts of failed steps from a pipeline's trace, and from its file."""
    trace = pipeline.last_trace
    if trace is None:
        return
    trace.steps[:] = [
        step._replace(step_exception=_HIDDEN, exception_traces=[], step_info=None)
        if step.step_exception
        else step
        for step in trace.steps
    ]
    save_trace(pipeline.working_dir, trace)


def suggested_settings(spec: type[BaseConfiguration]) -> Sequence[str]:
    """Return the optional settings that `dlt init` writes for a configuration."""
    return spec.__config_gen_annotations__


class LastStep(ItemTransform[Any, dict[str, Any]]):
    """A step of a resource that runs after all steps of the user."""

    #: dlt's filters, incremental and limit are at most 1.1; forks, at 2, come last.
    placement_affinity = 1.5

    def __init__(self) -> None:
        # The base class inspects a function, which this step does not have.
        self._custom_metrics = {}
