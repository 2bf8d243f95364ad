"""Makes dlt's bookkeeping quick where a package has many tables.

For each table, dlt looks through all tables of the schema and all files of the package, and looks
up its settings again, so that its work grows with the square of the number of tables. While
`quick_tables` is open, functions of dlt are replaced by ones with the same results. Like
`dlt_private`, this module depends on private parts of dlt, which `tests/bridge/test_dlt_private.py`
checks.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from inspect import unwrap
from threading import Lock
from typing import TYPE_CHECKING, Any

from dlt.common import validation
from dlt.common.configuration import inject
from dlt.common.configuration.container import Container
from dlt.common.configuration.resolve import resolve_configuration
from dlt.common.configuration.specs import ConfigSectionContext
from dlt.common.data_writers import BufferedDataWriter
from dlt.common.destination import DestinationCapabilitiesContext
from dlt.common.destination import client as destination_client
from dlt.common.destination import utils as destination_utils
from dlt.common.destination.configuration import CsvFormatConfiguration, ParquetFormatConfiguration
from dlt.common.normalizers.json import helpers
from dlt.common.schema import Schema
from dlt.common.schema import utils as schema_utils
from dlt.common.storages.load_package import ParsedLoadJobFileName
from dlt.load import utils as load_utils
from typing_extensions import get_type_hints

from dlt_bridge.destinations.load_once import LoadOnce

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

#: Settings of the writers of files: each table has a writer, and all look up the same.
WRITER_SETTINGS = (
    BufferedDataWriter.BufferedDataWriterConfiguration,
    ParquetFormatConfiguration,
    CsvFormatConfiguration,
)
#: How many names of files are remembered: a package has two or three for each table.
REMEMBERED_NAMES = 65_536
# The name of a function that several modules of dlt have imported.
_NESTED_TABLES = "get_nested_tables"

_lock = Lock()
_depth = 0
_before: list[tuple[Any, str, Any]] = []


@contextmanager
def quick_tables() -> Iterator[None]:
    """Replace functions of dlt by quicker ones with the same results."""
    global _depth  # noqa: PLW0603 - the functions are dlt's own, for all threads
    with _lock:
        _depth += 1
        if _depth == 1:
            for owner, name, function in _replacements():
                # From the class itself: `getattr` would take a static method out of it.
                _before.append((owner, name, vars(owner)[name]))
                setattr(owner, name, function)
    try:
        yield
    finally:
        with _lock:
            _depth -= 1
            if _depth == 0:
                while _before:
                    setattr(*_before.pop())


def _replacements() -> Iterator[tuple[Any, str, Any]]:
    """Yield the functions that are replaced: the module or class, the name, and the new one."""
    yield inject, "resolve_configuration", _remembering(resolve_configuration)
    prepare = unwrap(destination_utils.prepare_load_table)
    for module in (destination_client, destination_utils):
        yield module, "prepare_load_table", prepare
    merge_strategy = _with_capabilities(unwrap(destination_utils.resolve_merge_strategy))
    yield helpers, "resolve_merge_strategy", merge_strategy
    nested = _nested_tables(schema_utils.get_nested_tables)
    yield schema_utils, _NESTED_TABLES, nested
    yield helpers, _NESTED_TABLES, nested
    yield load_utils, _NESTED_TABLES, nested
    # dlt checks the settings of the schema at each table.
    yield validation, "get_type_hints", _remembering_types(get_type_hints)
    yield Schema, "dlt_tables", _dlt_tables
    parse = lru_cache(REMEMBERED_NAMES)(ParsedLoadJobFileName.parse)
    yield ParsedLoadJobFileName, "parse", staticmethod(parse)
    yield import_module("dlt.pipeline.pipeline"), "Load", LoadOnce


def _remembering(resolve: Callable[..., Any]) -> Callable[..., Any]:
    """Return dlt's look-up of settings, which looks up those of writers of files once."""
    found: dict[tuple[Any, ...], tuple[Any, Any]] = {}

    def resolved(config: Any, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        given: Mapping[str, Any] = options.get("explicit_value") or {}
        spec = type(config)
        if spec not in WRITER_SETTINGS or arguments:
            return resolve(config, *arguments, **options)
        container = Container()
        sections = container[ConfigSectionContext]
        capabilities = _capabilities(container)
        key = (
            spec,
            sections.pipeline_name,
            sections.sections,
            options.get("accept_partial"),
            id(capabilities),
            *(f"{name}={given.get(name)!r}" for name in spec.get_resolvable_fields()),
        )
        if key not in found:
            # The capabilities are kept, so that no others get their id.
            found[key] = (resolve(config, **options), capabilities)
        return found[key][0]

    return resolved


def _capabilities(container: Any) -> Any:  # noqa: ANN401
    """Return the capabilities of the destination, if dlt knows them here."""
    known = DestinationCapabilitiesContext in container
    return container[DestinationCapabilitiesContext] if known else None


def _with_capabilities(merge_strategy: Callable[..., Any]) -> Callable[..., Any]:
    """Return dlt's choice of a merge strategy, without a look-up of settings."""

    def chosen(tables: Any, table: Any, capabilities: Any = None) -> Any:  # noqa: ANN401
        return merge_strategy(tables, table, capabilities or _capabilities(Container()))

    return chosen


def _remembering_types(type_hints: Callable[..., Any]) -> Callable[..., Any]:
    """Return the look-up of the types of a dictionary's keys, which takes each class once."""
    types: dict[Any, Any] = {}

    def found(spec: Any, **options: Any) -> Any:  # noqa: ANN401
        if spec not in types:
            types[spec] = type_hints(spec, **options)
        return types[spec]

    return found


def _nested_tables(nested_tables: Callable[..., Any]) -> Callable[..., Any]:
    """Return dlt's search for child tables, quicker for a table that has none."""

    def found(tables: Any, name: str, *arguments: Any, **options: Any) -> Any:  # noqa: ANN401
        if arguments or options or name not in tables:
            return nested_tables(tables, name, *arguments, **options)
        if any([table.get("parent") == name for table in tables.values()]):  # noqa: C419 - quicker
            return nested_tables(tables, name)
        return [tables[name]]

    return found


def _dlt_tables(schema: Any) -> list[Any]:  # noqa: ANN401
    """Return the tables of a schema that are dlt's own."""
    prefix = schema._dlt_tables_prefix  # noqa: SLF001
    return [table for name, table in schema.tables.items() if name.startswith(prefix)]
