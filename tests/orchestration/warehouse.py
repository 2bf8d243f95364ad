"""The rows of accounts in PostgreSQL, to compare them with the sandbox's."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import psycopg2
from dlt.common.normalizers.naming.snake_case import NamingConvention

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DATASET = "chats"
#: Prefixes of the columns that a load adds.
ADDED = ("_sdc", "_dlt", "_account")
column = NamingConvention().normalize_identifier


def loaded(database: str, stream: str) -> dict[str, Counter[str]]:
    """Return the rows of a stream by account, as text, and how often each is there.

    Args:
        database: The URL of the database.
        stream: The name of the stream, and of its table.
    """
    query = f"select _account, row_to_json(t) from {DATASET}.{stream} t"
    found: dict[str, Counter[str]] = {}
    with closing(psycopg2.connect(database, options="-c timezone=UTC")) as connection:
        cursor = connection.cursor()
        cursor.execute(query)
        for account, row in cursor:
            found.setdefault(account, Counter())[text(row)] += 1
    return found


def expected(rows: Iterable[Mapping[str, Any]]) -> Counter[str]:
    """Return the rows of the sandbox, as `loaded` does."""
    return Counter(map(text, rows))


def text(row: Mapping[str, Any]) -> str:
    """Return a row as text, without what a load adds and without the type of its columns."""
    own = {
        column(name): _plain(value)
        for name, value in row.items()
        if value is not None and not name.startswith(ADDED)
    }
    return json.dumps(own, sort_keys=True)


def _plain(value: Any) -> Any:
    match value:
        case dict():
            return {name: _plain(inner) for name, inner in value.items()}
        case list():
            return [_plain(inner) for inner in value]
        case int() | float() if not isinstance(value, bool):
            return str(Decimal(str(value)).normalize())
        case str():
            return _instant(value)
    return value


def _instant(value: str) -> str:
    """Return a time in one spelling, and other texts as they are."""
    try:
        time = datetime.fromisoformat(value)
    except ValueError:
        return value
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
