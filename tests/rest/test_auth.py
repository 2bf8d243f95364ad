"""Requests are signed as a declaration says, and access tokens are renewed in time."""

from __future__ import annotations

import threading
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from serving import Server
from starlette.responses import JSONResponse

from tap_chat.declarations.format import ApiKeyAuth, BearerAuth, HttpBasicAuth, OAuth2Auth
from tap_chat.http.access_tokens import AccessTokens
from tap_chat.http.api_rules import ApiRules
from tap_chat.http.client import Client
from tap_chat.http.errors import IgnoredError, RequestError
from tap_chat.http.failures import Remedies
from tap_chat.http.rate_limits.throttle import Throttle
from tap_chat.http.request import Request
from tap_chat.http.transport import Transport
from tap_chat.platforms.messages.settings import MessagesSettings
from tap_chat.platforms.rest.auth import authenticator_of
from tap_chat.singer.progress import Progress
from tap_chat.streams.fan_out import FanOut
from tap_chat.streams.session import API, Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request as Received
    from starlette.responses import Response as Sent

    from tap_chat.declarations.format import Auth
    from tap_chat.http.responses import Response

REMEDIES = Remedies("rest.x", "`client.base_url`", "The token is wrong.", "The token may not.")


def session(url: str) -> Session:
    return Session(
        settings=MessagesSettings(api_url=url, api_key="k", max_outage=0),
        apis={"": API(url, Throttle(None, workers=4, max_wait=0, name="rest.x"))},
        start_date=None,
        end_date=datetime.now(UTC),
        user_agent="test/1",
        transport=Transport(4),
        fan_out=FanOut(1),
        progress=Progress(),
        write_state=lambda _: None,
    )


def client(url: str, auth: Auth | None, shared: Session | None = None) -> Client:
    shared = shared or session(url)
    sign = authenticator_of(auth, shared, "rest.x")
    renewed = sign.is_renewed_after if isinstance(sign, AccessTokens) else lambda *_: False
    return Client(
        settings=shared.settings,
        throttle=shared.apis[""].throttle,
        transport=shared.transport,
        remedies=REMEDIES,
        subject="Stream x_rooms: ",
        user_agent="test/1",
        sign=sign,
        rules=ApiRules(is_renewed_after=renewed),
    )


def status_of(response: Response) -> int:
    return response.status


def basic(username: str, password: str) -> Callable[[Received], bool]:
    def has(request: Received) -> bool:
        scheme, _, pair = request.headers["Authorization"].partition(" ")
        return (scheme, b64decode(pair).decode()) == ("Basic", f"{username}:{password}")

    return has


@pytest.mark.parametrize(
    ("auth", "is_signed"),
    [
        (None, lambda r: "Authorization" not in r.headers),
        (BearerAuth(token="t0"), lambda r: r.headers["Authorization"] == "Bearer t0"),
        (ApiKeyAuth(api_key="k0"), lambda r: r.headers["Authorization"] == "k0"),
        (ApiKeyAuth(api_key="k0", name="X-Key"), lambda r: r.headers["X-Key"] == "k0"),
        (
            ApiKeyAuth(api_key="k&0", name="key", location="query"),
            lambda r: r.url.query == "a=1&key=k%260",
        ),
        (
            ApiKeyAuth(api_key="k0", name="key", location="param"),
            lambda r: r.query_params["key"] == "k0",
        ),
        (
            ApiKeyAuth(api_key="k 0", name="sid", location="cookie"),
            lambda r: r.headers["Cookie"] == "sid=k%200",
        ),
        (HttpBasicAuth(username="ü", password="p:q"), basic("ü", "p:q")),
    ],
)
def test_request_is_signed(auth: Auth | None, is_signed: Callable[[Received], bool]) -> None:
    with Server(lambda _: []) as api:
        sender = client(api.url, auth)
        for _ in range(2):
            sender.send(Request(f"{api.url}/rooms", params={"a": 1}), status_of)
    assert all(map(is_signed, api.requests))


