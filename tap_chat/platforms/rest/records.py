"""Finds the records in the pages of a declared stream."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from tap_chat.http.json_path import compile_path, path_of
from tap_chat.platforms.rest.detection import ERROR_MEMBERS, find_list, guess_records_path

if TYPE_CHECKING:
    from tap_chat.http.json_path import JSONPath

logger = logging.getLogger(__name__)

#: The members of bodies that say that a request failed, and those that are false in them.
FAILURE_MEMBERS = frozenset({"errcode", "error", "error_code", "errors", "exception", "fault"})
SUCCESS_MEMBERS = frozenset({"ok", "success"})


class RecordSelector:
    """Finds the records in the pages of one stream, as dlt does.

    A page has the list at the path, the one object there, or all values that a path with `[*]` or a
    filter finds. Without a path, the first page tells it.

    Args:
        stream: The name of the stream, for the log.
        data_selector: The JSONPath of the records; None if the first page tells it.

    Attributes:
        has_found: Whether a page had records.
    """

    def __init__(self, stream: str, data_selector: str | None) -> None:
        self._stream = stream
        self._path = compile_path(data_selector) if data_selector else None
        self._is_declared = data_selector is not None
        self.has_found = False
        self._has_warned = False

    @property
    def names(self) -> tuple[str, ...] | None:
        """The names that lead to a list of records; None if it is found in another way."""
        path = self._path
        return path.stem if path and (path.names is not None or path.is_list) else None

    @property
    def text(self) -> str:
        """The JSONPath, for messages."""
        return self._path.text if self._path else "$"

    def find(self, body: Any) -> list[Any] | None:  # noqa: ANN401
        """Return the records of a page; None if it has none where they should be.

        Args:
            body: The decoded body.
        """
        path = self._path or self._detect(body)
        if path is None:
            return None if _is_error(body) or not isinstance(body, dict) else [body]
        found = path.find_all(body)
        if not found:
            return self._missing(path, body)
        if path.names is not None:
            (records,) = found
            if records is None:
                return None if _is_error(body) else self._counted_as_none("null")
            if isinstance(records, dict):
                records = [records]
            elif not isinstance(records, list):
                return None
        else:
            records = [item for value in found for item in _items(value)]
        if not records and is_failure(body):
            return None
        self.has_found = self.has_found or bool(records)
        return list(map(_as_record, records))

    def _detect(self, body: Any) -> JSONPath | None:  # noqa: ANN401
        """Return the path of the list in a first page; None if there is none."""
        names = find_list(body)
        if names is None or (_is_error(body) and not ERROR_MEMBERS.isdisjoint(names)):
            return None  # a list of errors is none of records
        path = self._path = compile_path(path_of(names))
        logger.info(
            "Records of %s are read from `%s`, the list in its first response. To be sure, declare"
            " it as `data_selector`.",
            self._stream,
            path,
        )
        return path

    def _missing(self, path: JSONPath, body: Any) -> list[Any] | None:  # noqa: ANN401
        """Return no records, or None if that must be an error: nothing is at the path."""
        if _is_error(body):
            return None
        stem = compile_path(path_of(path.stem)).find_all(body)
        if path.names is None and stem:
            return []  # a filter that nothing fits, or an empty list
        is_elsewhere = guess_records_path(body) is not None
        if is_elsewhere and not (self._is_declared and self.has_found):
            return None
        if self.has_found or _is_blank(body):
            return self._counted_as_none("nothing")
        return None

    def _counted_as_none(self, what: str) -> list[Any]:
        if not self._has_warned:
            self._has_warned = True
            logger.warning(
                "Some responses to %s have %s at `%s`. They count as pages without records.",
                self._stream,
                what,
                self.text,
            )
        return []


def _is_error(body: Any) -> bool:  # noqa: ANN401
    """Return whether a body is that of an error, although its status says otherwise.

    Args:
        body: The decoded body.
    """
    return is_failure(body) or (
        isinstance(body, dict) and any(body.get(name) for name in ERROR_MEMBERS - FAILURE_MEMBERS)
    )


def is_failure(body: Any) -> bool:  # noqa: ANN401
    """Return whether a body says that the request failed, so that an empty list in it is none.

    A `message` or `detail` next to an empty list may say that nothing was found.

    Args:
        body: The decoded body.
    """
    return isinstance(body, dict) and (
        any(body.get(name) for name in FAILURE_MEMBERS)
        or any(body.get(name) is False for name in SUCCESS_MEMBERS)
    )


def _is_blank(body: Any) -> bool:  # noqa: ANN401
    """Return whether a body has no value that says something."""
    if isinstance(body, dict):
        return all(map(_is_blank, body.values()))
    return not body


def _items(value: Any) -> list[Any]:  # noqa: ANN401
    return value if isinstance(value, list) else [value]


def _as_record(value: Any) -> Any:  # noqa: ANN401
    """Return a record. What is not an object is the property `value` of one, as dlt names it."""
    return value if isinstance(value, dict) else {"value": value}
