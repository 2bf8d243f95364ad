"""Sentences for the errors of databases, without the values of rows that they may quote.

Names of tables, columns and constraints are shown. The message of the database is shown only for
kinds of errors whose messages hold names and no values.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

_TYPE = (
    "Give the column a type that takes what the tap sends, or drop the column: then it is made"
    " anew."
)
_RENAME = "Rename or drop what has the name already."
_AGAIN = "Run it again: missing tables and columns are created again."
_LATER = "Run it again later."
_LET = "Take the constraint away, or change what the tap sends."
_DEPENDENT = "Drop what depends on it first, such as a view, and make it again afterwards."
_FEWER = "Deselect properties in the tap's catalog."
_RIGHTS = "Give the database's user the right to it."

#: Remedies for errors of PostgreSQL whose messages hold no values, by the start of their code.
_POSTGRES = {
    "42804": _TYPE,
    "42846": _TYPE,
    "42501": _RIGHTS,
    "42703": _AGAIN,
    "42P01": _AGAIN,
    "42P07": _RENAME,
    "42701": _RENAME,
    "23": _LET,
    "2BP01": _DEPENDENT,
    "0A": _DEPENDENT,
    "54": _FEWER,
    "25": _RIGHTS,
    "3F": _AGAIN,
    "40": _LATER,
    "53": _LATER,
    "55": _LATER,
    "57": _LATER,
}
#: Remedies for such errors of DuckDB, by their class and a part of their message.
_DUCKDB = (
    ("CatalogException", "already exists", _RENAME),
    ("CatalogException", "", _AGAIN),
    ("BinderException", "", _AGAIN),
    ("DependencyException", "", _DEPENDENT),
    ("TransactionException", "", _LATER),
    ("PermissionException", "", _RIGHTS),
    ("OutOfMemoryException", "", _LATER),
    ("IOException", "", _LATER),
    ("ParserException", "Adding columns with constraints", _AGAIN),
    ("ConstraintException", "NOT NULL constraint failed", _LET),
    ("ConstraintException", "CHECK constraint failed", _LET),
)
# What PostgreSQL puts before a value: `COPY t, line 1, column id: `.
_COPIED = re.compile(r'COPY (?P<table>\w+), line \d+(, column (?P<column>"[^"]+"|\w+))?')


def refusal(chain: Iterable[BaseException]) -> str | None:
    """Return a sentence with the refusal of a database and a remedy; None if none refused.

    Args:
        chain: An error and its causes.
    """
    found = _refused(chain)
    return _sentence(*found) if found else None


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
    found = _refused(chain)
    return found is not None and found[2] != _LATER


def _refused(chain: Iterable[BaseException]) -> tuple[str, str, str] | None:
    """Return the table, the message of the database, and the remedy."""
    table = ""
    for error in chain:
        # dlt gives the name of the file that could not be loaded, which starts with its table.
        table = str(getattr(error, "job_id", table)).partition(".")[0]
        root = type(error).__module__.partition(".")[0].lstrip("_")
        if root == "psycopg2":
            return table, *_of_postgres(error)
        if root == "duckdb":
            return table, *_of_duckdb(error)
    return None


def _of_postgres(error: Any) -> tuple[str, str]:  # noqa: ANN401
    if error.pgcode is None:
        return "the connection broke", _LATER
    code = str(error.pgcode)
    context = str(error.diag.context or "")
    # The message of a function of the user may hold anything.
    is_own_message = "PL/pgSQL" not in context
    for prefix in (code, code[:2]):
        if prefix in _POSTGRES:
            message = error.diag.message_primary if is_own_message else type(error).__name__
            return str(message), _POSTGRES[prefix]
    where = _COPIED.search(context)
    column = where and where.group("column")
    of = f" `{column}`" if column else ""
    return f"{type(error).__name__} ({code}), so a value does not fit its column{of}", _TYPE


def _of_duckdb(error: BaseException) -> tuple[str, str]:
    message = str(error).strip().partition("\n")[0]
    classes = {cls.__name__ for cls in type(error).__mro__}
    for name, words, remedy in _DUCKDB:
        if name in classes and words in message:
            return message.partition(": ")[2] or message, remedy
    if "ConstraintException" in classes:
        return "a constraint of the table does not hold", _LET
    return f"{type(error).__name__}, so a value does not fit its column", _TYPE
