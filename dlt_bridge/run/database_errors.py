"""What a database says when it refuses a load, without the values of rows that it may quote.

Names of tables, columns and constraints are shown. What is shown of a database's own words depends
on the kind of its error: there are kinds whose words hold names alone.
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
_AGAIN = "Run it again: what is missing is made anew."
_LATER = "Run it again later."
_LET = "Take the constraint away, or change what the tap sends."
_DEPENDENT = "Drop what depends on it first, such as a view, and make it again afterwards."
_FEWER = "Deselect properties in the tap's catalog."
_RIGHTS = "Give the database's user the right to it."

#: What to do about errors of PostgreSQL whose words hold no values, by the beginning of the code.
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
#: Likewise of DuckDB, by the class and by what stands in its words.
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
# What comes before a value, in the lines that say where it happened: `COPY t, line 1, column id: `.
_COPIED = re.compile(r'COPY (?P<table>\w+), line \d+(, column (?P<column>"[^"]+"|\w+))?')


def refusal(chain: Iterable[BaseException]) -> str | None:
    """Return what a database has said and what to do, if one has refused a load.

    Args:
        chain: An error and its causes.
    """
    found = _refused(chain)
    return _sentence(*found) if found else None


def _sentence(table: str, what: str, remedy: str) -> str:
    of = f" for table `{table}`" if table else ""
    return (
        f"The destination refused what was to be loaded{of}: {what.rstrip('.!')}. What was"
        f" committed before stays. {remedy}"
    )


def is_permanent(chain: Iterable[BaseException]) -> bool:
    """Say whether a database would refuse the same rows again, whenever they come.

    Args:
        chain: An error and its causes.
    """
    found = _refused(chain)
    return found is not None and found[2] != _LATER


def _refused(chain: Iterable[BaseException]) -> tuple[str, str, str] | None:
    """Return the table, what a database has said, and what to do."""
    table = ""
    for error in chain:
        # dlt names the file that could not be loaded: its table comes first.
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
    # What a function of the user's says may hold anything.
    own = "PL/pgSQL" not in context
    for begin in (code, code[:2]):
        if begin in _POSTGRES:
            said = error.diag.message_primary if own else type(error).__name__
            return str(said), _POSTGRES[begin]
    where = _COPIED.search(context)
    column = where and where.group("column")
    of = f" `{column}`" if column else ""
    return f"{type(error).__name__} ({code}), so a value does not fit its column{of}", _TYPE


def _of_duckdb(error: BaseException) -> tuple[str, str]:
    said = str(error).strip().partition("\n")[0]
    kinds = {kind.__name__ for kind in type(error).__mro__}
    for kind, words, remedy in _DUCKDB:
        if kind in kinds and words in said:
            return said.partition(": ")[2] or said, remedy
    if "ConstraintException" in kinds:
        return "a constraint of the table does not hold", _LET
    return f"{type(error).__name__}, so a value does not fit its column", _TYPE
