"""Logical decoding (wal2json) by meltanolabs-tap-postgres into target-dlt; `make interop`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from interop.cells import differences
from interop.pipe import piped
from interop.shop import Shop
from interop.taps import MeltanoLabs, Recorded
from interop.targets import Dlt
from postgres import postgres_server
from typing_extensions import override

BEGIN = """
create schema shop;
create table shop.orders (id bigint primary key, customer text, amount numeric(12, 2));
alter table shop.orders replica identity full;
insert into shop.orders select n, 'customer ' || n, n * 1.5 from generate_series(1, 20) n;
"""
CHANGES = """
insert into shop.orders values (21, 'new', 0.1);
update shop.orders set amount = 2.25 where id = 1;
delete from shop.orders where id = 2;
"""
COLUMN = """
alter table shop.orders add column note text;
insert into shop.orders values (22, 'newer', 0.2, 'Köln');
"""
STREAM = "shop-orders"
#: Debian's PostgreSQL, for which there is a package with wal2json.
DEBIAN = Path("/usr/lib/postgresql")


class LogBased(MeltanoLabs):
    """The tap in LOG_BASED mode."""

    @property
    @override
    def config(self) -> dict[str, Any]:
        # The tap ends after this time without a change.
        return super().config | {"replication_idle_exit_seconds": 2}

    @property
    @override
    def replication(self) -> dict[str, dict[str, str]]:
        return {STREAM: {"replication-method": "LOG_BASED", "replication-key": "_sdc_lsn"}}


def test_inserts_updates_and_deletes_arrive(tmp_path: Path) -> None:
    plugins = sorted(DEBIAN.glob("*/lib/wal2json.so"))
    assert plugins, "apt-get install postgresql-15-wal2json, or that of another version"
    programs = plugins[-1].parent.parent / "bin"
    with (
        postgres_server("wal_level=logical", programs=programs) as server,
        server.database() as url,
    ):
        shop = Shop(url)
        shop.execute("select pg_create_logical_replication_slot('tappostgres', 'wal2json')")
        recorded, target = Recorded(LogBased(shop), tmp_path), Dlt(tmp_path / "w.duckdb")
        (tmp_path / "target.json").write_text(json.dumps(target.config))
        for statements in (BEGIN, CHANGES, COLUMN):
            shop.execute(statements)
            recorded.config()
            recorded.discover()
            done = piped(tmp_path, recorded.program, target.path)
            assert done.code == 0, done.said
            held = target.held("shop_orders")
            there = [row for row in held if row["_sdc_deleted_at"] is None]
            assert differences(("id",), shop.query("select * from shop.orders"), there) == []
        [deleted] = [row for row in held if row["_sdc_deleted_at"] is not None]
        assert deleted["id"] == 2
        shop.query("select pg_drop_replication_slot('tappostgres')")
