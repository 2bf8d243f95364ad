"""Decodes lines with RECORDs together: each value in the type of its column, or as its JSON text.

The decoder is strict, so that it is fast. What it refuses is looked at again: the columns of values
of another type are decoded as texts from then on, an unknown property is noted, and an error names
its line.
"""

from __future__ import annotations

import re
from contextlib import suppress
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw

from dlt_bridge.arrow.lines import DecodedRows, RawLine, Version, raw_lines
from dlt_bridge.arrow.metadata_columns import EXTRACTED
from dlt_bridge.arrow.nested import UNFIT_NAME
from dlt_bridge.arrow.record_times import are_texts
from dlt_bridge.arrow.types import TYPES
from dlt_bridge.arrow.values import NULL
from dlt_bridge.errors import MessageError
from dlt_bridge.tap.placeholders import add_placeholders

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from dlt_bridge.arrow.columns import Column
    from dlt_bridge.arrow.lines import NumberedLines
    from dlt_bridge.arrow.record_schema import Observed, RecordSchema
    from dlt_bridge.arrow.types import ColumnType
    from dlt_bridge.tap.placeholders import PlaceholderText

_record = attrgetter("record")
_version = attrgetter("version")
_extracted = attrgetter("time_extracted")


class RowDecoder:
    """Decodes lines of one stream.

    Args:
        schema: How its records are decoded.
        types: The types of its columns in the destination; None for a column that is not there.
        observed: What its records have shown, which is kept up to date.

    Attributes:
        raw: The indices of the columns that are decoded as JSON texts.
    """

    def __init__(
        self, schema: RecordSchema, types: Sequence[ColumnType | None], observed: Observed
    ) -> None:
        self._stream, self._columns, self._limits = schema.stream, schema.columns, schema.limits
        self._types = types
        self._observed = observed
        # A struct can't have every name.
        self._by_name = any(UNFIT_NAME.search(column.json_name) for column in self._columns)
        self.raw = {
            index
            for index, (column, column_type) in enumerate(zip(self._columns, types, strict=True))
            if column_type is None or self._by_name or has_undeclared_strings(column, column_type)
        }
        self._forbid_unknown = True
        # How `time_extracted` is decoded; None if it is not wanted.
        self._time: Any = str if EXTRACTED in schema.times else None
        self._decoder = self._compile()

    def decode(self, lines: NumberedLines) -> DecodedRows:
        """Decode lines.

        Raises:
            MessageError: A line is no RECORD, or lacks a required property.
        """
        text: bytes = lines.text
        placeholders: PlaceholderText | None = None
        if not self._limits.nul and b"\\u0000" in text:
            self._decode_raw_types({"text", "json"})
        while True:
            try:
                decoded: list[Any] = self._decoder.decode_lines(text)
            except RecursionError:
                raise self._invalid(lines) from None
            except ValueError:
                if not self._adapt(text):
                    placeholders = None if placeholders else add_placeholders(text)
                    if placeholders is None:
                        raise self._invalid(lines) from None
                    text = placeholders.text
                    self._decode_raw_where(text, placeholders.prefix)
                continue
            records = list(map(_record, decoded))
            if len(records) != lines.count or (self._by_name and not self._have_required(records)):
                raise self._invalid(lines)
            versions = list(map(_version, decoded))
            self._observed.versioned |= versions.count(None) != len(versions)
            extracted = list(map(_extracted, decoded)) if self._time else []
            return DecodedRows(
                records, versions, extracted, placeholders, self._by_name, text, lines.numbers
            )

    def decode_raw(self, indices: Collection[int]) -> bool:
        """Decode columns as JSON texts from now on; return whether that is new for one of them."""
        if self.raw.issuperset(indices):
            return False
        self.raw.update(indices)
        self._decoder = self._compile()
        return True

    def _decode_raw_types(self, data_types: Collection[str]) -> None:
        types = enumerate(self._types)
        self.decode_raw({index for index, each in types if each and each.data_type in data_types})

    def _decode_raw_where(self, text: bytes, prefix: bytes) -> None:
        """Decode the columns with placeholders as JSON texts, in which these can be replaced."""
        with suppress(ValueError, RecursionError):
            records = [line.record for line in raw_lines.decode_lines(text)]
            names = [column.json_name for column in self._columns]
            self.decode_raw(
                {
                    index
                    for index, name in enumerate(names)
                    if any(prefix in bytes(record.get(name, NULL)) for record in records)
                }
            )

    def _have_required(self, records: Sequence[dict[str, Raw]]) -> bool:
        """Return whether dicts have the required properties, and note unknown ones."""
        required = {column.json_name for column in self._columns if column.required}
        self._note_unknown(records)
        return all(required <= record.keys() for record in records)

    def _adapt(self, text: bytes) -> bool:
        """Make the decoder accept what it refused needlessly; return whether anything changed."""
        try:
            lines: list[RawLine] = raw_lines.decode_lines(text)
        except (ValueError, RecursionError):
            return False
        if self._time is str and not are_texts([line.time_extracted for line in lines]):
            self._time = Raw
            self._decoder = self._compile()
            return True
        records = [line.record for line in lines]
        typed = self._typed()
        raw = {index for index in typed if not self._is_decodable(index, records)}
        has_unknown = self._note_unknown(records)
        if not raw and not has_unknown:
            # A record has a property twice, and the first value has another type: the last counts.
            raw = set(typed)
            has_unknown = self._observed.end_nulls()
        self.raw |= raw
        self._decoder = self._compile()
        return bool(raw) or has_unknown

    def _typed(self) -> list[int]:
        """Return the indices of the columns that are not decoded as JSON texts."""
        return [
            index
            for index, column_type in enumerate(self._types)
            if index not in self.raw and column_type and _decoded_type(column_type) is not Raw
        ]

    def _is_decodable(self, index: int, records: Sequence[dict[str, Raw]]) -> bool:
        name, column_type = self._columns[index].json_name, self._types[index]
        texts = [record[name] for record in records if name in record]
        python: Any = list[_decoded_type(column_type) | None]  # type: ignore[arg-type, misc]
        try:
            msgspec.json.decode(b"[" + b",".join(texts) + b"]", type=python)
        except ValueError:
            return False
        return True

    def _note_unknown(self, records: Sequence[dict[str, Raw]]) -> bool:
        """Note properties that the SCHEMA does not have; return whether there is news of one."""
        observed = self._observed
        known = {column.json_name for column in self._columns}.union(observed.unknown)
        found = [item for record in records for item in record.items() if item[0] not in known]
        names = {name for name, _ in found}
        with_values = {name for name, value in found if bytes(value) != b"null"}
        has_news = observed.note_unknown(names, with_values)
        self._forbid_unknown = not observed.is_full
        if has_news and any(map(UNFIT_NAME.search, names)):
            self._by_name, self.raw = True, set(range(len(self._columns)))
        return has_news

    def _invalid(self, lines: NumberedLines) -> MessageError:
        """Return the error of the first line that can't be decoded."""
        required = [column.json_name for column in self._columns if column.required]
        for line, number in zip(lines.text.split(b"\n"), lines.numbers, strict=True):
            where = f"Stream {self._stream}: the record in line {number}"
            try:
                replaced = add_placeholders(line)
                decoded = raw_lines.decode(replaced.text if replaced else line)
            except (ValueError, RecursionError) as error:
                problem = re.sub(r" - at `.*", "", str(error), flags=re.DOTALL)
                return MessageError(f"{where} can't be decoded: {problem}.")
            for name in required:
                if name not in decoded.record:
                    return MessageError(
                        f"{where} lacks the property `{name}`, which its SCHEMA requires."
                    )
        raise AssertionError(f"stream {self._stream}: every record fits, all together do not")

    def _compile(self) -> msgspec.json.Decoder[Any]:
        """Return a decoder of lines for the columns as they are decoded now."""
        if self._by_name:
            return raw_lines
        names = [column.json_name for column in self._columns]
        fields = [self._field(index, column) for index, column in enumerate(self._columns)]
        if self._forbid_unknown:
            # What was null so far is refused when it has a value, so that it is noted.
            others: dict[str, tuple[Any, Any]] = dict.fromkeys(self._observed.unknown, (Raw, NULL))
            others |= dict.fromkeys(self._observed.nulls, (None, None))
            fields += [
                (f"f{index}", *kind) for index, kind in enumerate(others.values(), len(names))
            ]
            names += others
        row = msgspec.defstruct(
            "Row",
            fields,
            rename={field[0]: name for field, name in zip(fields, names, strict=True)},
            forbid_unknown_fields=self._forbid_unknown,
            kw_only=True,
            gc=False,
        )
        envelope: list[Any] = [("record", row), ("version", Version, None)]
        if self._time is Raw:
            envelope.append(("time_extracted", Raw, NULL))
        elif self._time:
            envelope.append(("time_extracted", str | None, None))
        line = msgspec.defstruct("Line", envelope, gc=False)
        return msgspec.json.Decoder(line)

    def _field(self, index: int, column: Column) -> Any:  # noqa: ANN401
        """Return a column as a field of a struct: name, type, and a default if it is optional."""
        column_type = self._types[index]
        python: Any = Raw
        if column_type and index not in self.raw:
            python = _decoded_type(column_type)
        is_raw = python is Raw
        name = f"f{index}"
        if column.required:
            return name, python if is_raw else python | None
        return (name, Raw, NULL) if is_raw else (name, python | None, None)


def _decoded_type(column_type: ColumnType) -> Any:  # noqa: ANN401
    return TYPES[column_type.data_type].decoded


def has_undeclared_strings(column: Column, column_type: ColumnType) -> bool:
    """Return whether a column is of times, bytes or decimals, but its SCHEMA declares another type.

    A string may be in a variant then, though it looks like a time, so each value is looked at.
    """
    depends = TYPES[column_type.data_type].strings in {"if declared", "if allowed"}
    return depends and column.type != column_type
