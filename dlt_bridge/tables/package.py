"""One stream's part of a load package: the hints that dlt has, and the rows held back."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dlt
import pyarrow.compute as pc

from dlt_bridge.arrow.metadata_columns import VERSION
from dlt_bridge.arrow.nested import to_objects
from dlt_bridge.destinations import destination
from dlt_bridge.destinations.file_formats import CSV, VALUES, needs_insert_values, to_insert_values
from dlt_bridge.errors import MessageError
from dlt_bridge.tables import checks, layout
from dlt_bridge.tables.conditions import not_older, older_versions, rows_of, same_key
from dlt_bridge.tables.dispositions import DELETE_INSERT
from dlt_bridge.tables.hints import TableHints, type_hint
from dlt_bridge.tables.items import StreamItem
from dlt_bridge.tables.rows.buffer import joined
from dlt_bridge.tables.rows.completion import RowCompletion
from dlt_bridge.tables.rows.deduplication import Deduplicator, UniqueKeyTracker
from dlt_bridge.tables.rows.stored_values import complete_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from dlt_bridge.tables.run_context import RunContext
    from dlt_bridge.tables.table_schema import TableSchema

#: What dlt calls the table of a stream in the SQL of a merge.
DLT_ALIAS = "d"


class Package:
    """One stream's part of a load package.

    Args:
        stream: The name of the stream.
        schema: Its table.
        run: The run of the source.
    """

    def __init__(self, stream: str, schema: TableSchema, run: RunContext) -> None:
        self._stream = stream
        self._run = run
        # Whether dlt has the hints of the table as it is now, and which columns it has hints of.
        self._has_hints = False
        self._hinted_columns: set[str] = set()
        self._schema_sent = False
        # The greatest activated version, and the least version of a row.
        self._active: int | None = None
        self._oldest: int | None = None
        self._deduplicator: Deduplicator | None = None
        self._completion: RowCompletion | None = None
        self._keys = UniqueKeyTracker(schema.plan.keys if schema.plan.is_merged else ())
        self._file_format = destination.file_format(objects=self._as_objects)
        self._set_schema(schema)

    @property
    def _as_objects(self) -> bool:
        """Whether rows are Python objects, from which dlt makes child tables."""
        return self._run.options.nested == "tables"

    def _set_schema(self, schema: TableSchema) -> None:
        self._schema = schema
        self._has_hints = False
        self._hinted_columns = set()
        if schema.plan.needs_one_version and not self._deduplicator:
            self._deduplicator = Deduplicator(schema.plan.keys)
        if schema.decoder.record_schema.keep and not self._completion:
            self._completion = RowCompletion(schema.plan.keys)
        layout.forget_conditions(schema.table)

    def change_schema(self, schema: TableSchema) -> None:
        """Take the rows of another SCHEMA.

        Raises:
            MessageError: The key is another, and rows of the package are held back by key.
        """
        is_held_by_key = self._deduplicator or self._completion
        if is_held_by_key and schema.plan.keys != self._schema.plan.keys:
            raise MessageError(
                f"Stream {self._stream}: a SCHEMA changes the key. The destination can't tell the"
                " last versions of records by two keys in one package."
            )
        self._keys.stop()
        self._set_schema(schema)

    def add_columns(self) -> None:
        """Add the columns of rows on disk to dlt's schema, so that later rows get their types."""
        hints, decoder = self._hints(), self._schema.decoder
        columns = hints.applied().columns
        if hints.nested is None:
            # dlt would read these types from the Arrow tables.
            for name, column_type in {**decoder.hinted_types, **decoder.observed.variants}.items():
                columns[name] = {**columns.get(name, {}), **type_hint(column_type)}
        resource = self._run.options.everything or self._stream
        layout.add_columns(self._schema.table, resource, columns)

    def activate(self, version: int) -> None:
        """Delete the rows of older versions when the package is loaded."""
        self._active = version if self._active is None else max(version, self._active)
        # The hints now include the column of versions.
        self._has_hints = False

    def item(self, tables: Sequence[pa.Table]) -> StreamItem:
        """Return rows for dlt, with the hints of the table if dlt does not have them.

        Args:
            tables: The rows.
        """
        item = self._item([], size=sum(table.nbytes for table in tables))
        tables = [self._observed(table) for table in tables]
        if self._deduplicator:
            tables = []
        if not self._has_hints:
            item.hints = self._hints()
            schema = self._schema.decoder.schema
            self._has_hints, self._hinted_columns = True, set(schema.names)
            self._schema_sent = True
            self._schema.is_new = False
            if not any(table.schema.equals(schema) for table in tables):
                # An empty table with all columns: some rows may lack the column of versions.
                tables.append(schema.empty_table())
        for table in joined(tables):
            item.rows += self._converted(table)
        return item

    def _observed(self, table: pa.Table) -> pa.Table:
        """Observe the versions and keys of rows, and return the rows that are not held back."""
        if VERSION in table.schema.names:
            oldest = pc.min(table[VERSION]).as_py()
            if oldest is not None:
                self._oldest = oldest if self._oldest is None else min(oldest, self._oldest)
        if self._completion:
            table = self._completion.add(table)
            if self._completion.is_needed:
                self._keys.stop()
        self._has_hints &= self._hinted_columns.issuperset(table.schema.names)
        self.choose_format(table)
        if self._deduplicator:
            self._deduplicator.add(table)
        else:
            self._keys.add(table)
        return table

    def choose_format(self, table: pa.Table) -> None:
        """Choose INSERT statements if CSV files would change a value of these rows."""
        if self._file_format == CSV and needs_insert_values(table):
            self._file_format = VALUES
            self._has_hints = False

    def last_items(self) -> Iterator[StreamItem]:
        """Yield the rows that were held back; `item` yields all others before."""
        hints: TableHints | None = None
        for table, hints in self._completed():
            if self._deduplicator:
                self._deduplicator.add(table)
            else:
                yield self._item([table], hints)
        if self._deduplicator:
            for table in self._deduplicator.tables():
                yield self._item(self._converted(table), hints)
        elif self._keys.is_worth_a_hint and self._has_hints:
            empty = self._converted(self._schema.decoder.schema.empty_table())
            yield self._item(empty, replace(self._hints(), deduplicated=True))

    def _item(
        self, rows: list[Any], hints: TableHints | None = None, *, size: int = 0
    ) -> StreamItem:
        # dlt itself gives its load id to objects.
        load_id = destination.package_load_id() if self._has_load_id else None
        return StreamItem(rows, hints, size, load_id)

    @property
    def _has_load_id(self) -> bool:
        """Whether Arrow tables get the load id; without a key, it alone tells their rows apart."""
        is_wanted = self._run.options.add_record_metadata or not self._schema.plan.is_merged_by_key
        return is_wanted and not self._as_objects

    def _completed(self) -> Iterator[tuple[pa.Table, TableHints]]:
        """Yield the rows that were incomplete, completed, with the hints of their columns."""
        if self._completion is None:
            return
        # A step of the user that adds columns would add them to these rows a second time.
        others = not self._run.applied_hints(self._stream).rows_changed
        rows = complete_rows(
            self._stream,
            self._schema.table,
            self._schema.decoder,
            self._completion,
            others=others,
        )
        for table, types in rows:
            self.choose_format(table)
            yield table, replace(self._hints(), columns=types)

    def _converted(self, table: pa.Table) -> list[Any]:
        if self._as_objects:
            return to_objects(table, self._schema.decoder.nested_columns)
        return [to_insert_values(table) if self._file_format == VALUES else table]

    def _hints(self) -> TableHints:
        schema, run = self._schema, self._run
        decoder, table = schema.decoder, schema.table
        plan = schema.plan
        if self._replaces_account:
            # Other strategies delete rows by their keys alone.
            plan = replace(plan, strategy=DELETE_INSERT)
        hints = TableHints(
            plan,
            decoder.hinted_types,
            decoder.observed.variants,
            stored=layout.stored_columns(table),
            conditions=self._conditions(),
            replaces_account=self._replaces_account,
            nested=decoder.nested_columns if self._as_objects else None,
            file_format=self._file_format,
            table=table if run.needs_table_hint(self._stream, table) else None,
            stream=self._stream,
            of_account=run.options.account is not None,
            # Appended rows may have the same key.
            deduplicated=plan.disposition == "append",
            properties=schema.renamed_properties,
            description=schema.description,
            descriptions=schema.descriptions,
            has_load_id=self._has_load_id,
        )
        if self._as_objects:
            merged = isinstance(hints.disposition, dict)
            checks.refuse_child_tables(self._stream, table, run.existing, merged=merged)
        else:
            checks.refuse_arrow_tables(self._stream, table)
        if not schema.plan.is_merged_by_key:
            destination.add_keyless_table(table)
            if self._as_objects:
                layout.add_load_ids_to_child_tables(table)
        return hints

    def _conditions(self) -> dict[str, str]:
        """Return the SQL conditions of the merge: which rows it deletes, and which it loads."""
        keys, account = self._schema.plan.keys, self._schema.account
        scope = rows_of(account) if account is not None and self._replaces_account else None
        if self._active is None and scope:
            return {"destination_scope": scope}
        if self._active is None:
            return {"destination_scope": same_key(keys)} if self._is_ambiguous() else {}
        conditions = {
            "destination_scope": older_versions(self._active, self._run.first, keys, account)
        }
        if scope:
            conditions["destination_scope"] = scope
        if self._oldest is not None and self._oldest < self._active:
            conditions["source_filter"] = not_older(self._active)
        return conditions

    @property
    def _replaces_account(self) -> bool:
        """Whether the rows of the package replace all rows of the account."""
        schema = self._schema
        return schema.account is not None and schema.replaces_account(schema.plan)

    def _is_ambiguous(self) -> bool:
        """Return whether a column has the name that dlt gives the table when it deletes by key.

        DuckDB would look for the key within the column, and find nothing to delete.
        """
        normalize = dlt.current.source_schema().naming.normalize_path
        return (
            self._schema.plan.strategy == DELETE_INSERT
            and destination.destination_type() == "duckdb"
            and any(normalize(name) == DLT_ALIAS for name in self._schema.decoder.types)
        )

    def end(self) -> None:
        """End the package: its rows are handed to dlt."""
        if self._schema_sent:
            self._run.refresh.end_package(self._schema.table)
        self.close()

    def close(self) -> None:
        """Drop the rows that are held back."""
        for held in (self._deduplicator, self._completion):
            if held:
                held.close()
