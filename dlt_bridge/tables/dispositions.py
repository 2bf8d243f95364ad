"""How the rows of a stream come into its table: what the user asks, and what is usual."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dlt.extract.exceptions import DataItemRequiredForDynamicTableHints

from dlt_bridge.destinations.destination import capabilities
from dlt_bridge.destinations.dlt_private import running_pipeline
from dlt_bridge.errors import MessageError
from dlt_bridge.tap.catalog import FULL_TABLE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dlt.extract import DltResource

    from dlt_bridge.tap.catalog import Stream

DELETE_INSERT = "delete-insert"
INSERT_ONLY = "insert-only"
#: What can become of rows in a table.
DISPOSITIONS = frozenset({"append", "replace", "merge"})
#: Strategies that fail, or keep any version, if a package has a key twice.
NEEDING_ONE_VERSION = frozenset({"upsert", "cdc", INSERT_ONLY})


@dataclass(slots=True)
class AppliedHints:
    """What the bridge has told dlt of a resource; whatever else it knows is from the user."""

    # As no user writes it; and nothing that would empty the table of a stream not read so far.
    disposition: Any = field(default_factory=lambda: {"disposition": "append"})
    keys: tuple[str, ...] = ()
    columns: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: Steps of the user change its rows.
    changed: bool = False


@dataclass(frozen=True, slots=True)
class UserHints:
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
class LoadPlan:
    """How the rows of a stream come into its table.

    Attributes:
        keys: The names of its keys.
        disposition: append, replace or merge.
        strategy: Of a merge.
        ours: The disposition is the bridge's choice, not the user's.
        hard_delete: A row with `_sdc_deleted_at` is deleted.
        ordered: A column of the user's tells which version of a key is the last.
    """

    keys: tuple[str, ...]
    disposition: str
    strategy: str | None = None
    ours: bool = True
    hard_delete: bool = False
    ordered: bool = False

    @property
    def one_version(self) -> bool:
        """Say whether a package must have no more than one version of a key."""
        return self.strategy in NEEDING_ONE_VERSION


def asked(resource: DltResource, told: AppliedHints) -> UserHints:
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
    return UserHints(
        disposition=None if disposition == told.disposition else disposition,
        keys=None if set(keys) <= set(told.keys) else keys,
        columns=own,
        ordered=any(column.get("dedup_sort") for column in own.values()),
        table_format=resource.table_format if isinstance(resource.table_format, str) else None,
        table=table.get("name"),
    )


def planned(stream: Stream, keys: Sequence[str], wish: UserHints, *, hard_delete: bool) -> LoadPlan:
    """Return how the rows of a stream come into its table.

    Args:
        stream: The stream.
        keys: Its key properties.
        wish: What the user asks for.
        hard_delete: Rows with `_sdc_deleted_at` are to be deleted.

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
        return LoadPlan(keys, choice, ours=ours)
    strategies = _strategies(stream.name, wish.table_format)
    strategy = wish.strategy or next(
        (name for name in (DELETE_INSERT, "upsert") if name in strategies), None
    )
    if strategy not in strategies:
        name = running_pipeline().destination.destination_name
        how = f" by the strategy {strategy}" if strategy else ""
        raise MessageError(
            f"Stream {stream.name} has the key {', '.join(keys)}, but {name} can't merge on"
            f" it{how}. Every new version of a record would be one more row. Choose another"
            ' destination; or, with files, a table format (table_format="delta"); or take the rows'
            ' as they come (write_disposition="append").'
        )
    return LoadPlan(
        keys, "merge", strategy, ours=ours, hard_delete=hard_delete, ordered=wish.ordered
    )


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
