"""The credential of LiveChat's APIs, in the forms in which LiveChat hands it out.

https://platform.text.com/docs/authorization/personal-access-tokens
"""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING

from singer_sdk.authenticators import BasicAuthenticator, BearerTokenAuthenticator

if TYPE_CHECKING:
    from singer_sdk.helpers.types import Auth

#: A user name and a token, as base64 holds them.
PAIR = re.compile(r"[!-9;-~]+:[!-~]+")
#: The scheme of a header.
SCHEME = re.compile(r"(?:authorization:\s*)?(basic|bearer)\s+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Credential:
    """A token with its user name, or a token of OAuth.

    Attributes:
        user: The user name; None for a token of OAuth.
        token: The token.
    """

    user: str | None
    token: str

    @property
    def authenticator(self) -> Auth:
        """Adds the credential to a request."""
        if self.user is None:
            return BearerTokenAuthenticator(token=self.token)
        return BasicAuthenticator(username=self.user, password=self.token)


def credential_of(user: str, text: str) -> Credential:
    """Return the credential of the settings.

    Args:
        user: The user name; empty if there is none. A text with its own one ignores it.
        text: A token, or the user name and the token in base64, as the console shows them. The
            name of the scheme may come before it, as in a header: `Authorization: Basic ...`.
    """
    text = text.strip()
    if scheme := SCHEME.match(text):
        text = text[scheme.end() :]
        if scheme[1].lower() == "bearer":
            return Credential(None, text)
    if pair := _pair(text):
        own, _, token = pair.partition(":")
        return Credential(own, token)
    return Credential(user or None, text)


def _pair(text: str) -> str | None:
    """Return the user name and the token in a text of base64, or None if it has none."""
    try:
        pair = b64decode(text + "=" * (-len(text) % 4), validate=True).decode("ascii")
    except ValueError:
        return None
    return pair if PAIR.fullmatch(pair) else None
