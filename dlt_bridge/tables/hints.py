"""The hints of a stream's table, and the step that gives them to dlt."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import dlt
import pyarrow as pa
from dlt.extract.items import TableNameMeta
from typing_extensions import override

from dlt_bridge.arrow.metadata_columns import DELETED, LOAD_ID, SEQUENCE
from dlt_bridge.destinations.dlt_private import LastStep
from dlt_bridge.destinations.file_formats import VALUES
from dlt_bridge.tables.column_names import SINGER_NAME
from dlt_bridge.tables.descriptions import DESCRIPTION
from dlt_bridge.tables.dispositions import DELETE_INSERT, AppliedHints, LoadPlan

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from dlt_bridge.arrow.types import ColumnType


@dataclass(frozen=True, slots=True)
class TableHints:
    """The hints of a stream's table.

    Attributes:
        plan: How rows are loaded into the table.
        columns: The types of the columns.
        variants: The types of the variants.
        stored: The columns that dlt's schema has, with their hints, by normalized name.
        replaces_account: The rows replace all rows of the account, also if there are none.
        conditions: SQL conditions of a merge: which rows of the table are deleted, and which rows
            of the package are loaded.
        deduplicated: No two rows of the package have the same key.
        nested: The names of the columns that become child tables; None if rows are Arrow tables,
            from which dlt reads most types.
        file_format: The format of the load files; None for dlt's choice.
        table: The name of the table, if it is not the normalized name of the resource.
        stream: The name of the stream, which dlt's schema keeps with the table.
        of_account: The rows are of an account, so that the user's disposition is that of its rows.
        properties: The properties of columns that have another name, by the names of the columns.
        has_load_id: Whether the rows get a column with the load id.
        description: The description of the table; empty for none.
        descriptions: The descriptions of columns, by their names.
    """

    plan: LoadPlan
    columns: Mapping[str, ColumnType]
    variants: Mapping[str, ColumnType]
    stored: Mapping[str, Mapping[str, Any]]
    conditions: Mapping[str, str] = field(default_factory=dict)
    replaces_account: bool = False
    deduplicated: bool = False
    nested: Collection[str] | None = None
    file_format: Any = None
    table: str | None = None
    stream: str | None = None
    of_account: bool = False
    properties: Mapping[str, str] = field(default_factory=dict)
    has_load_id: bool = False
    description: str = ""
    descriptions: Mapping[str, str] = field(default_factory=dict)

    @property
    def disposition(self) -> Any:  # noqa: ANN401
        """The write disposition with its options, as dlt takes it."""
        if self.plan.disposition != "merge" and not self.conditions:
            return self.plan.disposition
        merge: dict[str, Any] = {
            "disposition": "merge",
            "strategy": self.plan.strategy or DELETE_INSERT,
            **self.conditions,
        }
        return {**merge, "deduplicated": True} if self.deduplicated else merge

    @property
    def _is_applied(self) -> bool:
        """Whether dlt gets the disposition; otherwise it has the one that the user chose."""
        return self.plan.is_default or self.of_account

    def applied(self) -> AppliedHints:
        """Return these hints as what the bridge has applied to the resource."""
        # What the user chose stays the user's when the source is run again.
        chosen = {"disposition": self.disposition} if self._is_applied else {}
        columns: dict[str, dict[str, Any]] = {
            name: {**self._type_hint(name, column_type), **self._key_hint(name)}
            for name, column_type in {**self.columns, **self.variants}.items()
        }
        if self.has_load_id:
            # dlt's own column can't be null, so it could not be added to a table with rows.
            columns[LOAD_ID] = {"data_type": "text", "nullable": True}
        if DELETED in columns:
            columns[DELETED]["hard_delete"] = self.plan.hard_delete
        if self.plan.keys:
            sorts = self.plan.strategy == DELETE_INSERT and not self.plan.has_sort
            if sorts or self.stored.get(SEQUENCE, {}).get("dedup_sort"):
                columns[SEQUENCE] = {"dedup_sort": "desc" if sorts else None}
        for kind, values in ((SINGER_NAME, self.properties), (DESCRIPTION, self.descriptions)):
            for name, value in values.items():
                if name not in (self.nested or ()):
                    columns.setdefault(name, {})[kind] = value
        columns = {name: hint for name, hint in columns.items() if hint}
        return AppliedHints(keys=self.plan.keys, columns=columns, **chosen)

    def to_dlt(self) -> Any:  # noqa: ANN401
        """Return the hints as `dlt.mark.with_hints` takes them."""
        applied = self.applied()
        columns: Any = {name: {"name": name, **hint} for name, hint in applied.columns.items()}
        return dlt.mark.make_hints(
            table_name=self.table,
            write_disposition=applied.disposition if self._is_applied else None,
            columns=columns,
            file_format=self.file_format,
            additional_table_hints={
                **({SINGER_NAME: self.stream} if self.stream else {}),
                **({DESCRIPTION: self.description} if self.description else {}),
            },
        )

    def _type_hint(self, name: str, column_type: ColumnType) -> dict[str, Any]:
        """Return the hint of a column's type; empty if dlt reads the type from the rows."""
        if name in self.variants:
            return {**type_hint(column_type), "variant": True}
        if self.nested is None:
            is_read = column_type.data_type != "json" and self.file_format != VALUES
            return {} if is_read else type_hint(column_type)
        if name in self.nested:
            return {}
        # From objects, dlt loads no text as a JSON value. So mixed values are JSON texts.
        if column_type.data_type == "json":
            return {"data_type": "text"}
        return type_hint(column_type)

    def _key_hint(self, name: str) -> dict[str, Any]:
        """Return the hint of a key column, which overrides the hint of an earlier run.

        The destination may store nulls in a key column, so that another key can take its place;
        the bridge refuses nulls.
        """
        if name in self.plan.keys:
            return {"primary_key": True}
        normalize = dlt.current.source_schema().naming.normalize_path
        was_key = self.stored.get(normalize(name), {}).get("primary_key")
        return {"primary_key": False} if was_key else {}


