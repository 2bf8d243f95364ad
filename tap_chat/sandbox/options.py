"""How the sandbox behaves; changed while it runs, from Python or over HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta

from tap_chat.sandbox.declarations import joined
from tap_chat.sandbox.dialect import DialectOptions
from tap_chat.sandbox.drifts import Drift
from tap_chat.sandbox.faults import Fault
from tap_chat.sandbox.limits import Limit
from tap_chat.sandbox.registry import DIALECTS


@dataclass(kw_only=True)
class ServerOptions(DialectOptions):
    """The options of the server, whichever API it serves."""

    latency: Annotated[float, Meta(ge=0, description="Seconds before each response.")] = 0.0
    rate_limit: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(
            description="Requests allowed in a window; the rest get a 429 with an exact"
            " Retry-After."
        ),
    ] = None
    limits: Annotated[
        list[Limit], Meta(description="A further limit, as JSON; a request must pass all limits.")
    ] = field(default_factory=list)
    faults: Annotated[
        list[Fault],
        Meta(description="A fault, as JSON; of several, the first that matches a request applies."),
    ] = field(default_factory=list)
    drifts: Annotated[
        list[Drift], Meta(description="A change of a list while it is read, as JSON.")
    ] = field(default_factory=list)
    clock: Annotated[
        float,
        Meta(description="Seconds by which the server's clock is ahead; negative if it is behind."),
    ] = 0.0

    def all_limits(self) -> tuple[Limit, ...]:
        """Return the limits that these options put on requests."""
        limits = list(self.limits)
        if self.rate_limit is not None:
            limits.append(Limit(count=self.rate_limit, window=self.rate_window, reports=("exact",)))
        return (*limits, *self.own_limits())


if TYPE_CHECKING:
    from typing_extensions import override

    class Options(ServerOptions):
        """How the sandbox behaves; type checkers do not know the options of the dialects."""

        def __init__(self, **options: Any) -> None: ...  # noqa: ANN401
        def __getattr__(self, name: str) -> Any: ...  # noqa: ANN401
        @override
        def __setattr__(self, name: str, value: Any) -> None: ...
else:
    Options = joined(
        "Options",
        "How the sandbox behaves.",
        ServerOptions,
        *(dialect.options for dialect in DIALECTS),
    )
