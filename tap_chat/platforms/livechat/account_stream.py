"""The base of all streams of LiveChat, of any version of its API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from tap_chat.platforms.livechat.settings import REMEDIES, LiveChatSettings
from tap_chat.streams.stream import ChatStream

if TYPE_CHECKING:
    from singer_sdk import Tap
    from singer_sdk.helpers.types import Auth

    from tap_chat.streams.session import Session

#: LiveChat began in 2002.
BEGINNING = datetime(2002, 1, 1, tzinfo=UTC)


class LiveChatAPIStream(ChatStream):
    """A stream of LiveChat. The requests of all of them are counted: LiveChat charges for them."""

    section = "livechat"
    remedies = REMEDIES
    account_settings: ClassVar[tuple[str, ...]] = ("user",)
    settings: LiveChatSettings

    def __init__(self, tap: Tap, session: Session) -> None:
        super().__init__(tap, session)
        self._streams: list[LiveChatAPIStream] = session.shared_once("livechat streams", list)
        self._streams.append(self)

    @property
    @override
    def authenticator(self) -> Auth:
        return self.settings.credential.authenticator

    @override
    def log_sync_costs(self) -> None:
        super().log_sync_costs()
        # The tap calls it at the end, for one stream after the other.
        requests = sum(stream.request_count for stream in self._streams)
        if self is self._streams[-1] and requests:
            self.logger.info(
                "LiveChat was sent %d requests. It charges for those that use a personal access"
                " token.",
                requests,
            )
