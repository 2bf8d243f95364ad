"""The working files of a pipeline, which a machine that stops may leave damaged.

dlt leaves it to the system when files reach the disk. Of a process that is killed none is lost; but
when the power fails, files may be cut off or empty, and rows in an empty file of text would be
taken for none, while the state goes on. State and schema are in the destination, too.
"""

from __future__ import annotations

import logging
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlt_bridge.destinations.dlt_private import extracted_folder
from dlt_bridge.errors import BridgeError
from dlt_bridge.run.failures import causes_of, frames, is_understood

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dlt import Pipeline

logger = logging.getLogger(__name__)

#: The file that says since which start of the machine the others are there.
MARK = "machine_start"
_LINUX = Path("/proc/sys/kernel/random/boot_id")
_MACOS = ("/usr/sbin/sysctl", "-n", "kern.bootsessionuuid")


def give_up_after_restart(pipeline: Pipeline) -> None:
    """Go on from the destination, as on a new machine, if this one was restarted meanwhile.

    Args:
        pipeline: The pipeline.
    """
    now, mark = _machine_start(), Path(pipeline.working_dir, MARK)
    restarted = mark.exists() and mark.read_text(errors="replace") != now
    if restarted and pipeline.config.restore_from_destination:
        logger.warning(
            "The machine was restarted since the last run of the pipeline %s, so its working files"
            " may be damaged. They are given up: the tap goes on from what is committed.",
            pipeline.pipeline_name,
        )
        give_up(pipeline)
    else:
        _write_mark(pipeline)


def give_up(pipeline: Pipeline) -> None:
    """Give up the working files of a pipeline: it goes on from the destination.

    Args:
        pipeline: The pipeline.
    """
    pipeline.drop()
    _write_mark(pipeline)


def repair_after_kill(pipeline: Pipeline) -> None:
    """Put right what dlt leaves if it is killed in the midst of a step.

    It normalizes a package, and then deletes what was extracted: what is left of it keeps the
    package from being loaded. And it commits its first package before it saves the state: without
    the name of a schema there, it takes it that nothing waits.

    Args:
        pipeline: The pipeline.
    """
    normalized = pipeline.list_normalized_load_packages()
    for package in set(normalized).intersection(pipeline.list_extracted_load_packages()):
        shutil.rmtree(extracted_folder(pipeline, package))
    waiting = [*pipeline.list_extracted_load_packages(), *normalized]
    if waiting and pipeline.default_schema_name is None:
        # Kept, as dlt reads its state anew before it loads.
        with pipeline.managed_state():
            name: Any = pipeline.get_load_package_info(waiting[0]).schema_name
            pipeline.default_schema_name = name


def _write_mark(pipeline: Pipeline) -> None:
    if now := _machine_start():
        mark = Path(pipeline.working_dir, MARK)
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_text(now)


def _machine_start() -> str:
    """Return what names the last start of the machine; nothing if it does not tell."""
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
    """Say what to do if dlt can't go on with what an earlier run of a pipeline left.

    Raises:
        BridgeError: What the body raises, unless it is known what to do about it.
    """
    try:
        yield
    except Exception as error:
        if is_understood(error):
            raise
        # Without the original, which may show values of rows.
        raise damage_error(pipeline.pipeline_name, pipeline.working_dir, error) from None


def damage_error(name: str, folder: str, error: Exception) -> BridgeError:
    """Return the error that says how to be rid of working files with which dlt can't go on.

    Args:
        name: Of the pipeline.
        folder: Where its working files are.
        error: What dlt says.
    """
    cause = list(causes_of(error))[-1]
    said = BridgeError(
        f"What an earlier run of the pipeline {name} has left can't be loaded"
        f" ({type(cause).__name__}). Give it up: delete the folder {folder}, and run it again. What"
        " is committed stays, and the tap goes on from there."
    )
    said.add_note(f"It happened here:\n{frames(error)}")
    return said
