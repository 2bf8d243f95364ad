"""Shards: the history of one large account, read in windows of time side by side.

The time from `start_date` until a day ago is divided into windows of one size. Each is a shard: a
run with a pipeline and a STATE of its own, so that it can be killed and run again. Where they end
is part of the account's state in the destination, so that a run on another machine continues them.

The shards may end in any order: a record is in one window; if it changes while they are read, it is
in none. When all have ended, the account gets the STATE of the last window. Its own run continues
from there: it reads the last day, what has changed since the shards began, and the streams that
have no windows.
"""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from msgspec.structs import fields
from singer_sdk.exceptions import ConfigValidationError

from dlt_bridge.accounts.ledger import Ledger
from dlt_bridge.accounts.pool import run_accounts
from dlt_bridge.accounts.result import AccountResult
from dlt_bridge.accounts.runner import Warehouse
from dlt_bridge.destinations.state_owner import drop_foreign_state
from dlt_bridge.errors import BridgeError
from dlt_bridge.tables import state_store
from dlt_bridge.tap.inputs import default_source_name, tap_command
from dlt_bridge.tap.selection import matches_any, split_selection
from tap_chat.config.parsing import parse, parse_datetime
from tap_chat.platforms.configured import ConfiguredPlatforms
from tap_chat.platforms.registry import Config

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from dlt import Pipeline

    from dlt_bridge.accounts.account import Account
    from dlt_bridge.accounts.progress import AccountsProgress
    from tap_chat.config.settings import PlatformSettings
    from tap_chat.platforms.platform import Platform

    #: The bookmarks of a STATE, by stream.
    Bookmarks = Mapping[str, Mapping[str, Any]]

logger = logging.getLogger(__name__)

#: What the account's own run reads again: more than clocks differ.
MARGIN = timedelta(days=1)
#: Farther than days differ between time zones. A bookmark stays that far before the end of a shard
#: only if something was not read.
FAR_BEHIND = timedelta(days=2)
#: Larger numbers are milliseconds since 1970, not seconds.
MOST_SECONDS = 10**11
#: The bookmark of a stream in the STATE of tap-chat.
BOOKMARK = "replication_key_value"
#: What the bookmarks of a stream cover, in the STATE of tap-chat: of a shard, its window.
SCOPE = "true_of"
#: The end of the names of settings with a rate, which shards share.
RATE = "_per_minute"
#: Settings of a platform: how late records come; and what is read again, which the account's own
#: run does: days before a bookmark, and messages.
LAG, LOOKBACK, REREAD = "lag_minutes", "lookback_days", "reread_messages"


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """How the history of an account is divided.

    Attributes:
        count: The number of shards.
        start: Where the first begins, in ISO 8601.
        end: Where the last ends.
    """

    count: int
    start: str
    end: str

    @property
    def windows(self) -> Iterator[tuple[datetime, datetime]]:
        """The windows of the shards, from the oldest to the latest."""
        start, end = datetime.fromisoformat(self.start), datetime.fromisoformat(self.end)
        ends = [start + (end - start) * number / self.count for number in range(self.count + 1)]
        return pairwise(ends)


def run_shards(
    account: Account,
    *,
    shards: int,
    workers: int,
    progress: AccountsProgress | None = None,
    **settings: Any,  # noqa: ANN401
) -> Generator[AccountResult]:
    """Load the history of an account in shards, then what is new; yield the result of each run.

    It can be run again at any time, on any machine: it continues the shards that have not ended.
    If the account was loaded before, only what is new is loaded.

    Args:
        account: An account of tap-chat.
        shards: The number of shards, if the history is not divided yet.
        workers: The number of processes.
        progress: Shows how the shards go; None to show nothing.
        settings: The arguments of `run`.

    Raises:
        BridgeError: The settings are wrong, or have no platform with windows of time.
        AccountBusyError: Another run holds the account.
    """
    places = ("destination", "dataset_name", "credentials", "pipelines_dir")
    warehouse = Warehouse(**{name: settings[name] for name in places if name in settings})
    pipeline = warehouse.pipeline(account.source_name)
    with Ledger(pipeline).hold(account.name) as lease:
        history = History(account, pipeline)
        if plan := history.plan(shards):
            results = {}
            parts = list(history.parts(plan, workers))
            if progress:
                # The account's own run comes after its shards.
                progress.total = len(parts) + 1
            runs = run_accounts(parts, workers=workers, progress=progress, **settings)
            with closing(runs) as ended:
                for result in ended:
                    results[result.part] = result
                    yield result
            if any(result.failure for result in results.values()):
                lease.result = AccountResult(account=account.name, failure=UNFINISHED)
                return
            lease.check()
            history.finish(plan, [results[part.part].bookmarks for part in parts])
        elif progress:
            progress.total = 1
        lease.result = AccountResult(account=account.name)
    yield from run_accounts([account], workers=1, progress=progress, **settings)


