"""SQL that says which rows of a table a merge takes away, and which rows of a package it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dlt

from dlt_bridge.arrow.metadata_columns import SEQUENCE, VERSION
from dlt_bridge.destinations.destination import capabilities

if TYPE_CHECKING:
    from collections.abc import Sequence


def older_versions(version: int, first: int, keys: Sequence[str]) -> str:
    """Return SQL that is true of the rows that make way when a version is activated.

    They are those of older versions, and those that the package brings anew. Rows without a
    version are of an older one if they are of an earlier run.

    Args:
        version: The version that is active from now on.
        first: The value of `_sdc_sequence` with which the run began.
        keys: The names of the key columns.
    """
    older = (
        f"{_escaped(VERSION)} < {version}"
        f" OR ({_escaped(VERSION)} IS NULL AND {_escaped(SEQUENCE)} < {first})"
    )
    return f"{older} OR {brought_anew(keys)}" if keys else older


def brought_anew(keys: Sequence[str]) -> str:
    """Return SQL that is true of the rows of a table that a package brings anew.

    Args:
        keys: The names of the key columns.
    """
    same = " AND ".join(f"staged.{_escaped(key)} = {{table}}.{_escaped(key)}" for key in keys)
    return f"EXISTS (SELECT 1 FROM {{staging_table}} AS staged WHERE {same})"  # noqa: S608


def this_version(version: int) -> str:
    """Return SQL that is true of the rows of a package that are not of an older version."""
    return f"{_escaped(VERSION)} >= {version} OR {_escaped(VERSION)} IS NULL"


def _escaped(name: str) -> str:
    """Return the name of a column in SQL; dlt fills in names of tables between braces."""
    naming = dlt.current.source_schema().naming
    escape = capabilities().escape_identifier
    return str(escape(naming.normalize_path(name))).replace("{", "{{").replace("}", "}}")
