"""The recipes of the documentation load what the API has, with tap-chat and with dlt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from pages.blocks import ROOT, blocks
from ruamel.yaml import YAML

if TYPE_CHECKING:
    from parity.loading import Both

NAMES = ("offset.yaml", "pages.yaml", "links.yaml", "cursor.yaml", "children.yaml")
#: The recipes by their files.
RECIPES = {
    block.file: block.text
    for block in blocks(ROOT / "docs" / "your-own-api.md")
    if block.file in NAMES
}
#: How the API of the tests pages, by the type of the paginator.
WAYS = {"offset": "offset", "page_number": "page", "header_link": "link", "cursor": "cursor"}


def test_there_are_five_recipes() -> None:
    assert tuple(RECIPES) == NAMES


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_loads_every_record_in_each_run(
    both: Both, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_TOKEN", "made-up")
    declaration: dict[str, Any] = YAML(typ="safe").load(RECIPES[name])
    declaration["client"]["base_url"] = f"{both.api.url}/"
    for resource in declaration["resources"]:
        endpoint = resource["endpoint"]
        paginator = endpoint["paginator"]
        kind = paginator if isinstance(paginator, str) else paginator["type"]
        endpoint["path"] = f"{WAYS[kind]}/{endpoint['path']}"
        resource["write_disposition"] = "merge"
    for count in (120, 121, 130):
        rows = [{"id": number, "text": f"text {number}"} for number in range(count)]
        both.api.lists = dict.fromkeys(("rooms", "users", "teams", "events"), rows)
        # The other rooms are deleted.
        both.api.lists |= {f"rooms/{room}/messages": rows[room:count:3] for room in (0, 1, 2)}
        loaded = both.load(declaration)
        assert set(loaded.values()) == {count}
        assert len(loaded) == len(declaration["resources"])