class Issuer:
    """An API that issues access tokens, and takes the last one.

    Args:
        seconds: The seconds for which a token is valid, as the response says; None to say nothing.
        status: The status of the response with a token.
    """

    def __init__(self, seconds: Any = 3600, status: int = 200) -> None:
        self.issued = 0
        self._seconds = seconds
        self._status = status
        self._valid = ""
        self._lock = threading.Lock()

    def __call__(self, request: Received) -> Sent | list[Any]:
        with self._lock:
            if request.url.path == "/token":
                self.issued += 1
                self._valid = f"t{self.issued}"
                body = {"access_token": self._valid, "expires_in": self._seconds}
                if self._seconds is None:
                    del body["expires_in"]
                return JSONResponse(body, self._status)
            if request.headers["Authorization"] != f"Bearer {self._valid}":
                return JSONResponse({}, 401)
            return []

    def revoke(self) -> None:
        """Accept no token that was issued so far."""
        self._valid = "none"


def oauth2(url: str, **options: Any) -> OAuth2Auth:
    return OAuth2Auth(
        access_token_url=f"{url}/token", client_id="c&1", client_secret="s3cret", **options
    )


def test_access_token_is_requested_once_for_all_streams_and_threads() -> None:
    issuer = Issuer()
    with Server(issuer) as api:
        shared = session(api.url)
        auth = oauth2(api.url, access_token_request_data={"scope": "chats", "audience": "a b"})
        senders = [client(api.url, auth, shared) for _ in range(2)]
        with ThreadPoolExecutor(4) as threads:
            sent = [
                threads.submit(sender.send, Request(f"{api.url}/x"), status_of)
                for sender in senders * 4
            ]
            assert [future.result() for future in sent] == [200] * 8
    assert issuer.issued == 1
    bodies = [
        body
        for request, body in zip(api.requests, api.bodies, strict=True)
        if request.url.path == "/token"
    ]
    assert [parse_qs(body.decode()) for body in bodies] == [
        {
            "client_id": ["c&1"],
            "client_secret": ["s3cret"],
            "grant_type": ["client_credentials"],
            "scope": ["chats"],
            "audience": ["a b"],
        }
    ]


def test_each_scope_has_an_access_token_of_its_own() -> None:
    issuer = Issuer()
    with Server(issuer) as api:
        shared = session(api.url)
        for scope in ("chats", "users"):
            auth = oauth2(api.url, access_token_request_data={"scope": scope})
            client(api.url, auth, shared).send(Request(f"{api.url}/x"), status_of)
    forms = [parse_qs(body.decode()) for body in api.bodies if body]
    assert [form["scope"] for form in forms] == [["chats"], ["users"]]


def test_a_late_response_to_an_older_token_does_not_keep_the_current_one() -> None:
    issuer = Issuer()
    with Server(issuer) as api:
        tokens = authenticator_of(oauth2(api.url), session(api.url), "rest.x")
        assert isinstance(tokens, AccessTokens)
        older = tokens(Request(api.url).prepare(api.url, {}))
        assert tokens.is_renewed_after(older, 200) is False
        assert tokens.is_renewed_after(older, 401)
        current = tokens(Request(api.url).prepare(api.url, {}))
        tokens.is_renewed_after(current, 200)
        tokens.is_renewed_after(older, 200)
        assert tokens.is_renewed_after(current, 401)


@pytest.mark.parametrize(
    ("seconds", "default", "renewed_after"),
    [(3600, 10, 3570), ("3600", 10, 3570), (20, 10, 10), (None, 100, 70), ("soon", 100, 70)],
)
def test_access_token_is_renewed_before_it_expires(
    seconds: Any, default: int, renewed_after: float
) -> None:
    issuer, now = Issuer(seconds), [0.0]
    with Server(issuer) as api:
        tokens = authenticator_of(oauth2(api.url), session(api.url), "rest.x")
        assert isinstance(tokens, AccessTokens)
        tokens = AccessTokens(
            tokens.client, tokens.request, default_seconds=default, clock=lambda: now[0]
        )
        for time, issued in ((0, 1), (renewed_after - 1, 1), (renewed_after, 2)):
            now[0] = time
            tokens(Request(api.url).prepare(api.url, {}))
            assert issuer.issued == issued


