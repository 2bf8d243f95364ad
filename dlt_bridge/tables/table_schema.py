"""The table that a SCHEMA message declares: its name, columns, keys and write disposition."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from dlt_bridge.arrow.columns import Column, columns
from dlt_bridge.arrow.decoder import RecordDecoder
from dlt_bridge.arrow.metadata_columns import (
    ACCOUNT,
    DESCRIPTIONS,
    EXTRACTED,
    LOAD_ID,
    RECORD_COLUMN,
    SEQUENCE,
)
from dlt_bridge.arrow.record_column import RecordColumn, with_record_column
from dlt_bridge.errors import MessageError
from dlt_bridge.tables import accounts, checks, column_names, record_metadata
from dlt_bridge.tables.descriptions import add_comments, column_descriptions, description_of
from dlt_bridge.tables.dispositions import LoadPlan, UserHints, load_plan, refuse_replacing
from dlt_bridge.tables.layout import record_schema, stored_columns
from dlt_bridge.tables.rows.stored_values import with_keep_policy

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from dlt_bridge.arrow.record_schema import RecordSchema
    from dlt_bridge.tables.run_context import RunContext
    from dlt_bridge.tap.catalog import Stream
    from dlt_bridge.tap.messages import Schema

logger = logging.getLogger(__name__)


class TableSchema:
    """The table of a stream, as one SCHEMA message declares it.

    Args:
        stream: The stream, as the catalog knows it.
        message: The SCHEMA.
        run: The run of the source.

    Attributes:
        message: The SCHEMA.
        table: The name of the table in the destination.
        account: The account that the rows belong to; None for no accounts.
        plan: How rows are loaded into the table.
        decoder: Decodes the records.
        renamed_properties: The properties of columns that have another name, by the names of the
            columns.
        description: The description of the stream; empty for none.
        descriptions: The descriptions of columns, by their names.
        has_columns: The SCHEMA declares a column.
        whole_records: Adds the whole record to each record; None if the SCHEMA declares enough.
        is_new: No record was decoded, and dlt has no hints: values may choose the types of columns.

    Raises:
        MessageError: The destination can't load the SCHEMA as the user asks for.
    """

    def __init__(self, stream: Stream, message: Schema, run: RunContext) -> None:
        self.message = message
        self.is_new = True
        self.whole_records: RecordColumn | None = None
        self._stream = stream
        self._run = run
        # How many of the observed properties and variants were reported.
        self._reported_properties = self._reported_variants = 0
        self.account = accounts.account_of(message, run.options.account)
        self._is_untimed = False
        hints = run.user_hints(stream.name)
        self.table = run.table(stream.name, self._table_name(hints))
        plan = load_plan(
            stream,
            message.keys,
            hints,
            hard_delete=bool(run.options.hard_delete),
            account=self.account,
        )
        run.refresh.drop(stream.name, self.table, self.account)
        if self.account is not None and self.replaces_account(plan):
            is_own = run.options.account is not None
            refuse_replacing(stream.name, plan, hints.table_format, is_own=is_own)
        properties = self._properties(plan.keys)
        self.plan = replace(plan, keys=column_names.key_columns(stream.name, properties, plan.keys))
        self.renamed_properties = column_names.renamed_properties(properties)
        self.description = description_of(message.schema)
        named = [column.name for column in properties if column.type]
        is_known = bool(stored_columns(self.table))
        times = record_metadata.time_names(properties) if run.options.add_record_metadata else []
        run.existing.update_schema(
            stream.name,
            self.table,
            [*named, *times, SEQUENCE, LOAD_ID],
            has_children=run.options.nested == "tables",
        )
        run.take_types(self.table, [*named, *times])
        resource = run.options.everything or stream.name
        self._times = record_metadata.time_columns(stream.name, self.table, resource, times)
        self.descriptions = {
            **{name: DESCRIPTIONS[name] for name in (*self._times, SEQUENCE)},
            **column_descriptions(properties, hints.columns),
        }
        add_comments(run.comments, self.table, self.description, self.descriptions)
        if ACCOUNT not in named:
            accounts.refuse_table_of_accounts(stream.name, self.table, run.existing)
        checks.refuse_too_many_columns(stream.name, self.table, [*named, *self._times])
        self.decoder = RecordDecoder(self._record_schema(properties, hints))
        # A new account has no rows yet in a table of others.
        if self.plan.needs_one_version and (is_known or self.account is None):
            checks.refuse_changed_key(stream.name, self.table, self.plan.keys)

    def replaces_account(self, plan: LoadPlan) -> bool:
        """Return whether the rows of the package that is filled replace those of the account."""
        return plan.disposition == "replace" or self._run.refresh.deletes_rows(self.table)

    def _table_name(self, hints: UserHints) -> str:
        """Return the name that the table is to have, before normalization."""
        everything, stream = self._run.options.everything, self._stream.name
        if everything and hints.table not in {None, everything}:
            raise MessageError(
                f"Stream {stream}: a table_name can't be given to all streams together. Select"
                " them by their names, and give each its own."
            )
        return stream if everything else hints.table or stream

    def _properties(self, keys: Collection[str]) -> tuple[Column, ...]:
        """Return the columns of the properties, with their names in the table."""
        account = self._run.options.account
        if account is not None:
            keys = [key for key in keys if key != ACCOUNT]
        declared = columns(self.message.schema, keys)
        self.has_columns = any(column.type for column in declared)
        if not keys and not declared and "properties" not in self.message.schema:
            raise MessageError(
                f"Stream {self._stream.name}: the SCHEMA has no property, and no key. Its"
                " records can't be decoded: the SCHEMA must have an object `properties`, which may"
                " be empty."
            )
        whole = with_record_column(declared, keys, self.message.keys)
        if whole is not None:
            self._keep_whole_records(declared, whole, keys)
        every = whole or declared
        if account is not None:
            every = accounts.with_account(self._stream.name, every, account)
        return column_names.name_columns(
            self._stream.name, self.table, every, self._run.options.on_name_collision
        )

    def _keep_whole_records(
        self, declared: Sequence[Column], whole: Sequence[Column], keys: Collection[str]
    ) -> None:
        """Keep records whole, because the SCHEMA lacks properties; warn once in a run."""
        names = [column.name for column in declared if column.type]
        self.whole_records = RecordColumn(whole, names)
        if self._stream.name not in self._run.warned:
            self._run.warned.add(self._stream.name)
            logger.warning(
                "Stream %s: its SCHEMA has no %s. Its records, if there are any, are kept whole, as"
                " JSON, in the column `%s`.",
                self._stream.name,
                f"property for its key {', '.join(keys)}" if names else "properties",
                RECORD_COLUMN,
            )

    def _record_schema(self, properties: Sequence[Column], hints: UserHints) -> RecordSchema:
        """Return the columns that records are decoded to, and how."""
        options = self._run.options
        schema = record_schema(
            self._stream.name, self.table, properties, hints.columns, options.nested
        )
        schema = replace(schema, times=self._times)
        if options.nested == "tables":
            return schema
        return with_keep_policy(
            schema, self.plan, self.table, keep=options.keep, table_format=hints.table_format
        )

    def expect_versions(self) -> None:
        """Add the column of versions, even if no record has a version yet."""
        observed = self.decoder.observed
        if not observed.versioned:
            self.decoder.observe(replace(observed, versioned=True))

    def report(self) -> None:
        """Warn once of each property that is not loaded, and of each column with a variant."""
        observed, name = self.decoder.observed, self._stream.name
        if unknown := observed.unknown[self._reported_properties :]:
            self._reported_properties = len(observed.unknown)
            logger.warning(
                "Stream %s: records have properties that its SCHEMA does not have, and that are"
                " not loaded, such as %s.",
                name,
                ", ".join(f"`{name}`" for name in unknown),
            )
        if observed.untimed and not self._is_untimed:
            self._is_untimed = True
            logger.warning(
                "Stream %s: the `time_extracted` of the record in line %d is not a date-time. In"
                " such rows, `%s` is null.",
                *(name, observed.untimed, EXTRACTED),
            )
        for misplaced in observed.new_variants[self._reported_variants :]:
            self._reported_variants += 1
            logger.warning(
                "Stream %s: the value of `%s` in line %d does not fit its column (%s). It is kept"
                " as it is in the column `%s`, and so are others like it.",
                name,
                misplaced.json_name,
                misplaced.line,
                misplaced.column_type.text if misplaced.column_type else "null",
                misplaced.name,
            )
