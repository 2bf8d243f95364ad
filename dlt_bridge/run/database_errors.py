"""Sentences for the errors of databases, without the values of rows that they may quote.

Names of tables, columns and constraints are shown. The message of the database is shown only for
kinds of errors whose messages hold names and no values.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_CHANGE_TYPE = (
    "Give the column a type that takes what the tap sends, or drop the column: the next run creates"
    " it again."
)
_RENAME = "Rename or drop the object that already has the name."
_RUN_AGAIN = "Run it again: missing tables and columns are created again."
_RUN_LATER = "Run it again later."
_REMOVE_CONSTRAINT = "Remove the constraint, or change what the tap sends."
_DROP_DEPENDENT = (
    "Drop the objects that depend on it, such as views, and create them again afterwards."
)
_DESELECT = "Deselect properties in the tap's catalog."
_GRANT = "Grant the database's user the permission."

#: Remedies for errors of PostgreSQL whose messages hold no values, by the start of their code.
_POSTGRES = {
    "42804": _CHANGE_TYPE,
    "42846": _CHANGE_TYPE,
    "42501": _GRANT,
    "42703": _RUN_AGAIN,
    "42P01": _RUN_AGAIN,
    "42P07": _RENAME,
    "42701": _RENAME,
    "23": _REMOVE_CONSTRAINT,
    "2BP01": _DROP_DEPENDENT,
    "0A": _DROP_DEPENDENT,
    "54": _DESELECT,
    "25": _GRANT,
    "3F": _RUN_AGAIN,
    "40": _RUN_LATER,
    "53": _RUN_LATER,
    "55": _RUN_LATER,
    "57": _RUN_LATER,
}
#: Remedies for such errors of DuckDB, by their class and a part of their message.
_DUCKDB = (
    ("CatalogException", "already exists", _RENAME),
    ("CatalogException", "", _RUN_AGAIN),
    ("BinderException", "", _RUN_AGAIN),
    ("DependencyException", "", _DROP_DEPENDENT),
    ("TransactionException", "", _RUN_LATER),
    ("PermissionException", "", _GRANT),
    ("OutOfMemoryException", "", _RUN_LATER),
    ("IOException", "", _RUN_LATER),
    ("ParserException", "Adding columns with constraints", _RUN_AGAIN),
    ("ConstraintException", "NOT NULL constraint failed", _REMOVE_CONSTRAINT),
    ("ConstraintException", "CHECK constraint failed", _REMOVE_CONSTRAINT),
)
# PostgreSQL's context of an error in COPY, which it puts before the value.
_COPY_CONTEXT = re.compile(r'COPY (?P<table>\w+), line \d+(, column (?P<column>"[^"]+"|\w+))?')


def refusal(chain: Iterable[BaseException]) -> str | None:
    """Return a sentence with the refusal of a database and a remedy; None if none refused.

    Args:
        chain: An error and its causes.
    """
    refused = _refused(chain)
    return _sentence(*refused) if refused else None


def _sentence(table: str, what: str, remedy: str) -> str:
    of = f" for table `{table}`" if table else ""
    return (
        f"The destination refused what was to be loaded{of}: {what.rstrip('.!')}. Committed rows"
        f" stay. {remedy}"
    )


def is_permanent(chain: Iterable[BaseException]) -> bool:
    """Return whether a database would refuse the same rows again at any time.

    Args:
        chain: An error and its causes.
    """
    refused = _refused(chain)
    return refused is not None and refused[2] != _RUN_LATER


def _refused(chain: Iterable[BaseException]) -> tuple[str, str, str] | None:
    """Return the table, the message of the database, and the remedy."""
    table = ""
    for error in chain:
        # dlt gives the name of the file that could not be loaded, which starts with its table.
        table = str(getattr(error, "job_id", table)).partition(".")[0]
        root = type(error).__module__.partition(".")[0].lstrip("_")
        if root == "psycopg2":
            return table, *_postgres_refusal(error)
        if root == "duckdb":
            return table, *_duckdb_refusal(error)
    return None


def _postgres_refusal(error: Any) -> tuple[str, str]:  # noqa: ANN401
    if error.pgcode is None:
        return "the connection broke", _RUN_LATER
    code = str(error.pgcode)
    context = str(error.diag.context or "")
    # The message of a function of the user may hold anything.
    is_own_message = "PL/pgSQL" not in context
    for prefix in (code, code[:2]):
        if prefix in _POSTGRES:
            message = error.diag.message_primary if is_own_message else type(error).__name__
            return str(message), _POSTGRES[prefix]
    where = _COPY_CONTEXT.search(context)
    column = where and where.group("column")
    of = f" `{column}`" if column else ""
    return f"{type(error).__name__} ({code}), so a value does not fit its column{of}", _CHANGE_TYPE


def _duckdb_refusal(error: BaseException) -> tuple[str, str]:
    message = str(error).strip().partition("\n")[0]
    classes = {cls.__name__ for cls in type(error).__mro__}
    for name, words, remedy in _DUCKDB:
        if name in classes and words in message:
            return message.partition(": ")[2] or message, remedy
    if "ConstraintException" in classes:
        return "a constraint of the table does not hold", _REMOVE_CONSTRAINT
    return f"{type(error).__name__}, so a value does not fit its column", _CHANGE_TYPE
