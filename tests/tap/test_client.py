"""The client fills and quotes paths, sends bodies, and gives the whole response to its reader."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, unquote

import pytest
from serving import Server
from singer_sdk.authenticators import APIKeyAuthenticator
from starlette.responses import JSONResponse, PlainTextResponse
from typing_extensions import override

from tap_chat.http.api_rules import ApiRules
from tap_chat.http.client import Client
from tap_chat.http.errors import MissingError, RequestError
from tap_chat.http.failures import Remedies
from tap_chat.http.rate_limits.throttle import Throttle
from tap_chat.http.request import Request
from tap_chat.http.transport import Transport
from tap_chat.platforms.messages import PLATFORM
from tap_chat.platforms.messages.settings import MessagesSettings
from tap_chat.platforms.messages.streams import ChatMessages
from tap_chat.streams.child import ChildStream
from tap_chat.tap import TapChat

if TYPE_CHECKING:
    from collections.abc import Iterator

    from singer_sdk.helpers.types import Context
    from starlette.requests import Request as Received

    from tap_chat.http.responses import Response
    from tap_chat.streams.stream import ChatStream

REMEDIES = Remedies("chat", "the setting chat.api_url", "The key is wrong.", "The key may not.")
#: Keys with all that has a meaning in a URL.
KEYS = ["a/b", "a?b=c", "a#b", "a%2Fb", "100%", "a b", "a+b", "é😀", "a&b=c;d", "{id}", "../x", "~"]


def client(url: str, **options: Any) -> Client:
    settings = MessagesSettings(api_url=url, api_key="k", max_outage=0)
    return Client(
        settings=settings,
        throttle=Throttle(None, workers=1, max_wait=0, name="chat"),
        transport=Transport(1),
        remedies=REMEDIES,
        subject="Stream chat_messages: ",
        user_agent="test/1",
        sign=lambda request: request,
        **options,
    )


def whole(response: Response) -> Response:
    return response


def raw_path(request: Received) -> str:
    path: bytes = request.scope["raw_path"]
    return path.decode()


@pytest.mark.parametrize("key", KEYS)
def test_value_is_quoted_and_stays_one_segment_of_the_path(key: str) -> None:
    with Server(lambda _: {}) as api:
        url = f"{api.url}/users/{{user_id}}/notes"
        client(api.url).send(Request(url, path_params={"user_id": key, "other": 1}), whole)
    [request] = api.requests
    assert raw_path(request).count("/") == 3
    assert unquote(raw_path(request).split("/")[2]) == key
    assert request.url.query == ""


@pytest.mark.parametrize("value", [None, "", ".", ".."])
def test_placeholder_without_a_usable_value_is_an_error_that_is_not_sent(value: Any) -> None:
    request = Request("http://127.0.0.1:9/users/{user_id}", path_params={"user_id": value})
    with pytest.raises(RequestError) as failure:
        client("http://127.0.0.1:9").send(request, whole, missing={404})
    assert str(failure.value).startswith(
        "Stream chat_messages: GET http://127.0.0.1:9/users/{user_id} has "
    )
    assert "for {user_id} in its path" in str(failure.value)


@pytest.mark.parametrize(
    ("body", "content", "content_type"),
    [
        ({"a": [1, "é"]}, b'{"a":[1,"\xc3\xa9"]}', "application/json"),
        ([], b"[]", "application/json"),
        (b"\x00raw", b"\x00raw", None),
        ("text é", "text é".encode(), None),
    ],
)
@pytest.mark.parametrize("proxied", [False, True])
def test_body_arrives_as_it_was_given(
    monkeypatch: pytest.MonkeyPatch,
    body: Any,
    content: bytes,
    content_type: str | None,
    proxied: Any,
) -> None:
    with Server(lambda _: {}) as api:
        url = api.url
        if proxied:
            monkeypatch.setenv("http_proxy", api.url)
            url = "http://api.invalid"
        client(url).send(Request(f"{url}/search", "POST", body=body), whole)
    assert posted(api) == [(content, content_type)]


def test_parameters_repeat_for_lists_and_are_left_out_for_none() -> None:
    with Server(lambda _: {}) as api:
        request = Request(f"{api.url}/x?fixed=1", params={"a": [1, 2], "b": None, "c": "d e"})
        client(api.url).send(request.with_params({"c": "f&g"}), whole)
    assert api.requests[0].url.query == "fixed=1&a=1&a=2&c=f%26g"


def test_lone_surrogate_in_a_parameter_is_sent_as_in_a_path() -> None:
    """JSON allows lone surrogates, so a cursor may hold one."""
    with Server(lambda _: {}) as api:
        url = f"{api.url}/users/{{user_id}}"
        request = Request(url, path_params={"user_id": "\ud800"}, params={"cursor": "\ud800"})
        client(api.url).send(request, whole)
    [received] = api.requests
    assert raw_path(received) == "/users/%ED%A0%80"
    assert received.scope["query_string"] == b"cursor=%ED%A0%80"


def test_read_function_gets_the_headers_of_the_response() -> None:
    with Server(lambda _: JSONResponse([], headers={"Link": "<x>; rel=next"})) as api:
        response = client(api.url).send(Request(api.url), whole)
    assert response.headers["link"] == "<x>; rel=next"
    assert (response.status, bytes(response.body), response.rest) == (200, b"[]", None)


def test_404_that_is_not_that_of_the_api_ends_with_what_to_check() -> None:
    with (
        Server(lambda _: PlainTextResponse("no backend", 404)) as api,
        pytest.raises(RequestError) as end,
    ):
        client(api.url, rules=ApiRules(is_api_error=lambda _: False)).send(
            Request(api.url), whole, missing={404}
        )
    assert "returned 404 Not Found, but not as the API does" in str(end.value)
    assert REMEDIES.address in str(end.value)


def test_expected_status_is_a_missing_error() -> None:
    with Server(lambda _: JSONResponse({}, 416)) as api:
        with pytest.raises(MissingError) as missing:
            client(api.url).send(Request(api.url), whole, missing={404, 416})
        with pytest.raises(RequestError, match="returned 416"):
            client(api.url).send(Request(api.url), whole, missing={404})
    assert missing.value.status == 416


def posted(api: Server) -> list[tuple[bytes, str | None]]:
    """Return the body of each POST, and its type."""
    return [
        (body, request.headers.get("Content-Type"))
        for request, body in zip(api.requests, api.bodies, strict=True)
        if request.method == "POST"
    ]


class Notes(ChildStream):
    """A child stream that declares its path, and nothing else of its requests."""

    name = "notes"
    section = "chat"
    remedies = REMEDIES
    parent_stream_type = ChatMessages
    path = "/messages/{message_id}/notes"
    records_path = "data"
    primary_keys = ("id",)
    schema: ClassVar[dict[str, Any]] = {
        "type": "object",
        "properties": {"id": {"type": "string"}},
    }

    @property
    @override
    def authenticator(self) -> Any:
        return APIKeyAuthenticator(key="api_key", value="k", location="params")


class Searches(Notes):
    """A child stream that asks by a POST with JSON."""

    name = "searches"
    path = "/search"
    http_method = "POST"

    @override
    def prepare_request_payload(self, context: Context | None, next_page_token: Any) -> Any:
        return {"message": (context or {})["message_id"], "limits": [2, 3]}


class Forms(Searches):
    """A child stream that asks by a POST with a form."""

    name = "forms"
    payload_as_json = False


class Lost(Notes):
    """A child stream whose path has a name that no context gives."""

    name = "lost"
    path = "/conversations/{conversation_id}"


def contexts(_: ChatStream, record: Any, context: object) -> Iterator[Context]:  # noqa: ARG001
    yield {"message_id": record["id"]}


def sync(monkeypatch: pytest.MonkeyPatch, url: str, child: type[ChatStream]) -> None:
    """Sync the messages, which lead to a child stream."""
    monkeypatch.setattr(ChatMessages, "generate_child_contexts", contexts)
    platform = replace(PLATFORM, streams=(ChatMessages, child))
    monkeypatch.setattr("tap_chat.platforms.configured.PLATFORMS", (platform,))
    section = {"api_url": url, "api_key": "k", "paging": "none"}
    TapChat(config={"chat": section, "max_workers": 4}).sync_all()


def answer(request: Received) -> Any:
    if request.url.path == "/v1/messages":
        return {"data": [{"id": key} for key in KEYS]}
    return {"data": [{"id": raw_path(request)}]}


def test_child_that_declares_only_a_path_is_read_for_each_parent(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with Server(answer) as api:
        sync(monkeypatch, api.url, Notes)
    paths = sorted(raw_path(request) for request in api.requests[1:])
    segments = [path.removeprefix("/messages/").removesuffix("/notes") for path in paths]
    assert sorted(map(unquote, segments)) == sorted(KEYS)
    messages = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    notes = [
        message["record"]["id"]
        for message in messages
        if message.get("stream") == "notes" and message["type"] == "RECORD"
    ]
    assert sorted(notes) == paths


def test_placeholder_without_a_value_ends_the_run_and_skips_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Server(answer) as api:
        error = r"^Stream lost: GET .*/conversations/\{conversation_id\} has no value for \{conv"
        with pytest.raises(RequestError, match=error):
            sync(monkeypatch, api.url, Lost)
    assert [request.url.path for request in api.requests] == ["/v1/messages"]


@pytest.mark.parametrize(
    ("child", "content_type"),
    [(Searches, "application/json"), (Forms, "application/x-www-form-urlencoded")],
)
def test_child_that_posts_sends_its_body(
    monkeypatch: pytest.MonkeyPatch, child: type[ChatStream], content_type: str
) -> None:
    with Server(answer) as api:
        sync(monkeypatch, api.url, child)
    assert {kind for _, kind in posted(api)} == {content_type}
    contents = [body for body, _ in posted(api)]
    assert len(contents) == len(KEYS)
    if child is Searches:
        bodies = [json.loads(body) for body in contents]
        assert sorted(body["message"] for body in bodies) == sorted(KEYS)
        assert bodies[0]["limits"] == [2, 3]
    else:
        bodies = [parse_qs(body.decode()) for body in contents]
        assert sorted(body["message"][0] for body in bodies) == sorted(KEYS)
        assert bodies[0]["limits"] == ["2", "3"]
