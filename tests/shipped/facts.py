"""Facts about each shipped declaration, for the tests of all of them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

import tap_chat.platforms
from tap_chat.sandbox import DIALECTS, World

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_chat.sandbox import Sandbox

FOLDER = Path(tap_chat.platforms.__file__).parent


@dataclass(frozen=True)
class Shipped:
    """A shipped declaration.

    Attributes:
        name: The name of the platform.
        sizes: Settings of a world in which its lists have several pages.
        paths: A part of the path of some requests, for faults, and how many of them come first.
        limit: Options of the sandbox with a rate limit that a run meets.
    """

    name: str
    sizes: Mapping[str, Any]
    paths: Mapping[str, int]
    limit: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def world(self) -> World:
        """A world in which its lists have several pages. It keeps its rows."""
        return World(**self.sizes)

    @property
    def prefix(self) -> str:
        """The beginning of the names of its streams."""
        return f"{self.name}_"

    def truth(self, world: World) -> dict[str, list[dict[str, Any]]]:
        """Return the rows that each of its streams must bring."""
        return dict(world.accounts[self.name].truth)

    @cached_property
    def document(self) -> dict[str, Any]:
        """The file."""
        text = (FOLDER / f"{self.name}.yaml").read_text(encoding="utf-8")
        document: dict[str, Any] = YAML(typ="safe").load(text)
        return document

    def section(self, sandbox: Sandbox) -> dict[str, Any]:
        """Return its section in the config, without what has a default."""
        dialect = next(dialect for dialect in DIALECTS if dialect.name == self.name)
        return dialect.config_of(sandbox.url, sandbox.world)

    @property
    def secret(self) -> str:
        """The name of the setting with the credential."""
        settings: dict[str, Any] = self.document["settings"]
        [name] = [name for name, about in settings.items() if about.get("secret")]
        return name

    def link_hosts(self, sandbox: Sandbox) -> list[str]:
        """Return the hosts that links may lead to, with the values of its settings."""
        hosts = self.document.get("next_link_hosts", [])
        filled: list[str] = _filled(hosts, self.section(sandbox))
        return filled

    def declaration(self, sandbox: Sandbox) -> dict[str, Any]:
        """Return the part of the file that is a declaration, with the values of its settings."""
        settings = {name: about.get("default") for name, about in self.document["settings"].items()}
        filled: dict[str, Any] = _filled(
            self.document["declaration"], settings | self.section(sandbox)
        )
        return filled


def _filled(value: Any, settings: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(item, settings) for name, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, settings) for item in value]
    if isinstance(value, str):
        return re.sub(r"\$\{(\w+)\}", lambda match: str(settings[match[1]]), value)
    return value


SHIPPED = {
    facts.name: facts
    for facts in (
        Shipped(
            name="intercom",
            sizes={"intercom_conversations": 230, "intercom_contacts": 170, "intercom_parts": 520},
            paths={
                "/intercom/conversations/search": 1,
                "/intercom/conversations/2": 20,
                "/intercom/contacts/search": 1,
                "/intercom/teams": 0,
            },
            limit={"intercom_rate_limit": 200},
        ),
        Shipped(
            name="chatwoot",
            sizes={
                "chatwoot_conversations": 90,
                "chatwoot_contacts": 70,
                "chatwoot_messages": 230,
            },
            paths={
                "/3/conversations": 1,
                "/messages": 20,
                "/contacts": 1,
                "/teams": 0,
            },
            limit={"chatwoot_rate_limit": 150, "rate_window": 3.0},
        ),
        Shipped(
            name="gorgias",
            sizes={"gorgias_tickets": 250},
            paths={
                "/gorgias/api/tickets": 1,
                "/gorgias/api/messages": 2,
                "/gorgias/api/customers": 0,
                "/gorgias/api/satisfaction-surveys": 0,
            },
            limit={"gorgias_rate_limit": 10},
        ),
        Shipped(
            name="front",
            sizes={"front_conversations": 30, "front_deleted": 0.1},
            paths={
                "/front/events": 2,
                "/messages": 10,
                "/comments": 10,
                "/front/contacts": 0,
            },
            limit={"front_tier_limit": 15},
        ),
    )
}
