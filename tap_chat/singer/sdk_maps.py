"""All uses of private parts of the SDK's stream maps, from which the compiled ones are made.

`tests/tap/test_sdk.py` fails when a new version of the SDK changes one of them.
"""

from __future__ import annotations

import ast
import inspect
from functools import partial
from typing import TYPE_CHECKING

from singer_sdk.helpers._flattening import _should_jsondump_value, flatten_key
from singer_sdk.mapper import SameRecordTransform

from tap_chat.singer.expressions import NotCompiledError, Scope
from tap_chat.singer.flattening import Flattener
from tap_chat.singer.mapping import (
    CompiledTransform,
    MapDefinition,
    RecordMapper,
    deselected_fields,
)
from tap_chat.singer.stream_maps import GuardedMap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from singer_sdk.mapper import CustomStreamMap, StreamMap


def record_mapper(
    stream_map: StreamMap, fields: frozenset[str], mask: Mapping[tuple[str, ...], bool]
) -> RecordMapper:
    """Return what maps the records of a stream.

    Args:
        stream_map: The stream map of the stream.
        fields: The fields that its records may have.
        mask: The selection of its fields.
    """
    deselected = deselected_fields(mask)
    flattener = _flattener(stream_map)
    if not isinstance(stream_map, GuardedMap):
        is_same = type(stream_map) is SameRecordTransform
        return RecordMapper(stream_map, deselected, None, flattener, is_compiled=is_same)
    try:
        transform = CompiledTransform(map_definition(stream_map.custom_map, fields))
    except NotCompiledError:
        return RecordMapper(stream_map, deselected, is_compiled=False)
    return RecordMapper(stream_map, deselected, transform, flattener, is_compiled=True)


def map_definition(stream_map: CustomStreamMap, fields: frozenset[str]) -> MapDefinition:
    """Return a stream map as the SDK has parsed it.

    Args:
        stream_map: The stream map.
        fields: The fields that records may have. The SDK has changed its own schema of them.

    Raises:
        NotCompiledError: The SDK holds it in another way than it is known to.
    """
    parsed = inspect.getclosurevars(stream_map._transform_fn).nonlocals  # noqa: SLF001
    if not {"include_by_default", "stream_map_parsed"} <= parsed.keys():
        raise NotCompiledError
    filtered = inspect.getclosurevars(stream_map._filter_fn).nonlocals  # noqa: SLF001
    keys = stream_map.transformed_key_properties or []
    return MapDefinition(
        Scope(
            fields,
            {
                "config": stream_map.map_config,
                "__stream_name__": stream_map.stream_alias,
                "__original_stream_name__": stream_map.stream_name,
            },
            stream_map.expr_evaluator.functions,
            stream_map.expr_evaluator.operators,
        ),
        _value_of(filtered["filter_rule_parsed"]) if filtered else None,
        [
            (name, None if expression is None else _value_of(expression))
            for name, _, expression in parsed["stream_map_parsed"]
        ],
        None if parsed["include_by_default"] else keys,
    )


def _value_of(statement: ast.AST) -> ast.expr:
    if not isinstance(statement, ast.Expr):
        raise NotCompiledError
    return statement.value


def _flattener(stream_map: StreamMap) -> Flattener | None:
    options = stream_map.flattening_options
    if options is None or not stream_map.flattening_enabled:
        return None
    schema = stream_map.transformed_schema

    def flat_name(name: str, parents: list[str]) -> str:
        return flatten_key(name, parents, options.separator, max_key_length=options.max_key_length)

    return Flattener(
        options.max_level,
        schema.get("properties", {}),
        flat_name,
        partial(_should_jsondump_value, value=None, flattened_schema=schema),
    )
