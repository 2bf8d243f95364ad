"""Create the views of all platforms that a dataset has.

Run it again after the first load of another platform:

    python create_views.py --credentials tap_chat.duckdb --dataset tap_chat_dataset
    python create_views.py --destination postgres --credentials postgresql://... --dataset chats
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dlt
from dlt.destinations.exceptions import DatabaseException

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dlt.destinations.sql_client import SqlClientBase

VIEWS = Path(__file__).parent / "views"
#: How a statement of all.sql reads a view.
FROM = "\nselect * from "
#: The view that a statement creates, and the tables and views that it reads.
CREATED = re.compile(r"view (\w+) as")
READ = re.compile(r"\b(?:from|join) ([a-z]+_\w+)\b(?!\()")


def statements(path: Path) -> Iterator[str]:
    """Yield the statements of a file."""
    yield from filter(str.strip, re.split(r";\n", path.read_text()))


def existing_part(statement: str, existing: set[str]) -> str:
    """Return a statement of all.sql without the views that do not exist."""
    head, *_ = statement.split(FROM, maxsplit=1)
    parts = [FROM + name for name in READ.findall(statement) if name in existing]
    return head + "\nunion all".join(parts)


def create_views(client: SqlClientBase[Any], dataset: str, *, drop: bool = False) -> Iterator[str]:
    """Create the views, or drop them, and yield a line for each.

    Args:
        client: A client of dlt.
        dataset: The dataset, or schema, of the tables.
        drop: Whether to drop the views instead.
    """
    query = "select table_name, table_type from information_schema.tables where table_schema = %s"
    existing = {name for name, _ in client.execute_sql(query, dataset)}
    files = {path.stem: list(statements(path)) for path in sorted(VIEWS.glob("*.sql"))}
    of_all = files.pop("all")
    # First those that read others.
    for statement in [*of_all, *(statement for part in files.values() for statement in part)]:
        name = CREATED.findall(statement)[0]
        if name in existing:
            client.execute_sql(f"drop view {name}")
            existing.remove(name)
            if drop:
                yield f"dropped {name}"
    if drop:
        return
    for platform, part in files.items():
        if existing.isdisjoint(READ.findall("".join(part))):
            yield f"left out {platform}: none of its tables is there"
        else:
            for statement in part:
                yield created(client, statement, existing)
    for statement in of_all:
        yield created(client, existing_part(statement, existing), existing)


def created(client: SqlClientBase[Any], statement: str, existing: set[str]) -> str:
    """Create a view, if what it reads exists, and return a line about it."""
    name = CREATED.findall(statement)[0]
    read = set(READ.findall(statement))
    if read <= existing and read:
        try:
            client.execute_sql(statement)
        except DatabaseException as error:
            # A column that no record had is missing.
            return f"left out {name}: {str(error).splitlines()[0]}"
        existing.add(name)
        return f"created {name}"
    return f"left out {name}: there is no {', '.join(sorted(read - existing)) or 'view for it'}"


def main() -> None:
    """Read the arguments, and create the views."""
    parser = argparse.ArgumentParser(description="Create one view of the chats of all platforms.")
    parser.add_argument("--destination", default="duckdb", help="duckdb (the default) or postgres")
    parser.add_argument("--credentials", help="a DuckDB file, or a URL")
    parser.add_argument("--dataset", default="tap_chat_dataset", help="the dataset of the tables")
    parser.add_argument("--drop", action="store_true", help="drop the views instead")
    wanted = parser.parse_args()
    file = Path((wanted.credentials or "").removeprefix("duckdb:///"))
    if wanted.destination == "duckdb" and wanted.credentials and not file.exists():
        sys.exit(f"There is no file {file}.")
    options = {"credentials": wanted.credentials} if wanted.credentials else {}
    destination = dlt.destinations.__dict__[wanted.destination](**options)
    with dlt.dataset(destination, wanted.dataset).sql_client as client:
        for line in create_views(client, wanted.dataset, drop=wanted.drop):
            print(line)


if __name__ == "__main__":
    sys.exit(main())