#: The outcome of an account whose shards have not all ended.
UNFINISHED = "A shard of its history has failed."


class History:
    """The history of an account, which is read in shards.

    Args:
        account: The account.
        pipeline: Its pipeline.

    Raises:
        BridgeError: The settings are wrong, or have no platform with windows of time.
    """

    def __init__(self, account: Account, pipeline: Pipeline) -> None:
        self._account = account
        self._pipeline = pipeline
        self._source = account.source_name
        self._config, self._platforms = platforms_with_windows(account.config)
        self._streams = _selected(self._platforms, account.options.get("select"))

    def plan(self, count: int) -> ShardPlan | None:
        """Return the plan of the shards, which is saved; None if the account was loaded before.

        Args:
            count: The number of shards of a new plan.
        """
        drop_foreign_state(self._pipeline)
        self._pipeline.sync_destination()
        saved = state_store.saved_shards(self._pipeline.state, self._source)
        if saved:
            plan = ShardPlan(**saved)
            if plan.count != count:
                logger.warning(
                    "Account %s: its history is already divided into %d shards. These are"
                    " continued.",
                    self._account.name,
                    plan.count,
                )
            return plan
        if state_store.saved_state(self._pipeline.state, self._source):
            logger.info("Account %s was loaded before: what is new is loaded.", self._account.name)
            return None
        plan = self._new_plan(count)
        self._commit(plan, {})
        return plan

    def parts(self, plan: ShardPlan, workers: int) -> Iterator[Account]:
        """Yield the shards: the account with a window of time, and a name of its own.

        Args:
            plan: The plan.
            workers: How many shards are read at the same time, at most.
        """
        at_once = min(workers, plan.count)
        lag = max(getattr(section, LAG, 0.0) for _, section in self._platforms)
        for number, (start, end) in enumerate(plan.windows, 1):
            bounds = {
                "start_date": start.isoformat(),
                # The tap leaves out what may still come late.
                "end_date": (end + timedelta(minutes=lag)).isoformat(),
            }
            sections = {
                platform.name: self._config[platform.name] | _of_shard(section, at_once)
                for platform, section in self._platforms
            }
            yield replace(
                self._account,
                config={**self._config, **sections, **bounds},
                catalog=None,
                options={**self._account.options, "select": self._streams},
                part=f"shard {number} of {plan.count}",
                is_shard=True,
            )

    def finish(self, plan: ShardPlan, bookmarks: Sequence[Bookmarks]) -> None:
        """Give the account the bookmarks before which all is loaded.

        What they cover begins where the first shard does. So if the account's own run asks for
        more, such as an earlier `start_date`, the tap notices it.

        Args:
            plan: The plan.
            bookmarks: The bookmarks of each shard, by stream.
        """
        covered = {stream: bookmark.get(SCOPE) for stream, bookmark in bookmarks[0].items()}
        ends = [end for _, end in plan.windows]
        self._commit(
            None,
            {
                stream: {**bookmark, SCOPE: covered[stream]}
                for stream, bookmark in last_bookmarks(ends, bookmarks).items()
            },
        )

    def _new_plan(self, count: int) -> ShardPlan:
        settings = _parsed(self._config)
        start = parse_datetime("start_date", settings.start_date)
        now = datetime.now(UTC)
        end = min(parse_datetime("end_date", settings.end_date) or now, now) - MARGIN
        if start is None or start >= end:
            raise BridgeError(
                f"Account {self._account.name}: shards divide the time from the setting"
                " `start_date` until a day before now, or before `end_date`. Set `start_date` to"
                " the time of the first conversations."
            )
        return ShardPlan(count, start.isoformat(), end.isoformat())

    def _commit(self, plan: ShardPlan | None, bookmarks: Mapping[str, Any]) -> None:
        def change() -> None:
            tap = default_source_name(tap_command(self._account.tap))
            state_store.save_account(self._account.name, tap)
            state_store.save_shards(asdict(plan) if plan else None)
            state_store.save_state({"bookmarks": bookmarks}, list(bookmarks), lambda key: key)

        state_store.commit_state(self._pipeline, self._source, change)


