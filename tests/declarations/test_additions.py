"""What the format of dlt can't say is next to a declaration."""

from __future__ import annotations

from typing import Any

import pytest
from singer_sdk.exceptions import ConfigValidationError

from tap_chat.declarations.additions import Additions, read_additions
from tap_chat.declarations.problems import Problems

NAMES = ["events", "conversations"]


def test_additions_are_read_by_resource() -> None:
    raw = {"events": {"next_link_hosts": ["b.example.com"]}, "conversations": {}}
    problems = Problems("rest.front")
    found = read_additions(raw, NAMES, problems)
    problems.raise_if_any()
    assert found == {
        "events": Additions(next_link_hosts=["b.example.com"]),
        "conversations": Additions(),
    }


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (
            {"event": {}},
            "rest.front: `streams.event` is not a resource. Did you mean `events`?",
        ),
        (
            {"events": {"next_link_host": "a"}},
            "`streams.events.next_link_host` is not an addition. Did you mean `next_link_hosts`?",
        ),
        (
            {"events": {"next_link_hosts": "a"}},
            "rest.front: `streams.events.next_link_hosts` must be a list.",
        ),
        ({"events": 7}, "rest.front: `streams.events` must be an object."),
    ],
)
def test_wrong_addition_has_a_sentence(raw: dict[str, Any], sentence: str) -> None:
    problems = Problems("rest.front")
    read_additions(raw, NAMES, problems)
    with pytest.raises(ConfigValidationError) as error:
        problems.raise_if_any()
    assert sentence in str(error.value)
