"""What the streams of a platform share in a run."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping
    from datetime import datetime

    from singer_sdk.helpers.types import TapState

    from tap_chat.config.settings import PlatformSettings
    from tap_chat.http.rate_limits.throttle import Throttle
    from tap_chat.http.transport import Transport
    from tap_chat.singer.progress import Progress
    from tap_chat.streams.fan_out import FanOut


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class API:
    """An API of a platform in a run.

    Attributes:
        url: Its address, without the path of a stream.
        throttle: The throttle of its requests.
    """

    url: str
    throttle: Throttle


@dataclass(frozen=True, slots=True)
class Session:
    """What the streams of a platform share in a run.

    Attributes:
        settings: The platform's section of the config.
        apis: The APIs of the platform by their names; that of `api_url` has the empty one.
        start_date: The time before which nothing is read; None for no limit.
        end_date: The time at which streams that are read in windows end.
        user_agent: The User-Agent of every request.
        transport: Sends the requests.
        fan_out: Reads pages ahead.
        progress: Shows on a terminal how the run goes.
        write_state: Writes a STATE message with a value.
        account: The account that each record names; None without one.
    """

    settings: PlatformSettings
    apis: Mapping[str, API]
    start_date: datetime | None
    end_date: datetime
    user_agent: str
    transport: Transport
    fan_out: FanOut
    progress: Progress
    write_state: Callable[[TapState], None]
    account: str | None = None
    _shared: dict[Hashable, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def shared_once(self, key: Hashable, make: Callable[[], T]) -> T:
        """Return an object that the streams share; the first to need it makes it.

        Args:
            key: Identifies the object.
            make: Makes it.
        """
        with self._lock:
            if key not in self._shared:
                self._shared[key] = make()
            shared: T = self._shared[key]
            return shared
