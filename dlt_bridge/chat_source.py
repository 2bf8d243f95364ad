"""tap-chat, ready-made: `chat("freshchat")`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal

from dlt_bridge.source import singer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dlt.extract import DltSource

    from dlt_bridge.arrow.nested import Nesting


def chat(  # noqa: PLR0913 - what singer takes, too
    platform: str | Sequence[str],
    *,
    catalog: Mapping[str, Any] | None = None,
    select: Sequence[str] | None = None,
    nested: Nesting | None = None,
    hard_delete: bool | None = None,
    absent: Literal["null", "keep"] | None = None,
    on_bad_stream: Literal["fail", "skip"] | None = None,
    name: str | None = None,
    **settings: Any,  # noqa: ANN401
) -> DltSource:
    """Make a dlt source of chat platforms, read by tap-chat.

    What is not given is looked up in dlt's configuration: `sources.chat.start_date`, and for the
    platforms `sources.chat.<platform>.<setting>`, such as the table `[sources.chat.freshchat]` of
    secrets.toml, or the variable `SOURCES__CHAT__FRESHCHAT__API_KEY`::

        pipeline.run(chat("freshchat", start_date="2024-01-01", items_per_page=50))
        pipeline.run(chat(["freshchat", "dixa"], dixa={"batch_size": 7}))

    Args:
        platform: The platform, or several.
        catalog: As for `singer`.
        select: Likewise.
        nested: Likewise.
        hard_delete: Likewise.
        absent: Likewise.
        on_bad_stream: Likewise.
        name: The source's name, under which dlt keeps its state: give each account its own.
        settings: Of tap-chat (`tap-chat --about` lists them all): those of the platform, if it is
            one, by their names; those of several in a mapping for each, by its name.

    Returns:
        The source, with one resource for each stream of the platforms.

    Raises:
        BridgeError: A platform or a setting is not known, or a setting is missing or wrong.
        TapError: tap-chat failed.
    """
    # Here, so that the bridge of other taps does without tap-chat.
    from dlt_bridge.chat_config import config_of  # noqa: PLC0415

    return singer(
        [sys.executable, "-m", "tap_chat"],
        config_of([platform] if isinstance(platform, str) else platform, settings),
        catalog=catalog,
        select=select,
        nested=nested,
        hard_delete=hard_delete,
        absent=absent,
        on_bad_stream=on_bad_stream,
        name=name,
    )
