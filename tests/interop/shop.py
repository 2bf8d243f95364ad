"""A database of a shop with changing tables, for taps that read databases."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg2
import psycopg2.extras

if TYPE_CHECKING:
    from interop.cells import Row

SCHEMA = "shop"
#: The tables, with their keys and replication keys.
TABLES: dict[str, tuple[tuple[str, ...], str | None]] = {
    "orders": (("id",), "updated_at"),
    "lines": (("order_id", "number"), "updated_at"),
    "shops": (("id",), None),
}
ORDERS = """
select
    n as id, timestamptz '2025-01-01 00:00:00.123456+00' + n * interval '90 seconds' as updated_at,
    case n % 3 when 0 then null when 1 then 'Zoë ' || n || ' 😀' else E'tab\\tline\\nend' end,
    n * 1234.57, n / 7.0, n % 2 = 0,
    jsonb_build_object('n', n, 'of', jsonb_build_array(n, null, 'x')), date '2024-02-29' + n
from generate_series({first}, {last}) n
"""
LINES = """
select n, m, timestamptz '2025-01-01+00' + n * interval '1 minute', 'sku-' || n || '-' || m
from generate_series({first}, {last}) n, generate_series(1, 3) m
"""
BEGIN = f"""
create schema shop;
create table shop.orders (
    id bigint primary key, updated_at timestamptz not null, customer text, amount numeric(12, 2),
    weight double precision, paid boolean, tags jsonb, placed date
);
create table shop.lines (
    order_id bigint, number int, updated_at timestamptz not null, sku text,
    primary key (order_id, number)
);
create table shop.shops (id int primary key, name text, open boolean);
insert into shop.orders {ORDERS.format(first=1, last=120)};
insert into shop.lines {LINES.format(first=1, last=120)};
insert into shop.shops values (1, 'Münster', true), (2, '', false), (3, null, null);
"""
NEWS = f"""
insert into shop.orders {ORDERS.format(first=121, last=140)};
insert into shop.lines {LINES.format(first=121, last=130)};
update shop.orders set customer = 'changed', paid = null, updated_at = '2025-02-01+00'
    where id in (1, 60, 120);
insert into shop.shops values (4, 'new', true);
update shop.shops set name = 'renamed' where id = 1;
"""
COLUMN = f"""
alter table shop.orders add column discount numeric(6, 3);
insert into shop.orders {ORDERS.format(first=141, last=145)};
update shop.orders set updated_at = '2025-03-01+00', discount = id / 8.0
    where id > 140 or id in (2, 140);
alter table shop.shops add column city text;
update shop.shops set city = 'Köln' where id = 3;
"""


@dataclass
class Shop:
    """The database.

    Attributes:
        url: Its address.
    """

    url: str
    _bookmarks: dict[str, Any] = field(default_factory=dict)

    def begin(self) -> None:
        """Create the tables with their first rows."""
        self.execute(BEGIN)

    def stay(self) -> None:
        """Change nothing: taps have read all rows."""
        self._bookmarks = {
            table: self.query(f"select max({column}) as newest from shop.{table}")[0]["newest"]
            for table, (_, column) in TABLES.items()
            if column
        }

    def move_on(self) -> None:
        """Add rows, and change others."""
        self.stay()
        self.execute(NEWS)

    def add_column(self) -> None:
        """Add a column to tables, with values in new and old rows."""
        self.stay()
        self.execute(COLUMN)

    @property
    def keys(self) -> dict[str, tuple[str, ...]]:
        return {f"{SCHEMA}-{table}": keys for table, (keys, _) in TABLES.items()}

    def execute(self, statements: str) -> None:
        with closing(psycopg2.connect(self.url)) as connection:
            connection.autocommit = True
            connection.cursor().execute(statements)

    def query(self, text: str) -> list[Row]:
        with closing(psycopg2.connect(self.url, options="-c timezone=UTC")) as connection:
            cursor = connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor)
            cursor.execute(text)
            return [dict(row) for row in cursor.fetchall()]

    @property
    def truth(self) -> dict[str, list[Row]]:
        """The current rows of each stream."""
        return {f"{SCHEMA}-{table}": self.query(f"select * from shop.{table}") for table in TABLES}

    @property
    def due(self) -> dict[str, int]:
        """The number of records that a tap must write after the last change.

        Taps read the records at their bookmark again.
        """
        found = {}
        for table, (_, column) in TABLES.items():
            since = self._bookmarks.get(table)
            where = f"where {column} >= '{since.isoformat()}'" if since and column else ""
            counted = self.query(f"select count(*) as count from shop.{table} {where}")
            found[f"{SCHEMA}-{table}"] = counted[0]["count"]
        return found
