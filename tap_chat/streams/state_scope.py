"""The scope of a STATE: the settings that its bookmarks belong to.

A bookmark means "every record before this point is written". That is true for one account, from one
start on, for certain tables, and without the records that filters left out. The state of each
stream stores this scope next to the bookmarks. If the settings of a run ask for more, the bookmarks
are reset, and the stream is read from its start. A STATE of an older version has no scope: its
bookmarks are used, and the scope of the run is added; but if the run has an account (the setting
`account`), which no older version knew, they belong to another.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatch
from functools import lru_cache
from hashlib import pbkdf2_hmac
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import msgspec
from singer_sdk.mapper import RemoveRecordTransform

from tap_chat.config.parsing import json_schema
from tap_chat.singer.sdk import PROGRESS_MARKERS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from singer_sdk import Stream
    from singer_sdk.mapper import PluginMapper, StreamMap

    from tap_chat.config.settings import PlatformSettings
    from tap_chat.singer.bookmarks import Bookmark
    from tap_chat.streams.stream import ChatStream

logger = logging.getLogger(__name__)

#: The name of the scope in the state of a stream.
SCOPE_KEY = "true_of"
#: The types of the fields whose type has changed. They are those of a table, not of a bookmark.
TYPES_KEY = "types"

# The digest takes about 20 ms. The salt is fixed: with a new salt in each STATE, several STATEs
# together would reveal more than 12 bits of a credential.
SALT, ROUNDS = b"tap-chat", 50_000
# Hexadecimal digits.
DIGITS, DIGITS_OF_CREDENTIAL = 16, 3

OTHER_ACCOUNT = "belongs to another account than the settings"

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class StateScope:
    """What the bookmarks of one stream cover.

    Attributes:
        account: A digest of the settings that name the account, of `account` among them.
        credential: A few bits of a digest of the credential.
        start: The bookmark from which on the stream is complete; None from the beginning.
        written: For each table that the stream is written to, its name, followed by digests of
            the filters that leave out records. A list, because runners merge the objects of two
            STATEs.
    """

    account: str
    credential: str
    start: str | int | float | None
    written: list[Annotated[list[str], msgspec.Meta(min_length=1)]]

    def shortfall(self, wanted: StateScope) -> str | None:
        """Return why this scope does not cover another one, or None if it does.

        Args:
            wanted: The scope of a run.
        """
        if self.account != wanted.account:
            return OTHER_ACCOUNT
        if is_before(wanted.start, self.start):
            return "starts at a later start_date than the setting"
        filters_of = {table: set(filters) for table, *filters in self.written}
        for table, *filters in wanted.written:
            if table not in filters_of or not filters_of[table] <= set(filters):
                return "lacks records that stream maps or settings left out"
        return None


def update_scopes(streams: Collection[ChatStream], mapper: PluginMapper) -> None:
    """Write the scope of a run into the STATE, and reset the bookmarks that do not cover it.

    Args:
        streams: All streams of the tap.
        mapper: The stream maps of the tap.
    """
    by_type: dict[type[Stream], ChatStream] = {type(stream): stream for stream in streams}
    changed_credentials: dict[str, str] = {}
    for stream in streams:
        if not (stream.has_bookmarks and stream.is_read):
            continue
        scope = scope_of(stream, by_type, mapper)
        saved = read_scope(stream.saved_state)
        if shortfall := _shortfall(saved, scope, stream):
            logger.warning(
                "The STATE of %s %s: the stream is read from its start again.",
                stream.name,
                shortfall,
            )
            reset_state(stream.stream_state)
        elif saved:
            if saved.credential != scope.credential:
                changed_credentials[stream.section] = ", ".join(credentials(stream.settings))
            # A start_date after the bookmark would leave a gap between the two.
            if is_before(scope.start, stream.planned_start):
                scope = replace(scope, start=saved.start)
        stream.stream_state[SCOPE_KEY] = asdict(scope)
        # Where a runner merges STATEs, an entry of an older one would remain without these.
        for key in stream.bookmark_keys:
            stream.stream_state.setdefault(key, None)
    for section, names in changed_credentials.items():
        logger.warning(
            "The credential in %s.%s is not that of the last run. If it belongs to the same"
            " account, ignore this warning. If not, do a full refresh: the bookmarks of one"
            " account leave out records of another.",
            section,
            names,
        )


def _shortfall(saved: StateScope | None, scope: StateScope, stream: ChatStream) -> str | None:
    """Return why the bookmarks of a stream do not cover the scope of a run, or None if they do."""
    if saved:
        return saved.shortfall(scope) or _dependents_shortfall(stream)
    is_bookmarked = any(stream.saved_state.get(key) is not None for key in stream.bookmark_keys)
    return OTHER_ACCOUNT if is_bookmarked and stream.account is not None else None


def read_scope(state: Mapping[str, Any]) -> StateScope | None:
    """Return the scope in the state of a stream, or None if it has no valid one."""
    try:
        return msgspec.convert(state.get(SCOPE_KEY), StateScope)
    except msgspec.ValidationError:
        return None


def reset_state(state: dict[str, Any]) -> None:
    """Set all bookmarks of a stream to null; runners that merge STATEs would keep removed ones."""
    state.pop(PROGRESS_MARKERS, None)
    state.update(dict.fromkeys(state.keys() - {TYPES_KEY}))


def scope_of(
    stream: ChatStream, by_type: Mapping[type[Stream], ChatStream], mapper: PluginMapper
) -> StateScope:
    """Return the scope of a stream's bookmarks after this run.

    Args:
        stream: The stream.
        by_type: All streams of the tap, by their classes.
        mapper: The stream maps of the tap.
    """
    settings = stream.settings
    account = [getattr(settings, name) for name in stream.account_settings]
    if stream.account is not None:
        account.append({"account": stream.account})
    values = [getattr(settings, name) for name in credentials(settings)]
    secrets = [value for value in values if value]  # unset ones do not count
    tables = [
        table
        for dependent in stream.dependents
        for table in written_tables(dependent, list(ancestors(dependent, by_type)), mapper)
    ]
    return StateScope(
        account=digest(json.dumps([stream.section, normalise_url(stream.api.url), *account])),
        credential=digest(json.dumps([stream.section, *secrets]))[:DIGITS_OF_CREDENTIAL],
        start=stream.first_bookmark,
        written=sorted(tables),
    )


def written_tables(
    stream: ChatStream, parents: Sequence[ChatStream], mapper: PluginMapper
) -> Iterator[list[str]]:
    """Yield the name of each table that a stream is written to, followed by its filters.

    Args:
        stream: The stream.
        parents: The parent of the stream, the parent of the parent, and so on.
        mapper: The stream maps of the tap.
    """
    names = {stream.name, *(parent.name for parent in parents)}
    filters = sorted(map(digest, [*stream.exclusions, *stream_map_filters(names, mapper)]))
    if not any(is_removed(parent.stream_maps[0]) for parent in parents):
        for stream_map in stream.stream_maps:
            if not is_removed(stream_map):
                yield [stream_map.stream_alias, *filters]


def _dependents_shortfall(stream: ChatStream) -> str | None:
    """Return why streams that depend on the bookmarks of this one lack records, or None."""
    others = [dependent for dependent in stream.dependents if dependent is not stream]
    if all(read_scope(dependent.saved_state) for dependent in others):
        return None
    return "says nothing of streams that are read with it"


def stream_map_filters(names: Collection[str], mapper: PluginMapper) -> Iterator[str]:
    """Yield the filters by which stream maps leave out records of some streams.

    Args:
        names: The names of the streams.
        mapper: The stream maps of the tap.
    """
    for key, stream_map in mapper.stream_maps_dict.items():
        if isinstance(stream_map, dict) and (rule := stream_map.get("__filter__")):
            source = str(stream_map.get("__source__", key))
            if any(fnmatch(name, source) for name in names):
                # The expression may use the setting `stream_map_config`.
                config = mapper.map_config if "config" in str(rule) else None
                yield json.dumps([key, rule, config], sort_keys=True, default=str)


def is_removed(stream_map: StreamMap) -> bool:
    """Return whether a stream map removes a stream, and with it all that is reached through it."""
    return isinstance(stream_map, RemoveRecordTransform)


def ancestors(
    stream: ChatStream, by_type: Mapping[type[Stream], ChatStream]
) -> Iterator[ChatStream]:
    """Yield the parent of a stream, the parent of that one, and so on."""
    while stream.parent_stream_type:
        stream = by_type[stream.parent_stream_type]
        yield stream


def credentials(settings: PlatformSettings) -> list[str]:
    """Return the names of the settings of a platform that are credentials."""
    properties = json_schema(type(settings))["properties"]
    return [name for name, schema in properties.items() if schema.get("secret")]


def normalise_url(url: str) -> str:
    """Return a URL with its port, in lower case up to its path, and without a slash at its end."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    port = parts.port or PORTS.get(scheme)
    return f"{scheme}://{(parts.hostname or '').lower()}:{port}{parts.path.rstrip('/')}"


@lru_cache(maxsize=256)
def digest(text: str) -> str:
    """Return a digest that is slow to compute, so that guesses of a credential are slow, too."""
    key = pbkdf2_hmac("sha256", text.encode("utf-8", "surrogatepass"), SALT, ROUNDS)
    return key.hex()[:DIGITS]


def is_before(start: Bookmark | None, end: Bookmark | None) -> bool:
    """Return whether one bookmark is before another; None is the beginning."""
    if start is None or end is None:
        return start is None and end is not None
    if isinstance(start, str) is not isinstance(end, str):
        return True
    return bool(start < end)
