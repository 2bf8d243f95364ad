"""Gives each pipeline a staging dataset of its own.

By default, all pipelines that load into a dataset share one. Then a run may empty a staging table
that another run has filled and not merged yet.
"""

from __future__ import annotations

import logging
import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Optional

from dlt.common.configuration import configspec, known_sections
from dlt.common.configuration.resolve import inject_section, resolve_configuration
from dlt.common.configuration.specs import BaseConfiguration, ConfigSectionContext
from dlt.destinations.exceptions import DatabaseException

if TYPE_CHECKING:
    from dlt import Pipeline
    from dlt.common.destination import Destination
    from dlt.common.pipeline import LoadInfo
    from dlt.destinations.sql_client import SqlClientBase

logger = logging.getLogger(__name__)

#: Destinations in which a dataset is created again in no time.
DROPPED_IN = frozenset({"duckdb", "postgres"})
LAYOUT = "staging_dataset_name_layout"
# Names that every destination leaves as they are.
_PORTABLE = re.compile("[a-z][a-z0-9]*(_[a-z0-9]+)*")


class _OwnLayout(str):
    """A layout that this module has set: it replaces it for another pipeline, not a user's one."""

    __slots__ = ()


@configspec
class _StagingConfig(BaseConfiguration):
    staging_dataset_name_layout: Optional[str] = None  # noqa: UP045 - dlt reads it when it runs


def separate_staging(pipeline: Pipeline) -> None:
    """Give a pipeline a staging dataset of its own, unless the user names one.

    Args:
        pipeline: A pipeline with a destination, before it loads.
    """
    destination: Destination[Any, Any] | None = pipeline.destination
    if destination is None or LAYOUT not in destination.spec.get_resolvable_fields():
        return
    if not isinstance(destination.config_params.get(LAYOUT, _OwnLayout()), _OwnLayout):
        return
    with inject_section(ConfigSectionContext(pipeline_name=pipeline.pipeline_name, sections=())):
        config = resolve_configuration(
            _StagingConfig(), sections=(known_sections.DESTINATION, destination.destination_name)
        )
    if config.staging_dataset_name_layout is None:
        limit = destination.capabilities().max_identifier_length
        destination.config_params[LAYOUT] = _layout(
            pipeline.pipeline_name, pipeline.dataset_name or "", limit
        )


def empty_staging(info: LoadInfo, client: SqlClientBase[Any]) -> None:
    """Empty the staging tables of packages that are committed.

    They are left as they are in a staging dataset that the user names, as others may use it.

    Args:
        info: What dlt reports of the packages.
        client: An open client of the destination.
    """
    destination: Any = info.pipeline.destination
    if not isinstance(destination.config_params.get(LAYOUT), _OwnLayout):
        return
    loaded = {
        job.job_file_info.table_name
        for package in info.load_packages
        for job in package.jobs["completed_jobs"]
    }
    rows = client.execute_sql(
        "select table_name from information_schema.tables where table_schema = %s",
        client.staging_dataset_name,
    )
    if staged := loaded.intersection(name for (name,) in rows or ()):
        with client.with_staging_dataset(), client.begin_transaction():
            client.truncate_tables(*staged)


def drop_staging(pipeline: Pipeline, client: SqlClientBase[Any]) -> None:
    """Drop the staging dataset of a pipeline, which has loaded all that it was to load.

    Each account has one. A thousand of them slow a DuckDB file down, and hide the others in a list
    of schemas. A staging dataset that the user names stays.

    Args:
        pipeline: The pipeline.
        client: An open client of its destination.
    """
    destination: Any = pipeline.destination
    if not isinstance(destination.config_params.get(LAYOUT), _OwnLayout):
        return
    # Rows that are staged, but not merged yet, belong to a package that is pending.
    if pipeline.has_pending_data:
        return
    try:
        with client.with_staging_dataset():
            if client.has_dataset():
                client.drop_dataset()
    except DatabaseException as error:
        # All rows are loaded, so the run has not failed.
        logger.warning(
            "The staging dataset %s can't be dropped (%s), so it stays. All rows are loaded.",
            client.staging_dataset_name,
            type(error).__name__,
        )


def _layout(name: str, dataset: str, limit: int | None) -> _OwnLayout:
    layout = f"%s_staging_{name}"
    if _PORTABLE.fullmatch(name) and len(layout % dataset) <= (limit or 63):
        return _OwnLayout(layout)
    return _OwnLayout(f"%s_staging_{sha256(name.encode()).hexdigest()[:8]}")