class HintStep(LastStep):
    """Gives hints to dlt with the next rows that have passed all other steps of a resource.

    A filter or a map of the user may drop the rows that the hints came with. Without keys and
    types, later rows would be appended where they should be merged.

    Args:
        name: The name of the resource.
        applied: Keeps the hints that the bridge applies, by resource.
    """

    def __init__(self, name: str, applied: dict[str, AppliedHints]) -> None:
        super().__init__()
        self._name = name
        self._applied = applied
        applied[name] = AppliedHints()
        # Hints that dlt does not have yet, and the names of tables, by stream; None for the only
        # stream of the resource.
        self._pending: dict[str | None, TableHints] = {}
        self._tables: dict[str, str] = {}
        self._load_ids: dict[str | None, str | None] = {}
        self._rows: Any = None
        self._rows_changed = False
        self._format: Any = None

    @property
    def disposition(self) -> Any:  # noqa: ANN401
        """The write disposition that the bridge has applied to the resource."""
        return self._applied[self._name].disposition

    def take(
        self,
        rows: list[Any],
        hints: TableHints | None,
        load_id: str | None,
        stream: str | None = None,
    ) -> Any:  # noqa: ANN401
        """Keep hints and load id until this step sees the next rows, and return the rows.

        Args:
            rows: Rows of a stream.
            hints: The hints of its table; None if dlt has them.
            load_id: The load id that the rows get; None if dlt itself gives them one.
            stream: The name of the stream, if the resource is of several.
        """
        if hints is not None:
            self._pending[stream] = hints
            if stream is not None:
                self._tables[stream] = hints.table or stream
        self._load_ids[stream] = load_id
        self._rows = rows
        return rows if stream is None else dlt.mark.with_table_name(rows, stream)

    @override
    def __call__(self, item: Any, meta: Any = None) -> Any:
        stream = meta.table_name if isinstance(meta, TableNameMeta) else None
        # A step that changes rows may give two rows the same key.
        self._rows_changed |= item is not self._rows
        self._applied[self._name].rows_changed = self._rows_changed
        if isinstance(item, list) and any(row is None for row in item):
            # A map drops a row by returning None; dlt would make an empty row of it.
            item = [row for row in item if row is not None]
            if not item:
                return None
        item = with_load_id(item, self._load_ids[stream])
        hints = self._pending.pop(stream, None)
        if hints is None:
            return item if stream is None else dlt.mark.with_table_name(item, self._tables[stream])
        hints = replace(
            hints,
            deduplicated=hints.deduplicated and not self._rows_changed,
            file_format=self._format_hint(hints.file_format),
        )
        if item == [] and hints.replaces_account:
            # dlt deletes stored rows only in tables that get a file, which may be empty.
            item = dlt.mark.materialize_table_schema()
        if stream is None:
            asked = self._applied[self._name].asked
            self._applied[self._name] = replace(
                hints.applied(), rows_changed=self._rows_changed, asked=asked
            )
        return dlt.mark.with_hints(item, hints.to_dlt(), create_table_variant=stream is not None)

    def _format_hint(self, file_format: Any) -> Any:  # noqa: ANN401
        """Return the hint of the file format; None if `pipeline.run` was given a format."""
        resource = dlt.current.source().resources[self._name]
        stated = resource.compute_table_schema().get("file_format")
        if stated is not None and stated != self._format:
            return None
        self._format = file_format
        return file_format


def with_load_id(item: Any, load_id: str | None) -> Any:  # noqa: ANN401
    """Return rows with a load id.

    Args:
        item: An Arrow table, or several in a list; rows of another kind stay as they are.
        load_id: The load id; None to leave all as they are.
    """
    if load_id is None:
        return item
    if isinstance(item, list):
        return [with_load_id(part, load_id) for part in item]
    if not isinstance(item, pa.Table | pa.RecordBatch):
        return item
    if LOAD_ID in item.schema.names:
        item = item.drop_columns([LOAD_ID])
    return item.append_column(LOAD_ID, pa.repeat(load_id, item.num_rows))


def type_hint(column_type: ColumnType) -> dict[str, Any]:
    """Return the hint of a column of a type."""
    hint: dict[str, Any] = {"data_type": column_type.data_type}
    if column_type.data_type == "decimal":
        hint |= {"precision": column_type.precision, "scale": column_type.scale or 0}
    return hint
