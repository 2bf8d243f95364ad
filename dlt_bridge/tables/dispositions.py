"""The write disposition of each stream: the one that the user asks for, or the default."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dlt.extract.exceptions import DataItemRequiredForDynamicTableHints

from dlt_bridge.arrow.metadata_columns import ACCOUNT
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
#: The write dispositions that the bridge supports.
DISPOSITIONS = frozenset({"append", "replace", "merge"})
#: Merge strategies that fail, or keep any version, if a package has a key twice.
NEEDING_ONE_VERSION = frozenset({"upsert", "cdc", INSERT_ONLY})


@dataclass(slots=True)
class AppliedHints:
    """The hints that the bridge has applied to a resource.

    dlt stores them together with the hints of the user. They are kept here to tell the two apart
    when the same source is run again.
    """

    # A value that no user writes, and that empties no table of a stream that is not read.
    disposition: Any = field(default_factory=lambda: {"disposition": "append"})
    keys: tuple[str, ...] = ()
    columns: dict[str, dict[str, Any]] = field(default_factory=dict)
    #: Whether steps that the user has added change the rows.
    rows_changed: bool = False
    #: What the user has chosen for the rows of an account; None for the default.
    asked: Any = None

    def take_disposition(self, resource: DltResource) -> None:
        """Take over the user's disposition of a resource, so that dlt does not use it.

        dlt would empty the tables of all accounts for `replace`.
        """
        chosen = resource.write_disposition
        if chosen != self.disposition:
            self.asked = chosen
            resource.apply_hints(write_disposition=self.disposition)

    @property
    def replaces(self) -> bool:
        """Whether the user replaces the rows of an account."""
        return self.asked == "replace" or (
            isinstance(self.asked, dict) and self.asked.get("disposition") == "replace"
        )


@dataclass(frozen=True, slots=True)
class UserHints:
    """The hints of a resource that come from the user: `apply_hints`, or arguments of `run`.

    Attributes:
        disposition: The write disposition; None for the default.
        keys: The primary key; None for the key of the SCHEMA.
        columns: The hints of columns, by the names of the columns.
        has_sort: A column hint `dedup_sort` says which version of a key is the last.
        table_format: The table format, such as `delta`.
        table: The name of the table.
    """

    disposition: Any = None
    keys: tuple[str, ...] | None = None
    columns: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    has_sort: bool = False
    table_format: str | None = None
    table: str | None = None

    @property
    def disposition_name(self) -> str | None:
        """The name of the write disposition."""
        if isinstance(self.disposition, dict):
            return str(self.disposition["disposition"])
        return None if self.disposition is None else str(self.disposition)

    @property
    def strategy(self) -> str | None:
        """The merge strategy."""
        return self.disposition.get("strategy") if isinstance(self.disposition, dict) else None


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """How the rows of a stream are loaded into its table.

    Attributes:
        keys: The names of the key columns.
        disposition: The write disposition: `append`, `replace` or `merge`.
        strategy: The merge strategy.
        is_default: The bridge has chosen the disposition, not the user.
        hard_delete: Rows with `_sdc_deleted_at` are deleted.
        has_sort: A column hint of the user says which version of a key is the last.
    """

    keys: tuple[str, ...]
    disposition: str
    strategy: str | None = None
    is_default: bool = True
    hard_delete: bool = False
    has_sort: bool = False

    @property
    def is_merged(self) -> bool:
        """Whether rows replace the rows that have the same key."""
        return self.disposition == "merge"

    @property
    def is_merged_by_key(self) -> bool:
        """Whether a row that is loaded twice is there once."""
        return self.is_merged and bool(self.keys)

    @property
    def needs_one_version(self) -> bool:
        """Whether a package must not have two versions of a key."""
        return self.strategy in NEEDING_ONE_VERSION


def user_hints(resource: DltResource, applied: AppliedHints) -> UserHints:
    """Return the hints of a resource that come from the user.

    Args:
        resource: The resource, with all its hints.
        applied: The hints that the bridge has applied.

    Raises:
        MessageError: A hint is a function of a row.
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
        name: dict(column.items() - applied.columns.get(name, {}).items())
        for name, column in columns.items()
    }
    return UserHints(
        disposition=applied.asked if disposition == applied.disposition else disposition,
        keys=None if set(keys) <= set(applied.keys) else keys,
        columns=own,
        has_sort=any(column.get("dedup_sort") for column in own.values()),
        table_format=resource.table_format if isinstance(resource.table_format, str) else None,
        table=table.get("name"),
    )


