"""Streams that are read once per parent record, without log lines for each parent."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from typing_extensions import override

from tap_chat.streams.stream import ChatStream

if TYPE_CHECKING:
    from singer_sdk.metrics import Counter, Meter, Timer

MeterT = TypeVar("MeterT", bound="Meter")

# The SDK logs three lines per parent, two of them with the parent's keys.
_silent = logging.getLogger("tap-chat.silent")
_silent.setLevel(logging.CRITICAL)


class ChildStream(ChatStream):
    """A stream with a context for each parent, and one bookmark for all."""

    # By default, the STATE has an entry for each parent, and the SDK searches it for each record.
    state_partitioning_keys = ()

    @override
    def log(self, message: str, *args: Any, level: int = logging.INFO, **kwargs: Any) -> None:
        level = logging.DEBUG if level == logging.INFO else level
        if self.logger.isEnabledFor(level):
            super().log(message, *args, level=level, **kwargs)

    @override
    def get_record_counter(self, **options: Any) -> Counter:
        return self._counter

    @override
    def get_sync_timer(self) -> Timer:
        return self._timer

    @cached_property
    def _counter(self) -> Counter:
        return _silenced(super().get_record_counter())

    @cached_property
    def _timer(self) -> Timer:
        return _silenced(super().get_sync_timer())


def _silenced(meter: MeterT) -> MeterT:
    meter.logger = _silent
    return meter
