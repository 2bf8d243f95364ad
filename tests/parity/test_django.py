"""An API of Django REST framework, by each of its paginations, as dlt's `rest_api` reads it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import requests
from interop.environments import program
from peers import free_port, started

if TYPE_CHECKING:
    from collections.abc import Iterator

    from parity.loading import Both

SCRIPT = Path(__file__).parent / "django_api.py"
COUNT = 23
LINK = {"type": "json_link", "next_url_path": "next"}
#: The path, and other keys of the endpoint. The page after the last one is not found.
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "offset": ("offset", {"paginator": {"type": "offset", "limit": 10, "total_path": "count"}}),
    "offset_by_links": ("offset", {"paginator": LINK}),
    "page_by_links": ("page", {"paginator": LINK}),
    "page_until_not_found": (
        "page",
        {
            "paginator": {"type": "page_number", "base_page": 1, "total_path": None},
            "response_actions": [{"status_code": 404, "action": "ignore"}],
        },
    ),
    "cursor_by_links": ("cursor", {"paginator": LINK}),
    "auto": ("page", {"paginator": "auto"}),
}


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """The URL of an API with some messages."""
    folder, port = tmp_path / "django", free_port()
    folder.mkdir()
    python = program("django-rest-framework", "python")
    root = f"http://127.0.0.1:{port}"
    with started([python, str(SCRIPT), str(port), "db.sqlite"], f"{root}/page", folder):
        write(root, COUNT)
        yield root


def write(url: str, count: int) -> None:
    """Write messages."""
    with requests.Session() as session:
        for number in range(count):
            session.post(f"{url}/page", json={"text": f"text {number}"}).raise_for_status()


def test_each_pagination_reads_what_dlt_reads(url: str, both: Both) -> None:
    resources = [
        {
            "name": name,
            "primary_key": "id",
            "write_disposition": "merge",
            "endpoint": {"path": path, "data_selector": "results", **endpoint},
        }
        for name, (path, endpoint) in CASES.items()
    ]
    declaration = {"client": {"base_url": url}, "resources": resources}
    assert both.load(declaration) == dict.fromkeys(CASES, COUNT)
    for count in (COUNT + 3, COUNT + 6):
        write(url, 3)
        assert both.load(declaration) == dict.fromkeys(CASES, count)
