"""Signs requests as `client.auth`, or the `auth` of an endpoint, declares."""

from __future__ import annotations

from base64 import b64encode
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import msgspec

from tap_chat.declarations.format import ApiKeyAuth, BearerAuth, HttpBasicAuth, OAuth2Auth
from tap_chat.http.access_tokens import AccessTokens, TokenRemedies
from tap_chat.http.api_rules import ApiRules
from tap_chat.http.client import Client
from tap_chat.http.rate_limits.throttle import Throttle
from tap_chat.http.request import Request

if TYPE_CHECKING:
    from collections.abc import Collection

    from requests import PreparedRequest
    from singer_sdk.helpers.types import Auth as Sign

    from tap_chat.declarations.format import Auth
    from tap_chat.streams.session import Session

_encode = msgspec.json.Encoder(order="deterministic").encode

FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}


def authenticator_of(
    auth: Auth | None, session: Session, section: str, secrets: Collection[str] = ()
) -> Sign:
    """Return what signs a request.

    Args:
        auth: The declared authentication; None if there is none.
        session: What the streams of the declaration share: among it, access tokens.
        section: The section of the declaration in the config, for errors: `rest.matrix`.
        secrets: The texts that no message may show.
    """
    if auth is None:
        return _unsigned
    if isinstance(auth, OAuth2Auth):
        # Tokens of other scopes, or of another secret, are other tokens.
        tokens: Sign = session.shared_once(
            _encode(auth), partial(_access_tokens, auth, session, section, secrets)
        )
        return tokens
    return _with_fixed(auth)


def _with_fixed(auth: BearerAuth | HttpBasicAuth | ApiKeyAuth) -> Sign:
    match auth:
        case BearerAuth():
            return partial(_with_header, "Authorization", f"Bearer {auth.token}")
        case HttpBasicAuth():
            # As dlt, in UTF-8; `requests` would take Latin-1.
            pair = b64encode(f"{auth.username}:{auth.password}".encode()).decode()
            return partial(_with_header, "Authorization", f"Basic {pair}")
        case ApiKeyAuth(location="header"):
            return partial(_with_header, auth.name, auth.api_key)
        case ApiKeyAuth(location="cookie"):
            return partial(_with_cookie, auth.name, auth.api_key)
        case ApiKeyAuth():
            return partial(_with_param, urlencode({auth.name: auth.api_key}))


def _unsigned(request: PreparedRequest) -> PreparedRequest:
    return request


# Not the SDK's authenticators: they leave out parameters with empty values.
def _with_header(name: str, value: str, request: PreparedRequest) -> PreparedRequest:
    request.headers[name] = value
    return request


def _with_param(param: str, request: PreparedRequest) -> PreparedRequest:
    url = request.url or ""
    request.url = f"{url}{'&' if '?' in url else '?'}{param}"
    return request


def _with_cookie(name: str, value: str, request: PreparedRequest) -> PreparedRequest:
    cookies = filter(None, (request.headers.get("Cookie"), f"{name}={quote(value)}"))
    request.headers["Cookie"] = "; ".join(cookies)
    return request


def _access_tokens(
    auth: OAuth2Auth, session: Session, section: str, secrets: Collection[str]
) -> AccessTokens:
    form: dict[str, Any] = {
        "client_id": auth.client_id,
        "client_secret": auth.client_secret,
        "grant_type": "client_credentials",
        **(auth.access_token_request_data or {}),
    }
    client = Client(
        settings=session.settings,
        # Its limit is not that of the API.
        throttle=Throttle(
            None, workers=1, max_wait=session.settings.max_wait, name=f"{section} (access token)"
        ),
        transport=session.transport,
        remedies=TokenRemedies(
            section=section,
            address=f"`access_token_url` in the declaration of {section}",
            unknown=f"Check `client_id` and `client_secret` in the declaration of {section}.",
            forbidden=f"Check `client_id` and its rights: the declaration of {section} has it.",
        ),
        subject=f"{section}: ",
        user_agent=session.user_agent,
        sign=_unsigned,
        rules=ApiRules(secrets=secrets),
    )
    request = Request(auth.access_token_url, "POST", headers=FORM, body=urlencode(form, doseq=True))
    return AccessTokens(
        client,
        request,
        token=auth.access_token,
        default_seconds=auth.default_token_expiration,
    )
