"""Packages that an earlier run left, and that the destination will never take as they are.

Its tables were changed after rows were made for them. Where that loses nothing, the packages are
given up, as if the working files were those of a new machine: the tap sends the rows again.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from dlt.common.schema.utils import get_root_table

from dlt_bridge.destinations.destination import is_sent_again
from dlt_bridge.run.database_errors import is_permanent
from dlt_bridge.run.failures import causes_of, sentence
from dlt_bridge.run.recovery import give_up

if TYPE_CHECKING:
    from dlt import Pipeline
    from dlt.pipeline.exceptions import PipelineStepFailed

logger = logging.getLogger(__name__)


def give_up_if_sent_again(pipeline: Pipeline, failed: PipelineStepFailed) -> bool:
    """Give up packages that are left, if the tap sends all that is in them again; say whether.

    Args:
        pipeline: The pipeline.
        failed: Why they can't be loaded.
    """
    restores = pipeline.config.restore_from_destination
    if not restores or not is_permanent(causes_of(failed)) or not _loses_nothing(pipeline):
        return False
    logger.warning(
        "What an earlier run of the pipeline %s has left can't be loaded, and is given up: the tap"
        " goes on from what is committed, and sends it again. %s",
        pipeline.pipeline_name,
        sentence(failed),
    )
    give_up(pipeline)
    return True


def _loses_nothing(pipeline: Pipeline) -> bool:
    """Say whether all rows of the packages come again, and none of them is there already."""
    normalized = pipeline.list_normalized_load_packages()
    packages = [*normalized, *pipeline.list_extracted_load_packages()]
    return all(
        is_sent_again(pipeline.get_load_package_state(package)) for package in packages
    ) and not any(_has_added(pipeline, package) for package in normalized)


def _has_added(pipeline: Pipeline, package: str) -> bool:
    """Say whether rows of a package are in a table to which they would be added once more."""
    info = pipeline.get_load_package_info(package)
    schema = info.schema
    done = {job.job_file_info.table_name for job in info.jobs["completed_jobs"]}
    return any(
        get_root_table(schema.tables, name).get("write_disposition") == "append"
        for name in done.intersection(schema.data_table_names())
    )
