"""The shipped declarations are valid for dlt: its `rest_api` and the tap load the same tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from parity.loading import Both
from shipped.facts import SHIPPED

from tap_chat.sandbox import Sandbox

if TYPE_CHECKING:
    from pathlib import Path

#: A name that the bridge keeps, and dlt's own source does not.
APART = [
    f"conversations.{path}__{name}"
    for path in ("custom_attributes", "additional_attributes__browser")
    for name in ("größe", "gr_e")
]
LATER = datetime(2026, 2, 20, tzinfo=UTC)


@pytest.mark.parametrize("name", SHIPPED)
def test_both_load_the_same(tmp_path: Path, name: str) -> None:
    facts, both = SHIPPED[name], Both(tmp_path)
    streams = facts.document.get("streams", {})
    with Sandbox(facts.world) as sandbox:
        for now in (sandbox.world.now, LATER):
            sandbox.world = replace(sandbox.world, now=now)
            found = both.load(
                facts.declaration(sandbox),
                streams=streams,
                apart=APART,
                next_link_hosts=facts.link_hosts(sandbox),
            )
            for stream, rows in facts.truth(sandbox.world).items():
                assert found[stream.removeprefix(facts.prefix)] == len(rows), stream