def load_plan(
    stream: Stream,
    keys: Sequence[str],
    hints: UserHints,
    *,
    hard_delete: bool,
    account: str | None = None,
) -> LoadPlan:
    """Return how the rows of a stream are loaded into its table.

    Args:
        stream: The stream.
        keys: The key properties of its SCHEMA.
        hints: The hints of the user.
        hard_delete: Delete rows with `_sdc_deleted_at`.
        account: The account that the rows belong to; None for no accounts.

    Raises:
        MessageError: The bridge does not support what the user asks for, or the destination can't
            merge.
    """
    keys = tuple(keys) if hints.keys is None else hints.keys
    if account is not None and keys:
        keys = (ACCOUNT, *(key for key in keys if key != ACCOUNT))
    is_default = hints.disposition_name is None
    disposition = hints.disposition_name or _default_disposition(stream.method, keys)
    if disposition not in DISPOSITIONS or hints.strategy == "scd2":
        setting = "the strategy scd2" if hints.strategy else f'write_disposition="{disposition}"'
        raise MessageError(
            f"Stream {stream.name}: {setting} is not supported here. Choose append, replace or"
            " merge, which may have the strategies delete-insert, upsert, cdc and insert-only."
        )
    if disposition == "replace" and account is not None:
        return LoadPlan(keys, "replace", DELETE_INSERT, is_default, has_sort=hints.has_sort)
    if disposition != "merge":
        return LoadPlan(keys, disposition, is_default=is_default)
    strategies = _merge_strategies(stream.name, hints.table_format)
    strategy = hints.strategy or next(
        (name for name in (DELETE_INSERT, "upsert") if name in strategies), None
    )
    if strategy not in strategies:
        destination = running_pipeline().destination.destination_name
        how = f" by the strategy {strategy}" if strategy else ""
        raise MessageError(
            f"Stream {stream.name} has the key {', '.join(keys)}, but {destination} can't merge on"
            f" it{how}. Every new version of a record would be one more row. Choose another"
            ' destination; or, with files, a table format (table_format="delta"); or take the rows'
            ' as they come (write_disposition="append").'
        )
    return LoadPlan(
        keys,
        "merge",
        strategy,
        is_default=is_default,
        hard_delete=hard_delete,
        has_sort=hints.has_sort,
    )


def refuse_replacing(
    stream: str, plan: LoadPlan, table_format: str | None, *, is_own: bool
) -> None:
    """Refuse to replace the rows of an account, if those of all accounts would be replaced.

    Args:
        stream: The stream.
        plan: How its rows are loaded.
        table_format: The table format, if there is one.
        is_own: The bridge is given the account; otherwise the tap adds it.

    Raises:
        MessageError: The rows of all accounts would be deleted.
    """
    if DELETE_INSERT not in _merge_strategies(stream, table_format):
        destination = running_pipeline().destination.destination_name
        raise MessageError(
            f"Stream {stream}: the rows of its account are to be replaced, but {destination} can"
            " only replace those of all accounts. Load each account into a dataset of its own,"
            ' without an account; or take the rows as they come (write_disposition="append").'
        )
    if not is_own and not plan.is_default:
        raise MessageError(
            f"Stream {stream}: the rows of its account are to be replaced, in another way than by"
            " default. This needs the account in the bridge, and not in the tap:"
            " singer(..., account=...)."
        )


def _default_disposition(method: str | None, keys: Sequence[str]) -> str:
    """Return the write disposition of a stream, as Singer targets choose it.

    A FULL_TABLE stream with a key need not be complete: with the SDK it may hold the children of
    only those parents that changed.
    """
    if keys:
        return "merge"
    return "replace" if method == FULL_TABLE else "append"


def _merge_strategies(stream: str, table_format: str | None) -> Sequence[str]:
    """Return the merge strategies that the destination supports for a table."""
    supported = capabilities()
    strategies: Sequence[Any] = supported.supported_merge_strategies or ()
    if supported.merge_strategies_selector is not None:
        table: Any = {"name": stream}
        if table_format:
            table["table_format"] = table_format
        strategies = supported.merge_strategies_selector(strategies, table_schema=table)
    return strategies
