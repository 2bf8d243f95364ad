"""Streams whose SCHEMA is inferred from their records, as far as it is not declared."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from tap_chat.http.errors import IgnoredError, MissingError
from tap_chat.singer import catalog as catalogs
from tap_chat.singer import inference
from tap_chat.singer.records import declared_types, json_type
from tap_chat.streams.raw_records import RawRecordReader, members
from tap_chat.streams.read_plans import RequestsAhead
from tap_chat.streams.record_stream import SHOWN_NAME
from tap_chat.streams.state_scope import TYPES_KEY
from tap_chat.streams.stream import ChatStream
from tap_chat.streams.widening_reader import SeenProperties, WideningReader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context
    from singer_sdk.singerlib import Catalog

    from tap_chat.http.request import Request
    from tap_chat.singer.inference import Properties, Seen
    from tap_chat.singer.records import Record, RecordChunk
    from tap_chat.streams.raw_records import PageReader
    from tap_chat.streams.session import Session

#: The names that a warning lists at most.
SHOWN_NAMES = 10


class InferredStream(ChatStream):
    """A stream whose SCHEMA follows from its records.

    The SCHEMA is written before the first record, and holds what is declared, what the catalog
    knows, and what is on the first page. A page with another property or type has a wider SCHEMA
    before it. So each record is written whole.

    Pages are read ahead, by several threads. Each is checked against the properties of all pages
    that were read until then. A page has another SCHEMA only if its own records need it, so the
    messages do not depend on the threads.
    """

    schema_waits = True

    #: Whether all its settings are there. If not, no request is sent.
    is_configured: ClassVar[bool] = True
    #: The properties that are declared, or are known to be there.
    declared_properties: ClassVar[Properties] = {}
    #: The descriptions of properties of the key, whose types are those of their values.
    key_descriptions: ClassVar[Mapping[str, str]] = {}

    def __init__(self, tap: Tap, session: Session) -> None:
        self._from_catalog: Properties | None = None
        #: The properties of the SCHEMA that was written last.
        self._written: Properties | None = None
        self._described: Properties | None = None  # those of the chunk that was written last
        self._checker: RawRecordReader | None = None  # of the SCHEMA that was written last
        self._is_discovered = False
        super().__init__(tap, session)

    @property
    @override
    def schema(self) -> dict[str, Any]:
        """The JSON Schema of its records, as far as it is known."""
        if self._is_discovered:
            return self._schema_of(self.seen.properties)
        catalog = self._from_catalog or {}
        declared = {
            name: prop
            for name, prop in self.declared_properties.items()
            # One that is only described has the type of its values, which the catalog has.
            if name not in catalog or not inference.is_only_null(prop)
        }
        return self._schema_of({**catalog, **declared})

    @property
    @override
    def effective_schema(self) -> dict[str, Any]:
        known = self._known if self._written is None else self._written
        return self._schema_of(known)

    @property
    def _known(self) -> Properties:
        """The properties that are known before the first page. The types of the catalog win."""
        catalog = self._from_catalog or {}
        # A catalog keeps only some keywords of what is declared.
        differing = {
            name: prop
            for name, prop in catalog.items()
            if not catalogs.is_same(prop, self.declared_properties.get(name, {}))
            and not self._is_unknown_key(name, prop)
        }
        known = {**self.declared_properties, **differing}
        earlier = {name: types for name, types in self._earlier.items() if name in known}
        return inference.widened(known, earlier, self.primary_keys)

    @property
    def _earlier(self) -> Seen:
        """The types of values in earlier runs, with which a loader need not change a column."""
        noted = self.saved_state.get(TYPES_KEY) or {}
        return {name: {*types} for name, types in noted.items()}

    def _is_unknown_key(self, name: str, prop: Any) -> bool:  # noqa: ANN401
        unknown = inference.property_of((), is_key=True)
        return name in self.primary_keys and prop.get("type") == unknown["type"]

    def _schema_of(self, properties: Properties) -> dict[str, Any]:
        unknown = {
            key: inference.property_of((), is_key=True)
            for key in self.primary_keys
            if key not in properties
        }
        described = {**unknown, **properties}
        for key, description in self.key_descriptions.items():
            described[key] = {**described[key], "description": description}
        return {"type": "object", "properties": described, "required": list(self.primary_keys)}

    @override
    def apply_catalog(self, catalog: Catalog) -> None:
        if entry := catalog.get_stream(self.name):
            self._from_catalog = entry.schema.to_dict()["properties"]
        super().apply_catalog(catalog)

    def discover(self, context: Context | None) -> Sequence[Record]:
        """Read the first page, so that `schema` has its fields.

        Args:
            context: The parent's keys, or None.

        Returns:
            Its records, decoded.

        Raises:
            RequestError: It can't be read.
        """
        self._is_discovered = True
        pages = self.fetch_pages(self.new_request(context), context, None, RequestsAhead())
        try:
            records = next(pages).value.records
        except (MissingError, IgnoredError):
            return ()
        self.forget_selection()
        return records

    @cached_property
    def seen(self) -> SeenProperties:
        """The properties of the pages that were read so far."""
        known = inference.widened(self._known, self._earlier, self.primary_keys)
        return SeenProperties(known, self.primary_keys)

    @property
    @override
    def page_reader(self) -> PageReader | None:
        return self._widening_reader if self.is_chunked else None

    @cached_property
    def _widening_reader(self) -> WideningReader:
        return WideningReader(
            self.seen,
            self.parent_keys,
            self.records_path,
            at_root=self.records_at_root,
            new_reader=self._new_reader,
        )

    def _new_reader(self, properties: Properties) -> RawRecordReader | None:
        try:
            return RawRecordReader(
                {"properties": properties},
                self.primary_keys,
                replication_key=self.replication_key,
                inherited=self.parent_keys,
                report_undeclared=None,
                properties=properties,
            )
        except (TypeError, ValueError):
            return None

    @override
    def chunk(self, records: list[Record]) -> RecordChunk:
        properties = self.seen.add(inference.types_of(records))
        return replace(super().chunk(records), properties=properties)

    @override
    def conform(self, request: Request, index: int, record: Any) -> None:
        problem = self._problem(record)
        if problem:
            predicate = f"returned a record (number {index} of the page) that {problem}"
            raise self.client.request_error(request, predicate, self.keyless_remedy(record))

    def _problem(self, record: Any) -> str | None:  # noqa: ANN401
        """Return why a record can't be written, as a predicate without its values, or None."""
        if not isinstance(record, dict):
            return "is not an object"
        for key in self.primary_keys:
            value = record.get(key)
            if value is None:
                return f"has no `{key}`, which is its key"
            if json_type(value) not in inference.SCALARS:
                return f"has {json_type(value)} as `{key}`, which is its key"
        return None

    @override
    def describe(self, chunk: RecordChunk) -> None:
        # The page may have been checked after a later one, with properties that it does not need.
        if chunk.properties is self._described or not chunk.records:
            return
        if self._written is not None and self._fits_written(chunk):
            return
        before = self._known if self._written is None else self._written
        seen = inference.types_of(map(members, chunk.records))
        wider = inference.widened(before, seen, self.primary_keys)
        if wider is not before:
            self._note_changes(before, wider, seen)
        if self._written is None:
            wider = inference.widened(wider, self._earlier, self.primary_keys)
        if wider is not self._written:
            self._write(wider)
        if wider == chunk.properties:
            self._described = chunk.properties

    def _write(self, properties: Properties) -> None:
        self._written, self._checker = properties, None
        schema = self.effective_schema
        # Loaders would make columns of texts of properties that were only null.
        schema["properties"] = {
            name: prop
            for name, prop in schema["properties"].items()
            if not inference.is_only_null(prop)
        }
        self.write_schema(schema)

    def _fits_written(self, chunk: RecordChunk) -> bool:
        """Return whether the SCHEMA that was written last holds raw records."""
        if self._checker is None and self._written is not None:
            self._checker = self._new_reader(self._written)
        return self._checker is not None and self._checker.fits(chunk.records)

    def _note_changes(self, before: Properties, after: Properties, seen: Seen) -> None:
        """Log what a SCHEMA holds that the one before it does not, and note it in the STATE.

        Args:
            before: The properties of the SCHEMA before it, or what was known before the first.
            after: Its properties.
            seen: The types of the values because of which it is written.
        """
        new = [
            name
            for name, prop in after.items()
            if prop != before.get(name) and not inference.is_only_null(prop)
        ]
        for name in new:
            known = before.get(name)
            if known and not inference.is_only_null(known):
                self._note_change(name, {*declared_types(known)} - {"null"}, seen[name])
        names = ", ".join(f"`{name[:SHOWN_NAME]}`" for name in new[:SHOWN_NAMES])
        names += f" and {len(new) - SHOWN_NAMES} more" if len(new) > SHOWN_NAMES else ""
        if new and self._written is not None:
            self.logger.info("The SCHEMA of %s is written again, with %s.", self.name, names)
        elif new and self._from_catalog is not None:
            self.logger.warning(
                "The first records of %s have fields or types that the catalog does not have: %s."
                " They are written, with a wider SCHEMA. %s",
                self.name,
                names,
                catalogs.REMEDY,
            )

    def _note_change(self, name: str, before: set[str], seen: set[str]) -> None:
        """Log that a field has another type than before, and note the types in the STATE."""
        self.logger.warning(
            "Records of %s have %s as `%s`, after %s in earlier ones: some loaders add a column,"
            " others round the value or refuse it. Declare the type of the field in `columns`.",
            self.name,
            " or ".join(sorted(seen - before)),
            name[:SHOWN_NAME],
            " or ".join(sorted(before)),
        )
        noted = self.stream_state.get(TYPES_KEY) or {}
        self.stream_state[TYPES_KEY] = noted | {name: sorted((before | seen) - {"null"})}

    @override
    def report(self) -> None:
        if self._written is None:
            # A stream without records has a SCHEMA, too.
            self._write(self.seen.properties)
        super().report()