def platforms_with_windows(
    config: Mapping[str, Any],
) -> tuple[dict[str, Any], list[tuple[Platform, PlatformSettings]]]:
    """Return the platforms of a config that can be read in windows, and a config of these alone.

    Args:
        config: The config of tap-chat.

    Raises:
        BridgeError: A setting is wrong, or there is no such platform.
    """
    try:
        configured = ConfiguredPlatforms.of(_parsed(config), complete=True)
    except ConfigValidationError as error:
        raise BridgeError(str(error)) from None
    found = [(platform, section) for platform, section in configured.to_read()]
    windowed = [(platform, section) for platform, section in found if platform.has_windows]
    if not windowed:
        raise BridgeError(
            "Shards are windows of time, which none of the configured platforms has. Load the"
            " account without --shards."
        )
    others = {platform.name.partition(".")[0] for platform, _ in found} - {
        platform.name for platform, _ in windowed
    }
    return {name: value for name, value in config.items() if name not in others}, windowed


def _parsed(config: Mapping[str, Any]) -> Any:  # noqa: ANN401
    try:
        return parse(dict(config), Config)
    except ConfigValidationError as error:
        raise BridgeError(str(error)) from None


def _selected(
    platforms: Sequence[tuple[Platform, PlatformSettings]], select: Sequence[str] | None
) -> list[str]:
    """Return the names of the streams with windows that are selected.

    Raises:
        BridgeError: There is none.
    """
    included, excluded = split_selection(select)
    names = [
        stream.name
        for platform, _ in platforms
        for stream in platform.streams
        if stream.has_windows
    ]
    found = [
        name
        for name in names
        if (not included or matches_any(name, included)) and not matches_any(name, excluded)
    ]
    if not found:
        raise BridgeError(
            "Shards are windows of time, which none of the selected streams has. Load the account"
            " without --shards."
        )
    return found


def last_bookmarks(ends: Sequence[datetime], bookmarks: Sequence[Bookmarks]) -> Bookmarks:
    """Return the bookmark of each stream before which the shards have loaded all.

    It is that of the last shard, unless another one stayed far before its end: because a thread of
    LiveChat was active, or the stream was left out.

    Args:
        ends: The ends of the shards, the oldest first.
        bookmarks: Their bookmarks, by stream.
    """
    found = dict(bookmarks[-1])
    for stream, last in bookmarks[-1].items():
        if last.get(BOOKMARK) is None:
            continue  # it has no windows of its own
        for end, of_shard in zip(ends, bookmarks, strict=True):
            bookmark = of_shard.get(stream, {})
            moment = _moment(bookmark.get(BOOKMARK))
            if moment is None or moment < end - FAR_BEHIND:
                found[stream] = bookmark
                break
    return found


def _moment(bookmark: object) -> datetime | None:
    """Return the time of a bookmark: ISO 8601, or seconds or milliseconds since 1970."""
    if isinstance(bookmark, str):
        return datetime.fromisoformat(bookmark)
    if isinstance(bookmark, int):
        return datetime.fromtimestamp(bookmark / (1000 if bookmark > MOST_SECONDS else 1), UTC)
    return None


def _of_shard(section: PlatformSettings, at_once: int) -> dict[str, Any]:
    """Return the settings that a shard has of a platform.

    Args:
        section: The settings of the account.
        at_once: The number of shards that are read at the same time.
    """
    own: dict[str, Any] = {
        name: value for name, value in ((LOOKBACK, 0), (REREAD, False)) if hasattr(section, name)
    }
    for name in (field.name for field in fields(section)):
        if name.endswith(RATE) and (rate := getattr(section, name)) is not None:
            own[name] = rate / at_once
    return own