def test_revoked_access_token_is_renewed_and_the_request_sent_again() -> None:
    issuer = Issuer()
    with Server(issuer) as api:
        sender = client(api.url, oauth2(api.url))
        for issued in (1, 2, 3):
            assert sender.send(Request(f"{api.url}/x"), status_of) == 200
            assert issuer.issued == issued
            issuer.revoke()


def test_given_access_token_is_used_until_it_is_refused() -> None:
    issuer = Issuer()
    with Server(issuer) as api:
        sender = client(api.url, oauth2(api.url, access_token="old"))
        assert sender.send(Request(f"{api.url}/x"), status_of) == 200
    assert [request.url.path for request in api.requests] == ["/x", "/token", "/x"]


def test_access_token_that_the_api_never_accepts_ends_the_run() -> None:
    def refuse(request: Received) -> Sent | dict[str, Any]:
        return {"access_token": "t"} if request.url.path == "/token" else JSONResponse({}, 401)

    with Server(refuse) as api, pytest.raises(RequestError) as end:
        client(api.url, oauth2(api.url)).send(Request(f"{api.url}/x"), status_of)
    assert str(end.value).endswith("/x returned 401 Unauthorized. The token is wrong.")
    assert len(api.requests) == 2


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"error": "invalid_client"}, 401, "Check `client_id` and `client_secret`"),
        ({"error": "invalid_client"}, 400, "Check `client_id` and `client_secret`"),
        ({"error": "s3cret"}, 200, "returned no `access_token`. Check `access_token_url`"),
        ({}, 404, "returned 404 Not Found. Check `access_token_url`"),
        ({}, 503, "returned 503 Service Unavailable."),
    ],
)
def test_access_token_that_is_not_issued_is_one_sentence(
    body: dict[str, Any], status: int, words: str
) -> None:
    with Server(lambda _: JSONResponse(body, status)) as api, pytest.raises(RequestError) as end:
        client(api.url, oauth2(api.url)).send(Request(f"{api.url}/x"), status_of)
    assert words in str(end.value)
    assert str(end.value).startswith(f"rest.x: POST {api.url}/token ")
    assert "s3cret" not in str(end.value)


def test_only_responses_that_an_action_names_are_ignored() -> None:
    def answer(request: Received) -> Sent:
        return JSONResponse({"error": "no such room"}, 400 if "gone" in request.url.path else 403)

    rules = ApiRules(is_ignored=lambda response: response.status == 400)
    with Server(answer) as api:
        shared = session(api.url)
        sender = Client(
            settings=shared.settings,
            throttle=shared.apis[""].throttle,
            transport=shared.transport,
            remedies=REMEDIES,
            subject="",
            user_agent="test/1",
            sign=authenticator_of(None, shared, "rest.x"),
            rules=rules,
        )
        with pytest.raises(IgnoredError, match="400 Bad Request"):
            sender.send(Request(f"{api.url}/gone"), status_of)
        with pytest.raises(RequestError, match="403 Forbidden"):
            sender.send(Request(f"{api.url}/x"), status_of)


@pytest.mark.parametrize(
    ("secret", "url", "shown"),
    [
        ("long/secret", "http://a/x?key=long%2Fsecret", "http://a/x?key=***"),
        ("long secret", "http://a/x?key=long+secret&b=1", "http://a/x?key=***&b=1"),
        (
            "7",
            "http://a/v7/accounts/7/rooms?id=7&n=17",
            "http://a/v7/accounts/***/rooms?id=***&n=17",
        ),
        ("", "http://a/x?key=", "http://a/x?key="),
    ],
)
def test_no_message_shows_a_secret(secret: str, url: str, shown: str) -> None:
    assert ApiRules(secrets=[secret]).masked(url) == shown
