"""What dlt is told of the table of a stream, with the user's own hints left as they are."""

from __future__ import annotations

import logging
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import dlt
from dlt.extract.exceptions import DataItemRequiredForDynamicTableHints

from dlt_bridge.arrow import SEQUENCE, VERSION
from dlt_bridge.catalog import FULL_TABLE
from dlt_bridge.errors import MessageError
from dlt_bridge.runs import capabilities, pipeline

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from dlt.extract import DltResource

    from dlt_bridge.catalog import Stream
    from dlt_bridge.types import Kind

DELETE_INSERT = "delete-insert"
#: The property by which a tap says that a record is gone at the source.
DELETED = "_sdc_deleted_at"
#: What can become of rows in a table.
DISPOSITIONS = frozenset({"append", "replace", "merge"})
#: Strategies that fail, or keep any version, if a package has a key twice.
NEEDING_ONE_VERSION = frozenset({"upsert", "cdc", "insert-only"})


@dataclass(slots=True)
class Told:
    """What the bridge has told dlt of a resource; whatever else it knows is from the user."""

    # As no user writes it; and nothing that would empty the table of a stream not read so far.
    disposition: Any = field(default_factory=lambda: {"disposition": "append"})
    keys: tuple[str, ...] = ()
    columns: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user asks of a resource, by `apply_hints` or the arguments of `run`.

    Attributes:
        disposition: The write disposition; None if it is left to the bridge.
        keys: The primary key; None likewise.
        columns: The hints of columns, by their names.
        ordered: A column of the user's tells which version of a key is the last.
        table_format: Such as delta.
        table: The name of the table.
    """

    disposition: Any = None
    keys: tuple[str, ...] | None = None
    columns: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    ordered: bool = False
    table_format: str | None = None
    table: str | None = None

    @property
    def choice(self) -> str | None:
        """The write disposition by its name."""
        if isinstance(self.disposition, dict):
            return str(self.disposition["disposition"])
        return None if self.disposition is None else str(self.disposition)

    @property
    def strategy(self) -> str | None:
        """The strategy of a merge."""
        named = isinstance(self.disposition, dict)
        return self.disposition.get("strategy") if named else None


@dataclass(frozen=True, slots=True)
class Plan:
    """How the rows of a stream come into its table.

    Attributes:
        keys: The names of its keys.
        disposition: append, replace or merge.
        strategy: Of a merge.
        ours: The disposition is the bridge's choice, not the user's.
        hard: A row with `_sdc_deleted_at` is deleted.
        ordered: A column of the user's tells which version of a key is the last.
    """

    keys: tuple[str, ...]
    disposition: str
    strategy: str | None = None
    ours: bool = True
    hard: bool = False
    ordered: bool = False

    @property
    def one_version(self) -> bool:
        """Say whether a package must have no more than one version of a key."""
        return self.strategy in NEEDING_ONE_VERSION

    def later(self) -> Plan:
        """Return the plan for a later package of the same run: what was replaced is added to."""
        if self.disposition == "replace":
            return replace(self, disposition="append", ours=True)
        return self


def asked(resource: DltResource, told: Told) -> Asked:
    """Return what the user asks of a resource.

    Args:
        resource: The resource, with all hints that it has.
        told: Those of the bridge.

    Raises:
        MessageError: A hint depends on rows.
    """
    disposition = resource.write_disposition
    try:
        table = resource.compute_table_schema()
    except DataItemRequiredForDynamicTableHints:
        raise MessageError(
            f"Resource {resource.name}: a hint is a function of a row, but rows come as Arrow"
            " tables. Give hints that are values."
        ) from None
    columns = table.get("columns", {})
    keys = tuple(name for name, column in columns.items() if column.get("primary_key"))
    own = {
        name: dict(column.items() - told.columns.get(name, {}).items())
        for name, column in columns.items()
    }
    return Asked(
        disposition=None if disposition == told.disposition else disposition,
        keys=None if set(keys) <= set(told.keys) else keys,
        columns=own,
        ordered=any(column.get("dedup_sort") for column in own.values()),
        table_format=resource.table_format if isinstance(resource.table_format, str) else None,
        table=table.get("name"),
    )


def planned(stream: Stream, keys: Sequence[str], wish: Asked, *, hard: bool) -> Plan:
    """Return how the rows of a stream come into its table.

    Args:
        stream: The stream.
        keys: Its key properties.
        wish: What the user asks for.
        hard: Rows with `_sdc_deleted_at` are to be deleted.

    Raises:
        MessageError: The destination can't do it.
    """
    keys = tuple(keys) if wish.keys is None else wish.keys
    choice = wish.choice or _usual(stream.method, keys)
    ours = wish.choice is None
    if choice not in DISPOSITIONS or wish.strategy == "scd2":
        how = "the strategy scd2" if wish.strategy else f'write_disposition="{choice}"'
        raise MessageError(
            f"Stream {stream.name}: {how} is not to be had here. Choose append, replace or merge,"
            " which may have the strategies delete-insert, upsert, cdc and insert-only."
        )
    if choice != "merge":
        return Plan(keys, choice, ours=ours)
    strategies = _strategies(stream.name, wish.table_format)
    strategy = wish.strategy or next(
        (name for name in (DELETE_INSERT, "upsert") if name in strategies), None
    )
    if strategy not in strategies:
        name = pipeline().destination.destination_name
        how = f" by the strategy {strategy}" if strategy else ""
        raise MessageError(
            f"Stream {stream.name} has the key {', '.join(keys)}, but {name} can't merge on"
            f" it{how}. Every new version of a record would be one more row. Choose another"
            ' destination; or, with files, a table format (table_format="delta"); or take the rows'
            ' as they come (write_disposition="append").'
        )
    return Plan(keys, "merge", strategy, ours=ours, hard=hard, ordered=wish.ordered)


def _usual(method: str | None, keys: Sequence[str]) -> str:
    """Return the write disposition of a stream.

    As Singer targets do. A FULL_TABLE stream with a key need not be whole: with the SDK it may hold
    the children of only those parents that changed.
    """
    if keys:
        return "merge"
    return "replace" if method == FULL_TABLE else "append"


def _strategies(stream: str, table_format: str | None) -> Sequence[str]:
    """Return the merge strategies that the destination has for a table."""
    able = capabilities()
    strategies: Sequence[Any] = able.supported_merge_strategies or ()
    if able.merge_strategies_selector is not None:
        table: Any = {"name": stream}
        if table_format:
            table["table_format"] = table_format
        strategies = able.merge_strategies_selector(strategies, table_schema=table)
    return strategies


@dataclass(frozen=True, slots=True)
class TableHints:
    """What dlt is to be told of a stream's table.

    Attributes:
        plan: How rows come into it.
        columns: The types of its columns.
        variants: The types of the variants.
        stored: The names of the columns that dlt knows it to have by now, with their hints.
        conditions: Of a merge: SQL that says which rows of the table make way for those of the
            package, and which rows of the package are taken.
        deduplicated: The package has no key twice.
        nested: The names of the columns that become child tables; None if rows are Arrow tables,
            which tell most types themselves.
        file_format: How dlt is to write files for the destination; None for its own choice.
        table: The name of the table, if it is one of several of its resource.
    """

    plan: Plan
    columns: Mapping[str, Kind]
    variants: Mapping[str, Kind]
    stored: Mapping[str, Mapping[str, Any]]
    conditions: Mapping[str, str] = field(default_factory=dict)
    deduplicated: bool = False
    nested: Collection[str] | None = None
    file_format: Any = None
    table: str | None = None

    @property
    def disposition(self) -> Any:  # noqa: ANN401
        """The write disposition, with what belongs to it."""
        if self.plan.disposition != "merge" and not self.conditions:
            return self.plan.disposition
        merge: dict[str, Any] = {
            "disposition": "merge",
            "strategy": self.plan.strategy or DELETE_INSERT,
            **self.conditions,
        }
        return {**merge, "deduplicated": True} if self.deduplicated else merge

    def told(self) -> Told:
        """Return what these hints tell."""
        # What the user chose stays the user's, when the source is run again.
        ours = {"disposition": self.disposition} if self.plan.ours else {}
        told = Told(keys=self.plan.keys, **ours)
        columns = told.columns
        for name, kind in {**self.columns, **self.variants}.items():
            columns[name] = {**self._type(name, kind), **self._key(name)}
        if DELETED in columns:
            columns[DELETED]["hard_delete"] = self.plan.hard
        if self.plan.keys:
            sorts = self.plan.strategy == DELETE_INSERT and not self.plan.ordered
            if sorts or self.stored.get(SEQUENCE, {}).get("dedup_sort"):
                columns[SEQUENCE] = {"dedup_sort": "desc" if sorts else None}
        told.columns = {name: hint for name, hint in columns.items() if hint}
        return told

    def made(self) -> Any:  # noqa: ANN401
        """Return the hints, for dlt."""
        told = self.told()
        return dlt.mark.make_hints(
            table_name=self.table,
            write_disposition=told.disposition if self.plan.ours else None,
            columns={name: {"name": name, **hint} for name, hint in told.columns.items()},
            file_format=self.file_format,
        )

    def _type(self, name: str, kind: Kind) -> dict[str, Any]:
        """Return what is told of the type of a column."""
        if name in self.variants:
            return {**_column(kind), "variant": True}
        if self.nested is None:
            return _column(kind) if kind.data_type == "json" else {}
        if name in self.nested:
            return {}
        # dlt loads no text as a JSON value of objects, so mixed values are JSON texts.
        return {"data_type": "text"} if kind.data_type == "json" else _column(kind)

    def _key(self, name: str) -> dict[str, Any]:
        """Return whether a column is of the key: dlt keeps what it was told in earlier runs.

        A key may be null for the destination, so that another can take its place; the bridge
        refuses nulls.
        """
        stored = self.stored.get(dlt.current.source_schema().naming.normalize_path(name), {})
        if name in self.plan.keys:
            return {"primary_key": True}
        return {"primary_key": False} if stored.get("primary_key") else {}


def _column(kind: Kind) -> dict[str, Any]:
    hint: dict[str, Any] = {"data_type": kind.data_type}
    if kind.data_type == "decimal":
        hint |= {"precision": kind.precision, "scale": kind.scale or 0}
    return hint


def older_versions(version: int, first: int, keys: Sequence[str]) -> str:
    """Return SQL that is true of the rows that make way when a version is activated.

    They are those of older versions, and those that the package brings anew. Rows without a
    version are of an older one if they are of an earlier run.

    Args:
        version: The version that is active from now on.
        first: The value of `_sdc_sequence` with which the run began.
        keys: The names of the key columns.
    """
    older = (
        f"{_escaped(VERSION)} < {version}"
        f" OR ({_escaped(VERSION)} IS NULL AND {_escaped(SEQUENCE)} < {first})"
    )
    return f"{older} OR {brought_anew(keys)}" if keys else older


def brought_anew(keys: Sequence[str]) -> str:
    """Return SQL that is true of the rows of a table that a package brings anew.

    Args:
        keys: The names of the key columns.
    """
    same = " AND ".join(f"staged.{_escaped(key)} = {{table}}.{_escaped(key)}" for key in keys)
    return f"EXISTS (SELECT 1 FROM {{staging_table}} AS staged WHERE {same})"  # noqa: S608


def this_version(version: int) -> str:
    """Return SQL that is true of the rows of a package that are not of an older version."""
    return f"{_escaped(VERSION)} >= {version} OR {_escaped(VERSION)} IS NULL"


def _escaped(name: str) -> str:
    """Return the name of a column in SQL; dlt fills in names of tables between braces."""
    naming = dlt.current.source_schema().naming
    escape = capabilities().escape_identifier
    return str(escape(naming.normalize_path(name))).replace("{", "{{").replace("}", "}}")


class _MeantHints(logging.Filter):
    """Keeps dlt from warning of hints that are meant.

    The hint of a column may be another than what Arrow says, and versions may be told apart that
    are known to be the only ones.

    Attributes:
        resources: Those of the bridge, of which the warning is not heard.
    """

    def __init__(self) -> None:
        super().__init__()
        self.resources: set[str] = set()

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        resource = text.removeprefix("In resource: ").partition(", when merging arrow schema")[0]
        different = "several column hints were different" in text and resource in self.resources
        sorted_out = SEQUENCE in text and "declared as already deduplicated" in text
        return not different and not sorted_out


_meant_hints = _MeantHints()


def expect_meant_hints(resources: Iterable[str]) -> None:
    """Let dlt not warn of columns whose hints are meant, in these resources."""
    _meant_hints.resources.update(resources)
    logging.getLogger("dlt").addFilter(_meant_hints)
