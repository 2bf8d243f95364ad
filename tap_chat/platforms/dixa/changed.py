"""What a run needs to know of a conversation that has changed, and of a message."""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from tap_chat.platforms.dixa.queries import MINUTE

#: How much older a message may be than the conversation that Dixa creates for it, in ms.
MARGIN = 5 * MINUTE


class ChangedConversation(Struct, gc=False):
    """What a run needs to know of a conversation that has changed.

    Attributes:
        id: Its id.
        created_at: When it was created, in ms since 1970.
        updated_at: When it changed, in ms since 1970.
        last_message_created_at: When its last message was created, in ms since 1970.
    """

    id: int
    created_at: Any = None
    updated_at: Any = None
    last_message_created_at: Any = None

    @property
    def changed_at(self) -> int:
        """When it changed, in ms since 1970; 0 if that is unknown."""
        return self.updated_at if isinstance(self.updated_at, int) else 0

    def is_covered(self, start: int) -> bool:
        """Return whether the windows of creation from a start on have all its messages.

        Args:
            start: The start, in ms since 1970.
        """
        created, last = self.created_at, self.last_message_created_at
        if not isinstance(created, int) or created < start + MARGIN:
            return False
        # An imported conversation may be new while its messages are old.
        return last is None or (isinstance(last, int) and last >= start)


class Owner(Struct, gc=False):
    """The conversation of a message."""

    csid: Any = None


conversation_of = msgspec.json.Decoder(ChangedConversation).decode
owner_of = msgspec.json.Decoder(Owner).decode
