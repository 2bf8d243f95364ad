"""Every paginator and every kind of credentials reads the same rows as dlt's own `rest_api`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from parity.api import (
    CLIENT_ID,
    CLIENT_SECRET,
    PASSWORD,
    TOKEN,
    USER,
    basic,
    bearer,
    key_in_cookie,
    key_in_header,
    key_in_query,
)
from parity.loading import Both, differences

if TYPE_CHECKING:
    from collections.abc import Callable

    from parity.loading import Table
    from starlette.requests import Request

    Loaded = tuple[dict[str, Table], dict[str, Table]]

#: The number of rows: two pages and a half.
COUNT = 25

OFFSET = {"type": "offset", "limit": 10}
PAGE = {"type": "page_number", "base_page": 1}
CURSOR = {"type": "cursor", "cursor_param": "cursor"}
NO_TOTAL = {"total_path": None}
UNTIL_FALSE = {"total_path": None, "has_more_path": "has_more"}
POST = {"method": "POST", "json": {"order": "id"}}
TOP_LEVEL = {"data_selector": "$"}


@dataclass(frozen=True)
class Case:
    """A way of paging.

    Attributes:
        way: The way of the API.
        paginator: The paginator.
        endpoint: Other keys of the endpoint.
        count: The rows that are read.
    """

    way: str
    paginator: Any
    endpoint: dict[str, Any] = field(default_factory=dict)
    count: int = COUNT


PAGINATORS = {
    "offset": Case("offset", OFFSET),
    "offset, no total": Case("offset", OFFSET | NO_TOTAL),
    "offset, has_more": Case("offset", OFFSET | UNTIL_FALSE),
    "offset, a maximum": Case("offset", OFFSET | NO_TOTAL | {"maximum_offset": 20}, count=20),
    "offset in a JSON body": Case(
        "offset", OFFSET | {"offset_body_path": "offset", "limit_body_path": "limit"}, POST
    ),
    "page number": Case("page", PAGE),
    "page number, no total": Case("page", PAGE | NO_TOTAL),
    "page number, has_more": Case("page", PAGE | UNTIL_FALSE),
    "page number, a maximum": Case("page", PAGE | NO_TOTAL | {"maximum_page": 2}, count=10),
    "page number in a JSON body": Case("page", PAGE | {"page_body_path": "page"}, POST),
    "cursor": Case("cursor", CURSOR),
    "cursor, has_more": Case("cursor", CURSOR | {"has_more_path": "has_more"}),
    "cursor in a JSON body": Case("cursor", {"type": "cursor", "cursor_body_path": "cursor"}, POST),
    "cursor in a header": Case("header_cursor", {"type": "header_cursor"}),
    "link in the body": Case("json_link", {"type": "json_link", "next_url_path": "next"}),
    "link in a header": Case("link", {"type": "header_link"}, TOP_LEVEL),
    "link in a header, by name": Case("link", "header_link", TOP_LEVEL),
    "single page": Case("single", "single_page"),
    "bare array": Case("bare", {"type": "single_page"}, TOP_LEVEL),
    "auto: link in the body": Case("json_link", "auto"),
    "auto: link in a header": Case("link", "auto", TOP_LEVEL),
    "auto: cursor": Case("cursor", "auto"),
    "auto: single page": Case("single", "auto"),
}

#: The check of the API, and the credentials of the endpoint.
CREDENTIALS: dict[str, tuple[Callable[[Request], bool], dict[str, Any]]] = {
    "bearer": (bearer, {"type": "bearer", "token": TOKEN}),
    "bearer without a type": (bearer, {"token": TOKEN}),
    "key in a header": (
        key_in_header,
        {"type": "api_key", "name": "x-api-key", "api_key": TOKEN, "location": "header"},
    ),
    "key in the query": (
        key_in_query,
        {"type": "api_key", "name": "api_key", "api_key": TOKEN, "location": "query"},
    ),
    "basic": (basic, {"type": "http_basic", "username": USER, "password": PASSWORD}),
}
COOKIE = {"type": "api_key", "name": "session", "api_key": TOKEN, "location": "cookie"}

#: The resources of one declaration: the case, its way of the API, its endpoint, its rows.
CASES: dict[str, Case] = {
    **PAGINATORS,
    **{
        auth: Case("offset", OFFSET, {"auth": declared_auth})
        for auth, (_, declared_auth) in CREDENTIALS.items()
    },
}


def row(number: int, **values: Any) -> dict[str, Any]:
    return {"id": number, "text": f"number {number}", **values}


def table_of(case: str) -> str:
    """Return the name of a case's resource."""
    return "_".join(re.findall(r"[a-z]+", case.lower()))


