"""Which responses of a declared API are ignored."""

from __future__ import annotations

import pytest

from tap_chat.declarations.format import ResponseAction
from tap_chat.http.responses import Response
from tap_chat.platforms.rest.responses import ignored_by, remedies_of


def action(**keys: object) -> ResponseAction:
    return ResponseAction(action="ignore", **keys)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("actions", "status", "body", "is_ignored"),
    [
        ([], 404, b"", False),
        ([], 204, b"", True),
        ([action(status_code=404)], 404, b"", True),
        ([action(status_code=404)], 403, b"", False),
        ([action(content="no such room")], 200, b'{"error": "no such room"}', True),
        ([action(content="no such room")], 200, b'{"rooms": []}', False),
        ([action(status_code=400, content="é")], 400, "é".encode(), True),
        ([action(status_code=400, content="é")], 404, "é".encode(), False),
        ([action(status_code=400, content="é")], 400, b"\xe9", False),
        ([action(status_code=404), action(status_code=410)], 410, b"", True),
        ([action()], 500, b"", False),
    ],
)
def test_response_is_ignored(
    actions: list[ResponseAction], status: int, body: bytes, *, is_ignored: bool
) -> None:
    assert ignored_by(actions)(Response(status, {}, body)) is is_ignored


@pytest.mark.parametrize("status", [404, 410])
def test_remedy_names_the_action_that_ignores_the_status(status: int) -> None:
    remedy = remedies_of("rest.matrix").of_status(status, None)
    assert f"response_actions: [{{status_code: {status}, action: ignore}}]." in remedy


def test_remedy_of_a_request_that_the_api_does_not_understand_is_curl() -> None:
    assert remedies_of("rest.matrix").of_status(400, None).startswith("Send the same request with")
