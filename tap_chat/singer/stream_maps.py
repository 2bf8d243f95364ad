"""Stream maps whose failures show no record."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from singer_sdk.exceptions import MapExpressionError, MappingError
from singer_sdk.mapper import CustomStreamMap, PluginMapper, StreamMap
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from tap_chat.singer.records import Record

T = TypeVar("T")


class GuardedMap(StreamMap):
    """A stream map, with errors that name the stream and hold no value.

    Args:
        guarded: The stream map.
        stream: The name of its stream.
    """

    def __init__(self, guarded: CustomStreamMap, stream: str) -> None:
        super().__init__(
            guarded.stream_alias,
            guarded.raw_schema,
            guarded.raw_key_properties,
            guarded.flattening_options,
        )
        self.transformed_schema = guarded.transformed_schema
        self.transformed_key_properties = guarded.transformed_key_properties
        self._guarded = guarded
        self._stream = stream

    @override
    def transform(self, record: Record) -> Record | None:
        return self._guard(self._guarded.transform, record)

    @override
    def get_filter_result(self, record: Record) -> bool:
        return self._guard(self._guarded.get_filter_result, record)

    def _guard(self, func: Callable[[Record], T], record: Record) -> T:
        try:
            return func(record)
        except Exception as error:  # noqa: BLE001 - an expression may raise whatever there is
            kind = type(error).__name__
        # Raised outside of the handler: the original error may hold a value.
        raise MappingError(
            f"Stream {self._stream}: its stream map failed on a record ({kind}). Check the"
            " expressions in the setting stream_maps."
        )


class Mapper(PluginMapper):
    """The SDK's mapper, with guarded stream maps."""

    @override
    def register_raw_stream_schema(
        self, stream_name: str, schema: dict[str, Any], key_properties: Sequence[str] | None
    ) -> None:
        try:
            super().register_raw_stream_schema(stream_name, schema, key_properties)
        except MapExpressionError:
            # Its text has the expression in it.
            raise MappingError(
                f"Stream {stream_name}: an expression of its stream map can't be read. Check the"
                " expressions in the setting stream_maps."
            ) from None
        self.stream_maps[stream_name] = [
            GuardedMap(mapped, stream_name) if isinstance(mapped, CustomStreamMap) else mapped
            for mapped in self.stream_maps[stream_name]
        ]
