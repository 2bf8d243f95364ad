"""Records as raw JSON: checked against their schema, and written as the API sent them.

If each record of a page has the declared types, its text can be copied into the RECORD message.
That is exact, and takes a fraction of the time of decoding and encoding the record. If the record
has undeclared properties, the texts of the declared ones are copied.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Any, Protocol, Union

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from tap_chat.http import responses
from tap_chat.singer.records import RecordChunk, declared_types
from tap_chat.streams.paginators import Page

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from tap_chat.http.responses import Body
    from tap_chat.singer.inference import Properties
    from tap_chat.singer.records import Record


class SomeObject(Struct, gc=False):
    """Any object. Its members are skipped."""


class SomeArray(Struct, array_like=True, gc=False):
    """Any array. Its items are skipped."""


# Numbers are only checked, so floats are exact enough. msgspec refuses a number beyond the range of
# a float; then the page is decoded.
TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": int | float,
    "boolean": bool,
    "object": SomeObject,
    "array": SomeArray,
    "null": None,
}

_texts = msgspec.json.Decoder(list[Raw])
_members = msgspec.json.Decoder(dict[str, Raw])
_encode = msgspec.json.Encoder(decimal_format="number").encode


class PageReader(Protocol):
    """Reads pages without decoding their records."""

    def read(self, body: Body, context: Mapping[str, Any] | None = None) -> Page | None:
        """Return the page of a body with the values of the inherited keys; None to decode it."""


class RawRecordReader:
    """Reads pages whose records all have the declared types.

    Duplicate properties of a record pass through; the last one is used.

    Args:
        schema: The stream's JSON Schema.
        keys: The properties that every record must have, not null.
        replication_key: The replication key; None if there is none.
        inherited: The keys that come from the parent.
        path: The path of the records in a page: names with dots between them.
        at_root: Whether the records may also be at the root.
        report_undeclared: Called with the name of each undeclared property of a record, which is
            left out; None if a page with one must be decoded.
        properties: The properties of the schema if it is inferred; else None.

    Raises:
        TypeError: msgspec cannot express the schema.
        ValueError: msgspec cannot express the schema, or records have no key of their own.
    """

    def __init__(  # noqa: PLR0913 - what it needs to know of a stream
        self,
        schema: Mapping[str, Any],
        keys: Sequence[str],
        *,
        replication_key: str | None = None,
        inherited: Sequence[str] = (),
        path: str = "",
        at_root: bool = False,
        report_undeclared: Callable[[str], None] | None = lambda _: None,
        properties: Properties | None = None,
    ) -> None:
        own_fields = {
            name: field for name, field in schema["properties"].items() if name not in inherited
        }
        required = [key for key in keys if key not in inherited]
        picked = [*([replication_key] if replication_key else required[:1]), *required]
        needs_key = bool(keys) or properties is None
        if (needs_key and not required) or not own_fields.keys() >= {*picked}:
            raise ValueError("a record needs a key of its own, and its replication key")
        # The fields of a struct are identifiers. Those without a default come first.
        fields = {name: f"field{number}" for number, name in enumerate(own_fields)}
        inherited_fields = {f"inherited{number}": name for number, name in enumerate(inherited)}
        members = (
            [(fields[name], _key_type(own_fields[name])) for name in required]
            + [
                (
                    fields[name],
                    _bookmark_type(field) if name == replication_key else _type(field),
                    None,
                )
                for name, field in own_fields.items()
                if name not in required
            ]
            + [(name, str | int | UnsetType, UNSET) for name in inherited_fields]
        )
        rename = {field: name for name, field in fields.items()} | inherited_fields
        self._decode = _decoder(members, rename, forbid_undeclared=True)
        self._decode_any = _decoder(members, rename, forbid_undeclared=False)
        self._names = schema["properties"].keys()
        self._report_undeclared = report_undeclared
        # At least two names: with one name, `attrgetter` does not return a tuple.
        names = [fields[name] for name in picked]
        self._pick_values = attrgetter(*names, *names[:1]) if names else None
        self._key_count = len(required)
        self._pick_inherited = attrgetter(*inherited_fields) if inherited_fields else None
        self._has_bookmarks = replication_key is not None
        self._inherited = inherited
        self._properties = properties
        self._path = path
        self._at_root = at_root

    def read(self, body: Body, context: Mapping[str, Any] | None = None) -> Page | None:
        """Read a page.

        Args:
            body: The body of the response.
            context: The values of the inherited keys.

        Returns:
            The page, with its body without the records. None if it must be decoded: it is not
            valid, a record has other types than declared, or it has line breaks.
        """
        found = find_texts(body, self._path, at_root=self._at_root)
        return self.page(found[0], context, found[1]) if found else None

    def page(
        self,
        texts: Sequence[Raw],
        context: Mapping[str, Any] | None = None,
        rest: object = None,
    ) -> Page | None:
        """Return a page of the texts of its records.

        Args:
            texts: The JSON of each record: UTF-8 without line breaks.
            context: The values of the inherited keys.
            rest: The body of the page without its records.

        Returns:
            The page, or None if a record has other types than declared.
        """
        try:
            records = [self._decode(text) for text in texts]
        except (RecursionError, msgspec.DecodeError):
            if self._report_undeclared is None:
                return None
            try:
                records = [self._decode_any(text) for text in texts]
                texts = [self._declared(text) for text in texts]
            except (RecursionError, msgspec.DecodeError):
                return None
        if self._pick_inherited:
            inherited = {name: (context or {})[name] for name in self._inherited}
            all_stated = _one_or_all([*inherited.values()])
            none_stated = _one_or_all([UNSET] * len(inherited))
            stated = list(map(self._pick_inherited, records))
            if any(own not in (all_stated, none_stated) for own in stated):
                # A record that names another parent must be decoded and changed.
                return None
            if not self._key_count and any(b'"' not in bytes(text) for text in texts):
                return None  # the record has no property
            try:
                head = _encode(inherited)[:-1] + b","
            except UnicodeEncodeError:  # UTF-8 has no form for a lone surrogate
                return None
            texts = [
                text if own == all_stated else Raw(head + bytes(text)[1:])
                for text, own in zip(texts, stated, strict=True)
            ]
        picks = list(map(self._pick_values, records)) if self._pick_values else []
        bookmark_values = [values[0] for values in picks] if self._has_bookmarks else ()
        if self._key_count:
            keys = [values[1 : self._key_count + 1] for values in picks]
        else:
            keys = [(hash(bytes(text)),) for text in texts]
        return Page(rest, RecordChunk(texts, bookmark_values, self._properties), keys)

    def fits(self, texts: Sequence[Any]) -> bool:
        """Return whether records have the declared types, and no other properties.

        Args:
            texts: The records: decoded, or their JSON. Decoded ones count as unfit.
        """
        try:
            for text in texts:
                self._decode(text)
        except (RecursionError, TypeError, msgspec.DecodeError):
            return False
        return True

    def _declared(self, text: Raw) -> Raw:
        """Return the text of a record without its undeclared properties."""
        members = _members.decode(text)
        if members.keys() <= self._names:
            return text
        for name in members:
            if name not in self._names and self._report_undeclared:
                self._report_undeclared(name)
        declared = {name: value for name, value in members.items() if name in self._names}
        return Raw(msgspec.json.encode(declared))


def _decoder(
    fields: Sequence[tuple[str, Any] | tuple[str, Any, Any]],
    rename: Mapping[str, str],
    *,
    forbid_undeclared: bool,
) -> Callable[[Raw], Any]:
    record = msgspec.defstruct(
        "Record", fields, rename=rename, forbid_unknown_fields=forbid_undeclared, gc=False
    )
    return msgspec.json.Decoder(record).decode


def _one_or_all(values: Sequence[object]) -> object:
    """Return the only value, or a tuple of all, as `attrgetter` does."""
    return values[0] if len(values) == 1 else tuple(values)


def members(record: Record | Raw) -> Mapping[str, Any]:
    """Return the members of a record; those of raw JSON are raw JSON, too."""
    return _members.decode(record) if isinstance(record, Raw) else record


def find_texts(body: Body, path: str, *, at_root: bool = False) -> tuple[list[Raw], Any] | None:
    """Return the texts of the records in a body, and the body without them.

    Args:
        body: The body of a response.
        path: The path of the records: names with dots between them.
        at_root: Whether the records may also be at the root.

    Returns:
        None if the body must be decoded: it is not valid, or has line breaks.
    """
    if not is_one_line(body):
        return None
    names = [] if not path or (at_root and body[:1] == b"[") else path.split(".")
    try:
        if not body.isascii():
            str(body, "utf-8")  # msgspec does not check what it skips
        return _find(body, names)
    except (ValueError, RecursionError, msgspec.DecodeError, responses.UnreadableError):
        return None


def is_one_line(body: Body) -> bool:
    """Return whether a body has no line break, so that each value in it is one line."""
    return b"\n" not in body and b"\r" not in body


def _type(field: Mapping[str, Any]) -> Any:  # noqa: ANN401
    names = declared_types(field)
    if not names:
        return Raw
    # msgspec tells an array from an object, but not one of these structs from the other.
    both = {"array": list[Raw]} if "object" in names else {}
    return Union[tuple((TYPES | both)[name] for name in names)]  # noqa: UP007 - however many


def _bookmark_type(field: Mapping[str, Any]) -> Any:  # noqa: ANN401
    if not {"null"} < {*declared_types(field), "null"} <= {"string", "integer", "number", "null"}:
        raise ValueError("not a field that bookmarks can be made of")
    return _type(field)


def _key_type(field: Mapping[str, Any]) -> Any:  # noqa: ANN401
    names = {*declared_types(field)} - {"null"}
    if not names or not names <= {"string", "integer"}:
        raise ValueError("not a field whose values can be compared")
    return _type({"type": [*names]})


def _find(body: Body | Raw, path: Sequence[str]) -> tuple[list[Raw], Any]:
    """Return the texts of the records in a body, and the body without them."""
    if not path:
        return _texts.decode(body), None
    members = _members.decode(body)
    name, *further = path
    texts, inner = _find(members.pop(name, Raw(b"null")), further)
    return texts, {other: responses.decode(text) for other, text in members.items()} | {name: inner}
