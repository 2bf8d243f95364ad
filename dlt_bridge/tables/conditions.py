"""SQL conditions of a merge: which rows of a table are deleted, and which of a package are loaded.

dlt fills in the names of tables between braces.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import dlt

from dlt_bridge.arrow.metadata_columns import ACCOUNT, SEQUENCE, VERSION
from dlt_bridge.destinations.destination import capabilities, destination_type

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Characters at which dlt divides the SQL of a merge.
DIVIDERS = (";", "\n")
#: Dialects of SQL in which CHAR, and not CHR, returns a character.
WITH_CHAR = frozenset({"mysql", "sqlite", "tsql", "fabric"})
#: Dialects in which texts are joined by CONCAT, and not by `||`.
WITH_CONCAT = WITH_CHAR - {"sqlite"}


def rows_of(account: str) -> str:
    """Return the SQL condition of the rows of an account."""
    return f"{_escaped(ACCOUNT)} = {_with_double_braces(_literal(account))}"


def _literal(text: str) -> str:
    """Return a text in SQL, without `;` and line breaks: dlt divides SQL there, also in texts."""
    dialect = capabilities().sqlglot_dialect
    function = "CHAR" if dialect in WITH_CHAR else "CHR"
    parts = [
        f"{function}({ord(part)})" if part in DIVIDERS else _quoted(part)
        for part in re.split(f"([{''.join(DIVIDERS)}])", text)
    ]
    if len(parts) > 1 and dialect in WITH_CONCAT:
        return f"CONCAT({', '.join(parts)})"
    return " || ".join(parts)


def _quoted(text: str) -> str:
    """Return a text in quotes."""
    known = capabilities()
    if destination_type() != "sqlalchemy":
        return str(known.escape_literal(text))
    # dlt has no literals of these databases. SQLAlchemy looks for parameters, such as `:name`, when
    # dlt makes the statement, and again when it executes it.
    if known.sqlglot_dialect == "mysql":
        text = text.replace("\\", "\\\\")
    return "'" + text.replace("'", "''").replace(":", "\\\\:") + "'"


def older_versions(version: int, first: int, keys: Sequence[str], account: str | None) -> str:
    """Return the SQL condition of the rows that are deleted when a version is activated.

    These are the rows of older versions, and the rows whose keys are in the package. A row without
    a version is of an older version if an earlier run has loaded it.

    Args:
        version: The activated version.
        first: The first value of `_sdc_sequence` in the run.
        keys: The names of the key columns.
        account: The account whose rows are deleted; None for all rows.
    """
    older = (
        f"{_escaped(VERSION)} < {version}"
        f" OR ({_escaped(VERSION)} IS NULL AND {_escaped(SEQUENCE)} < {first})"
    )
    if account is not None:
        older = f"({older}) AND {rows_of(account)}"
    return f"{older} OR {same_key(keys)}" if keys else older


def same_key(keys: Sequence[str]) -> str:
    """Return the SQL condition of the rows of a table whose keys are in the package.

    Args:
        keys: The names of the key columns.
    """
    same = " AND ".join(f"staged.{_escaped(key)} = {{table}}.{_escaped(key)}" for key in keys)
    return f"EXISTS (SELECT 1 FROM {{staging_table}} AS staged WHERE {same})"  # noqa: S608


def not_older(version: int) -> str:
    """Return the SQL condition of the rows of a package that are not of an older version."""
    return f"{_escaped(VERSION)} >= {version} OR {_escaped(VERSION)} IS NULL"


def _escaped(name: str) -> str:
    """Return the name of a column in SQL."""
    naming = dlt.current.source_schema().naming
    escape = capabilities().escape_identifier
    return _with_double_braces(escape(naming.normalize_path(name)))


def _with_double_braces(sql: str) -> str:
    return sql.replace("{", "{{").replace("}", "}}")
