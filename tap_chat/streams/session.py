"""What the streams of a platform share in a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from singer_sdk.helpers.types import TapState

    from tap_chat.config.settings import PlatformSettings
    from tap_chat.http.rate_limits.throttle import Throttle
    from tap_chat.http.transport import Transport
    from tap_chat.singer.progress import Progress
    from tap_chat.streams.fan_out import FanOut


@dataclass(frozen=True, slots=True)
class Session:
    """What the streams of a platform share in a run.

    Attributes:
        settings: The platform's section of the config.
        throttle: What keeps to the platform's rate limit.
        start_date: Nothing older is read; None for all there is.
        end_date: Where streams that are read in windows end.
        user_agent: The User-Agent of every request.
        transport: What carries the requests.
        fan_out: What reads pages ahead.
        progress: What shows on a terminal how the run goes.
        write_state: Writes a STATE message with this value.
    """

    settings: PlatformSettings
    throttle: Throttle
    start_date: datetime | None
    end_date: datetime
    user_agent: str
    transport: Transport
    fan_out: FanOut
    progress: Progress
    write_state: Callable[[TapState], None]
