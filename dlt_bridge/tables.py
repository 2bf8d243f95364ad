"""What dlt is told of the table of a stream, and what of it can't be loaded."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

import dlt

from dlt_bridge.arrow import SEQUENCE
from dlt_bridge.catalog import FULL_TABLE
from dlt_bridge.errors import BridgeError, MessageError

if sys.version_info >= (3, 12):
    from typing import override
else:
    from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from dlt_bridge.catalog import Stream
    from dlt_bridge.types import Column

STRATEGY = "delete-insert"
SCOPE = "x-merge-destination-scope"


def hints(
    stream: Stream, columns: Iterable[Column], keys: Sequence[str], *, activated: bool
) -> Any:  # noqa: ANN401
    """Return the hints of a stream's table.

    Args:
        stream: The stream.
        columns: Its columns.
        keys: Its key properties.
        activated: Nothing is to stay in the table but the rows of this run.
    """
    return dlt.mark.make_hints(
        primary_key=list(keys) or None,
        write_disposition=_disposition(stream.method, keys, activated=activated),
        columns={
            **{c.name: {"data_type": "json"} for c in columns if c.data_type == "json"},
            SEQUENCE: {"dedup_sort": "desc"},
        },
    )


def _disposition(method: str | None, keys: Sequence[str], *, activated: bool) -> Any:  # noqa: ANN401
    if not keys:
        return "replace" if activated or method == FULL_TABLE else "append"
    # As Singer targets do. A FULL_TABLE stream need not be whole: with the SDK it may hold the
    # children of only those parents that changed.
    merge = {"disposition": "merge", "strategy": STRATEGY}
    # Everything in the table makes way for the rows of the run, of which the last of each key
    # stays.
    return {**merge, "destination_scope": "1 = 1"} if activated else merge


class _MeantHints(logging.Filter):
    """Keeps dlt from warning that the hint of a JSON column is not what Arrow says: it is meant.

    Attributes:
        streams: The resources of the bridge, of which the warning is not heard.
    """

    def __init__(self) -> None:
        super().__init__()
        self.streams: set[str] = set()

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        resource = text.removeprefix("In resource: ").partition(", when merging arrow schema")[0]
        return "several column hints were different" not in text or resource not in self.streams


_meant_hints = _MeantHints()


def expect_json_hints(streams: Iterable[str]) -> None:
    """Let dlt not warn of the JSON columns of these streams."""
    _meant_hints.streams.update(streams)
    logging.getLogger("dlt").addFilter(_meant_hints)


def forget_scope(stream: str) -> None:
    """Let go of the scope that an ACTIVATE_VERSION of an earlier run set; dlt keeps it."""
    _stored_table(stream).pop(SCOPE, None)


def refuse_shared_tables(streams: Iterable[str]) -> None:
    """Refuse streams that would be one table.

    Raises:
        BridgeError: Two of them have one name in the destination.
    """
    naming = dlt.current.source_schema().naming
    for table, names in _shared(streams, naming.normalize_table_identifier).items():
        raise BridgeError(
            f"The streams {_listed(names)} would be one table, `{table}`. Load them into different"
            " datasets, with one of them selected in each."
        )


def refuse_unfit(stream: str, columns: Sequence[Column], keys: Collection[str]) -> None:
    """Refuse what the destination can't hold, or would change in silence.

    Raises:
        MessageError: A key is no column, names of columns meet, a type or key is not what it was,
            the table is another stream's, or the destination can't merge on a key.
    """
    if missing := set(keys) - {column.name for column in columns}:
        raise MessageError(
            f"Stream {stream}: the SCHEMA has no property for its key {_listed(sorted(missing))}."
        )
    naming = dlt.current.source_schema().naming
    named = {column.name: naming.normalize_identifier(column.name) for column in columns}
    if own := [name for name, made in named.items() if made == SEQUENCE]:
        raise MessageError(
            f"Stream {stream}: `{own[0]}` can't be loaded, because the bridge adds a column"
            f" `{SEQUENCE}`, the order of the records."
        )
    for made, names in _shared(named, named.__getitem__).items():
        raise MessageError(
            f"Stream {stream}: the properties {_listed(names)} would be one column, `{made}`."
        )
    if keys:
        _refuse_without_merge(stream)
    table = _stored_table(stream)
    if table.get("resource", stream) != stream:
        raise MessageError(
            f"Stream {stream}: its table `{table['name']}` holds the stream {table['resource']}."
            " Load it into another dataset."
        )
    if stored := table.get("columns"):
        for column in columns:
            _refuse_changed(stream, column, stored.get(named[column.name], {}))


def _refuse_without_merge(stream: str) -> None:
    destination = dlt.current.pipeline().destination
    if STRATEGY not in destination.capabilities().supported_merge_strategies:
        raise MessageError(
            f"Stream {stream} has a key, but {destination.destination_name} can't merge on it (it"
            f" lacks the merge strategy {STRATEGY}), so every new version of a record would be"
            " one more row. Choose another destination."
        )


def _refuse_changed(stream: str, column: Column, known: Mapping[str, Any]) -> None:
    """Refuse what the database would cast in silence, or refuse when it is too late.

    It would store 1.5 in a bigint column as 2, and a null in a key would stop the load.
    """
    before = known.get("data_type"), known.get("scale")
    now = column.data_type, column.scale
    if before[0] is None:
        problem = "" if column.nullable else "is a new key, but its table may have rows without it"
    elif before != now:
        problem = f"is now {_type_text(*now)}, but its column holds {_type_text(*before)}"
    elif known.get("nullable", True) and not column.nullable:
        problem = "is now a key, but its column may hold nulls"
    elif column.nullable and not known.get("nullable", True):
        problem = "is no longer a key, but its column can't hold nulls"
    else:
        problem = ""
    if problem:
        raise MessageError(
            f"Stream {stream}: `{column.name}` {problem}. Load into another dataset, or reset the"
            ' stream with refresh="drop_resources".'
        )


def _stored_table(stream: str) -> Any:  # noqa: ANN401
    """Return what dlt knows of a stream's table, to be read or changed; empty if nothing."""
    schema = dlt.current.source_schema()
    return schema.tables.get(schema.naming.normalize_table_identifier(stream), {})


def _shared(names: Iterable[str], normalize: Callable[[str], str]) -> dict[str, list[str]]:
    """Return the names in the destination that several names would share, and these."""
    sharing: dict[str, list[str]] = {}
    for name in names:
        sharing.setdefault(normalize(name), []).append(name)
    return {made: those for made, those in sharing.items() if len(those) > 1}


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _type_text(data_type: str | None, scale: int | None) -> str:
    return f"{data_type} with scale {scale}" if scale else str(data_type)
