"""Stream maps whose errors show no values of records."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from singer_sdk.exceptions import MapExpressionError, MappingError
from singer_sdk.mapper import CustomStreamMap, PluginMapper, StreamMap
from singer_sdk.singerlib.catalog import Catalog
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from tap_chat.singer.records import Record

T = TypeVar("T")


class GuardedMap(StreamMap):
    """A stream map whose errors name the stream and show no values.

    Args:
        stream_map: The SDK's stream map.
        stream: The name of its stream.

    Attributes:
        custom_map: The SDK's stream map.
    """

    def __init__(self, stream_map: CustomStreamMap, stream: str) -> None:
        super().__init__(
            stream_map.stream_alias,
            stream_map.raw_schema,
            stream_map.raw_key_properties,
            stream_map.flattening_options,
        )
        self.transformed_schema = stream_map.transformed_schema
        self.transformed_key_properties = stream_map.transformed_key_properties
        self.custom_map = stream_map
        self._stream = stream

    @override
    def transform(self, record: Record) -> Record | None:
        return self._guard(self.custom_map.transform, record)

    @override
    def get_filter_result(self, record: Record) -> bool:
        return self._guard(self.custom_map.get_filter_result, record)

    def _guard(self, func: Callable[[Record], T], record: Record) -> T:
        try:
            return func(record)
        except Exception as error:  # noqa: BLE001 - an expression may raise any error
            name = type(error).__name__
        # Raise outside of the handler: the context of an error may hold a value of the record.
        raise MappingError(
            f"Stream {self._stream}: its stream map failed on a record ({name}). Check the"
            " expressions in the setting stream_maps."
        )


class GuardedMapper(PluginMapper):
    """The SDK's mapper, with guarded stream maps, also of streams that are not selected."""

    @override
    def register_raw_streams_from_catalog(self, catalog: Catalog) -> None:
        selected = Catalog()
        for stream, entry in catalog.items():
            if entry.metadata.resolve_selection()[()]:
                selected[stream] = entry
            else:
                # The SDK would leave the stream no field, and refuse its map, because it has no
                # key. Nothing of it is written, but its map may filter the parents of others.
                self.register_raw_stream_schema(
                    stream, entry.schema.to_dict(), entry.key_properties
                )
        super().register_raw_streams_from_catalog(selected)

    @override
    def register_raw_stream_schema(
        self, stream_name: str, schema: dict[str, Any], key_properties: Sequence[str] | None
    ) -> None:
        try:
            super().register_raw_stream_schema(stream_name, schema, key_properties)
        except MapExpressionError:
            # The text of the error holds the expression.
            raise MappingError(
                f"Stream {stream_name}: an expression of its stream map can't be read. Check the"
                " expressions in the setting stream_maps."
            ) from None
        self.stream_maps[stream_name] = [
            GuardedMap(stream_map, stream_name)
            if isinstance(stream_map, CustomStreamMap)
            else stream_map
            for stream_map in self.stream_maps[stream_name]
        ]