def resource(case: str, found: Case) -> dict[str, Any]:
    """Return the declaration of a list."""
    name = table_of(case)
    endpoint = {"path": f"{found.way}/{name}", "paginator": found.paginator}
    return {
        "name": name,
        "primary_key": "id",
        "write_disposition": "merge",
        "endpoint": {"data_selector": "data"} | endpoint | found.endpoint,
    }


def has_access(request: Request) -> bool:
    """Return whether a request has the credentials that its list needs."""
    name = request.url.path.rpartition("/")[2]
    checks = {table_of(case): check for case, (check, _) in CREDENTIALS.items()}
    return name not in checks or checks[name](request)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Loaded]:
    """The tables of both loads, after each of three runs of one declaration with all cases."""
    both = Both(tmp_path_factory.mktemp("parity"))
    api, found = both.api, []
    api.access = has_access
    with api.serving():
        declaration = {
            "client": {"base_url": api.url},
            "resources": [resource(case, CASES[case]) for case in CASES],
        }
        api.lists = {table_of(case): [row(number) for number in range(COUNT)] for case in CASES}
        found.append(loaded(both, declaration))
        # The second run finds an edited row and three new ones.
        for rows in api.lists.values():
            rows[3] = row(3, text="edited")
            rows[:0] = [row(number) for number in range(100, 103)]
        found.append(loaded(both, declaration))
        # The third run finds a page less.
        for rows in api.lists.values():
            del rows[-10:]
        found.append(loaded(both, declaration))
    return found


def loaded(both: Both, declaration: dict[str, Any]) -> Loaded:
    both.load_by_dlt(declaration)
    both.load_by_tap(declaration)
    return both.tables


def report(paginator: str, auth: str, by_dlt: object, by_tap: object) -> None:
    """Print a row of the table of parity; `-rP` shows it."""
    print(f"| {paginator} | {auth} | {by_dlt} | {by_tap} |")


@pytest.mark.parametrize("case", CASES)
def test_case_reads_what_dlt_reads(runs: list[Loaded], case: str) -> None:
    name, count = table_of(case), CASES[case].count
    for number, expected in enumerate((count, count + 3, count + 3)):
        by_dlt, by_tap = ({name: tables[name]} for tables in runs[number])
        assert differences(by_dlt, by_tap) == [], f"run {number + 1}"
        assert len(by_tap[name].rows) == expected, f"run {number + 1}"
    shown = (case, "none") if case in PAGINATORS else ("offset", case)
    report(*shown, len(by_dlt[name].rows), len(by_tap[name].rows))


def test_case_has_a_table_of_its_own() -> None:
    assert len({table_of(case) for case in CASES}) == len(CASES)


def test_token_of_oauth_is_renewed(both: Both) -> None:
    api = both.api
    api.access, api.expires_in, api.delay = api.oauth, 1, 0.6
    auth = {
        "type": "oauth2_client_credentials",
        "access_token_url": f"{api.url}/token",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
    }
    api.lists["rows"] = [row(number) for number in range(COUNT)]
    rows = {"name": "rows", "primary_key": "id", "write_disposition": "merge"}
    endpoint = {"path": "cursor/rows", "data_selector": "data", "paginator": CURSOR}
    declaration = {
        "client": {"base_url": api.url, "auth": auth},
        "resources": [rows | {"endpoint": endpoint}],
    }
    both.load_by_dlt(declaration)
    by_dlt = len(api.tokens)
    assert by_dlt >= 2, "the token did not expire during the run"
    both.load_by_tap(declaration)
    assert both.compare() == {"rows": COUNT}
    assert len(api.tokens) >= 2 * by_dlt
    report("cursor", "OAuth 2.0, renewed", COUNT, COUNT)


def test_key_in_a_cookie_is_sent_which_dlt_cannot(both: Both) -> None:
    """dlt 1.31 has the location `cookie` in its format, and raises NotImplementedError."""
    both.api.access = key_in_cookie
    both.api.lists["offset"] = [row(number) for number in range(COUNT)]
    resources = [resource("offset", PAGINATORS["offset"])]
    client = {"base_url": both.api.url, "auth": COOKIE}
    both.load_by_tap({"client": client, "resources": resources})
    found = both.by_tap["offset"].rows
    assert sorted(row["id"] for row in found) == list(range(COUNT))
    report("offset", "key in a cookie", "not implemented", len(found))
