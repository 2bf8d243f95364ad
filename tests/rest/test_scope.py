"""Which changes of a declaration lead to other records, so that a bookmark no longer counts."""

from __future__ import annotations

from typing import Any

import pytest

from tap_chat.declarations.reading import read_declaration
from tap_chat.platforms.rest.scope import scope_of


def scope(endpoint: dict[str, Any], token: str = "a") -> str:
    """Return the scope of a list."""
    endpoint = {"path": "rows?token=${TOKEN}", "method": "POST"} | endpoint
    declaration = {
        "client": {"base_url": "https://api.example.com"},
        "resources": [{"name": "rows", "endpoint": endpoint}],
    }
    source = read_declaration(declaration, name="rest.x", environ={"TOKEN": f"{token}-secret"})
    return scope_of(source.readings[0], source.secrets)


@pytest.mark.parametrize(
    "change",
    [
        {"path": "others"},
        {"method": "GET"},
        {"params": {"kind": "open"}},
        {"json": {"kind": "open"}},
        {"data": {"kind": "open"}},
        {"data_selector": "rows"},
        {"incremental": {"cursor_path": "at"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_a_request_asks_for_is_in_the_scope(change: dict[str, Any]) -> None:
    assert scope(change) != scope({})


def test_a_renewed_secret_is_not_in_the_scope() -> None:
    assert scope({}, "a") == scope({}, "b")


def test_how_a_list_is_paged_is_not_in_the_scope() -> None:
    assert scope({"paginator": "single_page"}) == scope({})
