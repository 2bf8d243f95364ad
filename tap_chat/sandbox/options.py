"""What can be changed while the sandbox runs, from Python or over HTTP."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from tap_chat.sandbox.drifts import Drift
from tap_chat.sandbox.faults import Fault
from tap_chat.sandbox.limits import Limit

End = Literal[
    "empty", "null", "object", "404", "400", "416", "422", "204", "nothing", "message", "last"
]


class Options(Struct, kw_only=True, forbid_unknown_fields=True):
    """How the sandbox behaves.

    Attributes:
        latency: Seconds before each answer.
        rate_limit: Requests allowed in a window; None for no limit. The rest get a 429 with an
            exact Retry-After.
        rate_window: The length of a window, in seconds.
        limits: Further limits, of any kind; a request must pass all of them.
        max_page_size: The most records that any page has, whatever is asked for.
        faults: What goes wrong, the first that strikes wins.
        drifts: What leaves, enters or moves in the lists while they are read.
        clock: Seconds by which the server's clock is ahead; behind, if negative.
        links: The form of Freshchat's links: with /v2 from the root of the host, without it, whole,
            or none at all.
        users_order: What Freshchat's users are ordered by; descending, if it begins with a minus.
        message_links: Whether a page of a conversation's messages has a link to the next.
        messages_end: What the messages API answers to an offset beyond its last message: an empty
            list; `null` or an object instead of it; a status; a body that is empty (`nothing`) or
            has a message instead of the list; or the last page again.
        messages_total: Whether it says how many messages there are, as `total`.
        dixa_bounds: Which bounds of Dixa's filters belong to the window: "[" and "]" do.
        dixa_rate_limit: Requests to Dixa allowed in a window; None for no limit.
        dixa_max_rows: The most rows of an answer of Dixa that does not break off; None for any.
        livechat_page_size: The chats of a page of LiveChat, which cannot be asked for.
        livechat_cap: The most chats that can be reached with one query of LiveChat.
        livechat_date: Which end of a chat LiveChat's dates select by.
        livechat_drift: After so many pages of LiveChat one more chat has ended: the world's `now`
            moves on; None for never.
        livechat_twice: Of so many chats of LiveChat one is listed and counted twice; None if none
            is.
        livechat_excess: Chats that LiveChat counts in a query beyond those that it lists.
        livechat_count: Whether LiveChat counts the chats that can be reached, or all.
        livechat_beyond: What LiveChat answers to a page beyond those: that it is refused, or an
            empty list.
    """

    latency: Annotated[float, Meta(ge=0)] = 0.0
    rate_limit: Annotated[int, Meta(ge=1)] | None = None
    rate_window: Annotated[float, Meta(gt=0)] = 60.0
    limits: list[Limit] = []
    max_page_size: Annotated[int, Meta(ge=1)] = 100
    faults: list[Fault] = []
    drifts: list[Drift] = []
    clock: float = 0.0
    links: Literal["relative", "path", "absolute", "absent"] = "relative"
    users_order: Literal["created_time", "-created_time", "updated_time", "-updated_time"] = (
        "created_time"
    )
    message_links: bool = False
    messages_end: End = "empty"
    messages_total: bool = False
    dixa_bounds: Literal["[)", "[]", "(]", "()"] = "[)"
    dixa_rate_limit: Annotated[int, Meta(ge=1)] | None = None
    dixa_max_rows: Annotated[int, Meta(ge=0)] | None = None
    livechat_page_size: Annotated[int, Meta(ge=1)] = 25
    livechat_cap: Annotated[int, Meta(ge=1)] = 25_000
    livechat_date: Literal["ended", "started"] = "ended"
    livechat_drift: Annotated[int, Meta(ge=1)] | None = None
    livechat_twice: Annotated[int, Meta(ge=1)] | None = None
    livechat_excess: Annotated[int, Meta(ge=0)] = 0
    livechat_count: Literal["capped", "all"] = "capped"
    livechat_beyond: Literal["refused", "empty"] = "refused"

    def all_limits(self) -> tuple[Limit, ...]:
        """Return the limits that these options put on requests."""
        usual, dixa = self.rate_limit, self.dixa_rate_limit
        limits = list(self.limits)
        if usual is not None:
            limits.append(Limit(count=usual, window=self.rate_window, told=("exact",)))
        if dixa is not None:
            # Dixa: nothing is known of a Retry-After; connectors wait for a constant minute.
            limits.append(Limit(count=dixa, window=self.rate_window, path=DIXA))
        return tuple(limits)


DIXA = "/v1/conversation_export"
