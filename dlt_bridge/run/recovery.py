"""Loads, repairs or discards the working files that an earlier run left.

`load` loads leftover packages, because an interrupted commit must be completed: without a key, rows
that are already in the table would come twice if the tap sent them again. target-dlt can discard
leftover packages, because it has not written the STATE of their rows. `load` discards packages only
if no row is lost or loaded twice.

dlt does not flush its files to the disk. If the process is killed, they are complete. After a power
failure, they may be truncated or empty. dlt would take an empty text file for no rows, while the
state counts the rows as loaded. So after a restart of the machine, schema and state are restored
from the destination.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlt.common.schema.utils import get_root_table

from dlt_bridge.destinations.destination import is_sent_again
from dlt_bridge.destinations.dlt_private import (
    completion_file,
    extracted_folder,
    make_package_folder,
)
from dlt_bridge.destinations.load_once import ENTERED
from dlt_bridge.destinations.open_loads import DiscardedPackageError
from dlt_bridge.errors import BridgeError
from dlt_bridge.run.database_errors import is_permanent
from dlt_bridge.run.failures import causes_of, frames, is_understood, sentence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dlt import Pipeline
    from dlt.pipeline.exceptions import PipelineStepFailed

logger = logging.getLogger(__name__)

#: The file in the working folder with the identifier of the machine's start (boot) that wrote it.
BOOT_FILE = "machine_start"
_LINUX = Path("/proc/sys/kernel/random/boot_id")
_MACOS = ("/usr/sbin/sysctl", "-n", "kern.bootsessionuuid")


def discard_after_restart(pipeline: Pipeline) -> None:
    """Drop the working files of a pipeline if the machine was restarted since its last run.

    Args:
        pipeline: The pipeline.
    """
    boot, file = _boot_id(), Path(pipeline.working_dir, BOOT_FILE)
    is_restarted = file.exists() and file.read_text(errors="replace") != boot
    if is_restarted and pipeline.config.restore_from_destination:
        logger.warning(
            "The machine was restarted since the last run of the pipeline %s, so its working files"
            " may be damaged. They are discarded: the tap continues from the last commit.",
            pipeline.pipeline_name,
        )
        discard_working_files(pipeline)
    else:
        _write_boot_file(pipeline)


def discard_working_files(pipeline: Pipeline) -> None:
    """Drop the working files of a pipeline, which then restores its state from the destination.

    Args:
        pipeline: The pipeline.
    """
    pipeline.drop()
    _write_boot_file(pipeline)


def repair_after_kill(pipeline: Pipeline) -> None:
    """Repair what dlt leaves behind if it is killed within a step.

    dlt normalizes a package and then deletes the extracted one. If it is killed in between, the
    rest of the extracted package keeps dlt from loading the normalized one. And dlt commits an
    extracted package before it saves the schema and the state: if the state lacks the name of the
    schema, dlt does not see the package; and with the schema before it, dlt misses a new table, or
    loads one as it did before. And dlt marks a package as completed before it moves it, and then
    refuses to complete it again.

    Args:
        pipeline: The pipeline.
    """
    make_package_folder(pipeline)
    normalized = pipeline.list_normalized_load_packages()
    for package in set(normalized).intersection(pipeline.list_extracted_load_packages()):
        shutil.rmtree(extracted_folder(pipeline, package))
    for package in normalized:
        completion_file(pipeline, package).unlink(missing_ok=True)
    waiting = [*pipeline.list_extracted_load_packages(), *normalized]
    if waiting and pipeline.default_schema_name is None:
        # In the managed state, because dlt reads its state again before it loads.
        with pipeline.managed_state():
            name: Any = pipeline.get_load_package_info(waiting[0]).schema_name
            pipeline.default_schema_name = name
    for package in pipeline.list_extracted_load_packages():
        schema: Any = pipeline.get_load_package_info(package).schema
        stored = pipeline.schemas.get(schema.name)
        if stored is not None and stored.version_hash in schema.previous_hashes:
            pipeline.schemas.save_schema(schema, link_import_schema=False)


def discard_if_sent_again(pipeline: Pipeline, failed: PipelineStepFailed) -> bool:
    """Drop packages that the destination will never take, if the tap sends all their rows again.

    The tables of the destination were changed after the packages were made.

    Args:
        pipeline: The pipeline.
        failed: Why the packages can't be loaded.

    Returns:
        Whether they were dropped.
    """
    restores = pipeline.config.restore_from_destination
    is_hopeless = is_permanent(causes_of(failed)) or is_discarded(failed)
    if not restores or not is_hopeless or not _loses_nothing(pipeline):
        return False
    logger.warning(
        "What an earlier run of the pipeline %s has left can't be loaded, and is discarded: the"
        " tap continues from the last commit, and sends it again. %s",
        pipeline.pipeline_name,
        sentence(failed),
    )
    discard_working_files(pipeline)
    return True


def _loses_nothing(pipeline: Pipeline) -> bool:
    """Return whether all rows of the packages come again, and none of them is loaded already."""
    normalized = pipeline.list_normalized_load_packages()
    packages = [*normalized, *pipeline.list_extracted_load_packages()]
    return all(
        is_sent_again(pipeline.get_load_package_state(package)) for package in packages
    ) and not any(_has_appended_rows(pipeline, package) for package in normalized)


def is_discarded(error: BaseException) -> bool:
    """Return whether a package can't be committed because another run has discarded it."""
    return any(isinstance(cause, DiscardedPackageError) for cause in causes_of(error))


def _has_appended_rows(pipeline: Pipeline, package: str) -> bool:
    """Return whether rows of a package are already in a table that rows are appended to.

    If the package is an open load, the next run deletes them.
    """
    if pipeline.get_load_package_state(package).get(ENTERED):
        return False
    info = pipeline.get_load_package_info(package)
    schema = info.schema
    loaded = {job.job_file_info.table_name for job in info.jobs["completed_jobs"]}
    return any(
        get_root_table(schema.tables, name).get("write_disposition") == "append"
        for name in loaded.intersection(schema.data_table_names())
    )


def _write_boot_file(pipeline: Pipeline) -> None:
    if boot := _boot_id():
        file = Path(pipeline.working_dir, BOOT_FILE)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(boot)


def _boot_id() -> str:
    """Return an identifier of the last start of the machine; empty if the system has none."""
    try:
        if _LINUX.exists():
            return _LINUX.read_text().strip()
        return subprocess.run(  # noqa: S603 - no input of others
            _MACOS, capture_output=True, check=True, text=True
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


@contextmanager
def explaining_damage(pipeline: Pipeline) -> Iterator[None]:
    """Turn errors of dlt about the working files of a pipeline into a sentence with a remedy.

    Raises:
        BridgeError: The body failed, and no other sentence says what to do about it.
    """
    try:
        yield
    except Exception as error:
        if is_understood(error):
            raise
        # Without the original, which may show values of rows.
        raise damage_error(pipeline.pipeline_name, pipeline.working_dir, error) from None


def damage_error(name: str, folder: str, error: Exception) -> BridgeError:
    """Return the error for working files that dlt can't read.

    Args:
        name: The name of the pipeline.
        folder: The folder of its working files.
        error: The error that dlt raised.
    """
    cause = list(causes_of(error))[-1]
    damage = BridgeError(
        f"What an earlier run of the pipeline {name} has left can't be loaded"
        f" ({type(cause).__name__}). Discard it: delete the folder {folder}, and run it again."
        " Committed rows stay, and the tap continues from there."
    )
    damage.add_note(f"It happened here:\n{frames(error)}")
    return damage
