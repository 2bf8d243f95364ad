"""What a STATE is true of, so that no run goes on from a mark that another config has set.

A bookmark says "everything before me is written". Of which account, from which start on, into which
tables, and what was left out on purpose, stands beside it, in the state of its stream. A run that
wants more than that forgets the bookmark, and reads what is missing. A STATE of an older version
does not say what it is true of: it is trusted, and says so from then on.
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
    from tap_chat.streams.stream import ChatStream

logger = logging.getLogger(__name__)

#: Its name in the state of a stream.
TRUE_OF = "true_of"

# About 20 ms. The salt is always the same: with one for each STATE, several would tell more of a
# credential than the 12 bits that one does, which thousands of others have, too.
SALT, ROUNDS = b"tap-chat", 50_000
DIGITS, DIGITS_OF_CREDENTIAL = 16, 3

PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Truth:
    """What the marks of one stream are true of.

    Attributes:
        account: A digest of the settings that name the account.
        credential: A few bits of a digest of the credential.
        start: From when on the stream is complete, as a bookmark; None from the beginning.
        written: Each table that the stream was written to, followed by digests of what was left
            out of it on purpose. A list: runners may join the objects of two STATEs.
    """

    account: str
    credential: str
    start: str | int | float | None
    written: list[Annotated[list[str], msgspec.Meta(min_length=1)]]

    def missing(self, wanted: Truth) -> str | None:
        """Say why records are missing that another truth promises, or None if none are.

        Args:
            wanted: What a run is to make true.
        """
        if self.account != wanted.account:
            return "is of another account than the settings name now"
        if is_before(wanted.start, self.start):
            return "is complete from a later start_date on than the setting says now"
        left_out = {table: set(reasons) for table, *reasons in self.written}
        for table, *reasons in wanted.written:
            if table not in left_out or not left_out[table] <= set(reasons):
                return "lacks what stream maps or settings left out until now"
        return None


def settle(streams: Collection[ChatStream], mapper: PluginMapper) -> None:
    """Make the STATE true of what a run reads, before anything is read.

    Args:
        streams: The streams of the tap.
        mapper: Its stream maps.
    """
    by_type: dict[type[Stream], ChatStream] = {type(stream): stream for stream in streams}
    reading = [stream for stream in streams if stream.remembers and stream.is_read]
    renewed: dict[str, str] = {}
    for stream in reading:
        known = stored(stream.known_state)
        line = [stream, *ancestors(stream, by_type)]
        truth = truth_of(line, mapper)
        if known and (missing := known.missing(truth)):
            logger.warning(
                "The STATE of %s %s: the stream is read from its start again.", stream.name, missing
            )
            forget(stream.stream_state)
        elif known:
            if known.credential != truth.credential:
                names = ", ".join(credentials(stream.settings))
                renewed[stream.section] = names
            # A start that was raised above the bookmark leaves out what lies between.
            if is_before(truth.start, stream.coming_start):
                truth = replace(truth, start=known.start)
        stream.stream_state[TRUE_OF] = asdict(truth)
        # Else those of an older STATE would stay beneath, where a runner joins the two.
        for mark in stream.marks:
            stream.stream_state.setdefault(mark, None)
    for section, names in renewed.items():
        logger.warning(
            "The credential in %s.%s is another one than in the last run. If it is of the same"
            " account, all is well. If it is of another one, do a full refresh: bookmarks of one"
            " account leave out records of another.",
            section,
            names,
        )


def stored(state: Mapping[str, Any]) -> Truth | None:
    """Return what the state of a stream says that it is true of, if it does."""
    try:
        return msgspec.convert(state.get(TRUE_OF), Truth)
    except msgspec.ValidationError:
        return None


def forget(state: dict[str, Any]) -> None:
    """Forget the marks of a stream: with nulls, as runners may join the objects of two STATEs."""
    state.pop(PROGRESS_MARKERS, None)
    state.update(dict.fromkeys(state))


def truth_of(line: Sequence[ChatStream], mapper: PluginMapper) -> Truth:
    """Return what the marks of a stream are true of when a run has read it.

    Args:
        line: The stream, and those through whose records it is reached.
        mapper: The stream maps of the tap.
    """
    stream, settings = line[0], line[0].settings
    named = [getattr(settings, name) for name in stream.account_settings]
    secret = [getattr(settings, name) for name in credentials(settings)]
    reasons = [*stream.left_out, *filters({one.name for one in line}, mapper)]
    left_out = sorted(digest(reason) for reason in reasons)
    reached = not any(is_removed(one.stream_maps[0]) for one in line[1:])
    tables = [one.stream_alias for one in stream.stream_maps if reached and not is_removed(one)]
    return Truth(
        digest(json.dumps([stream.section, origin(settings.api_url), *named])),
        digest(json.dumps([stream.section, *secret]))[:DIGITS_OF_CREDENTIAL],
        stream.first_bookmark,
        [[table, *left_out] for table in sorted(tables)],
    )


def filters(names: Collection[str], mapper: PluginMapper) -> Iterator[str]:
    """Yield the filters by which stream maps leave out records.

    Args:
        names: The streams of which they are asked for.
        mapper: The stream maps of the tap.
    """
    for key, mapped in mapper.stream_maps_dict.items():
        if isinstance(mapped, dict) and (rule := mapped.get("__filter__")):
            source = str(mapped.get("__source__", key))
            if any(fnmatch(name, source) for name in names):
                # An expression may look into the setting beside it.
                config = mapper.map_config if "config" in str(rule) else None
                yield json.dumps([key, rule, config], sort_keys=True, default=str)


def is_removed(mapped: StreamMap) -> bool:
    """Say whether a stream map leaves out all records, and all that is reached through them."""
    return isinstance(mapped, RemoveRecordTransform)


def ancestors(
    stream: ChatStream, by_type: Mapping[type[Stream], ChatStream]
) -> Iterator[ChatStream]:
    """Yield the streams through whose records a stream is reached, the nearest first."""
    while stream.parent_stream_type:
        stream = by_type[stream.parent_stream_type]
        yield stream


def credentials(settings: PlatformSettings) -> list[str]:
    """Return the names of a section's settings that are credentials."""
    fields = json_schema(type(settings))["properties"]
    return [name for name, field in fields.items() if field.get("secret")]


def origin(url: str) -> str:
    """Return a URL as it is the same however it is written."""
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    port = parts.port or PORTS.get(scheme)
    return f"{scheme}://{(parts.hostname or '').lower()}:{port}{parts.path.rstrip('/')}"


@lru_cache(maxsize=256)
def digest(text: str) -> str:
    """Return a digest that takes its time."""
    found = pbkdf2_hmac("sha256", text.encode("utf-8", "surrogatepass"), SALT, ROUNDS)
    return found.hex()[:DIGITS]


def is_before(start: Any, other: Any) -> bool:  # noqa: ANN401
    """Say whether a start, as a bookmark or None for the beginning, is before another."""
    if start is None or other is None:
        return start is None and other is not None
    if isinstance(start, str) is not isinstance(other, str):
        return True
    return bool(start < other)
