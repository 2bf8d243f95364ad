"""The settings of Dixa in the sandbox: its data, and how its exports API behaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import Meta
from typing_extensions import override

from tap_chat.sandbox.dialect import DialectOptions, WorldSettings
from tap_chat.sandbox.limits import Limit

if TYPE_CHECKING:
    from collections.abc import Iterator

PATHS = ("/v1/conversation_export", "/v1/message_export")
#: The paths of the main API.
MAIN_PATHS = (
    "/v1/agents",
    "/v1/endusers",
    "/v1/queues",
    "/v1/teams",
    "/v1/tags",
    "/v1/custom-attributes",
    "/v1/conversations/activitylog",
    "/v1/conversations/{id:int}/ratings",
    "/v1/conversations/{id:int}/notes",
)
#: Both exports have one rate limit.
SHARED_PATH = "_export"


@dataclass(frozen=True, kw_only=True)
class DixaData(WorldSettings):
    """What the organisation holds."""

    dixa_conversations: Annotated[int, Meta(ge=0, description="Conversations of Dixa.")] = 200
    dixa_quiet: Annotated[
        int,
        Meta(
            ge=0,
            description="About one conversation of Dixa in this many has messages that are edited"
            " a day after its last change, and its updated_at stays; 0 for none.",
        ),
    ] = 0
    dixa_odd: Annotated[
        Literal["seconds", "ahead"] | None,
        Meta(
            description="One conversation of Dixa has a wrong updated_at: in seconds, or far in the"
            " future. It is listed at its true time."
        ),
    ] = None
    dixa_end_users: Annotated[int, Meta(ge=0, description="End users of Dixa's main API.")] = 40


@dataclass(kw_only=True)
class DixaOptions(DialectOptions):
    """How the API behaves."""

    dixa_bounds: Annotated[
        Literal["[)", "[]", "(]", "()"],
        Meta(
            description="Which bounds of Dixa's filters belong to the window: square brackets"
            " include a bound, round ones exclude it."
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
        Meta(description="Responses of Dixa with more rows than this break off."),
    ] = None

    dixa_created_of: Annotated[
        Literal["message", "conversation"],
        Meta(description="Whose time the created filter of Dixa's message export compares."),
    ] = "message"
    dixa_most_csids: Annotated[
        int, Meta(ge=0, description="The most ids that csids of Dixa may name; more get a 422.")
    ] = 10

    dixa_main_token: Annotated[
        str, Meta(description="The token of Dixa's main API; empty for that of the exports.")
    ] = ""
    dixa_order: Annotated[
        Literal["newest", "oldest"],
        Meta(description="Which rows of Dixa's main API come first."),
    ] = "newest"
    dixa_page_key: Annotated[
        Literal["page", "filters"],
        Meta(
            description="What a page key of Dixa stands for: the number and size of a page, or the"
            " filters of the list, too."
        ),
    ] = "page"
    dixa_page_limit: Annotated[
        Literal["capped", "refused"],
        Meta(description="What Dixa does with a larger page size than its maximum."),
    ] = "capped"
    dixa_links: Annotated[
        Literal["placeholder", "path", "always"],
        Meta(
            description="Dixa's links to the next page: with `<api-version>` as the documents show"
            " them, with a path, or with a path and after the last page, too."
        ),
    ] = "placeholder"

    @override
    def own_limits(self) -> Iterator[Limit]:
        yield from super().own_limits()
        if self.dixa_rate_limit is not None:
            # Whether Dixa sends Retry-After is unknown: connectors always wait for a minute.
            yield Limit(count=self.dixa_rate_limit, window=self.rate_window, path=SHARED_PATH)
