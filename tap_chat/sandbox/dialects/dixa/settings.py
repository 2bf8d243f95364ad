"""What can be set of Dixa: its data, and how its exports API behaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta
from typing_extensions import override

from tap_chat.sandbox.dialect import DialectOptions, WorldSettings
from tap_chat.sandbox.limits import Limit

if TYPE_CHECKING:
    from collections.abc import Iterator

PATH = "/v1/conversation_export"


@dataclass(frozen=True, kw_only=True)
class DixaData(WorldSettings):
    """What the organisation holds."""

    dixa_conversations: Annotated[int, Meta(ge=0, description="Conversations of Dixa.")] = 200
    dixa_odd: Annotated[
        Literal["seconds", "ahead"] | None,
        Meta(
            description="One conversation of Dixa has an odd updated_at: in seconds, or far ahead"
            " of its time. It is listed where it belongs."
        ),
    ] = None


@dataclass(kw_only=True)
class DixaOptions(DialectOptions):
    """How the API behaves."""

    dixa_bounds: Annotated[
        Literal["[)", "[]", "(]", "()"],
        Meta(
            description="Which bounds of Dixa's filters belong to the window: those in a square"
            " bracket do."
        ),
    ] = "[)"
    dixa_rate_limit: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(
            description="Requests to Dixa allowed in a window; the rest get a 429 without"
            " Retry-After. Dixa allows 10."
        ),
    ] = None
    dixa_max_rows: Annotated[
        Annotated[int, Meta(ge=0)] | None,
        Meta(description="The most rows of a response of Dixa that does not break off."),
    ] = None

    @override
    def own_limits(self) -> Iterator[Limit]:
        yield from super().own_limits()
        if self.dixa_rate_limit is not None:
            # Dixa: nothing is known of a Retry-After; connectors wait for a constant minute.
            yield Limit(count=self.dixa_rate_limit, window=self.rate_window, path=PATH)
