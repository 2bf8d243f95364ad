"""Checks of URLs, paths and headers. Problems are predicates of sentences, without values."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

# RFC 9110, 5.6.2: the characters of a header's name.
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def url_problem(url: str) -> str | None:
    """Return why a URL can't be the address of an API, or None."""
    if problem := path_problem(url):
        return problem
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port  # reading the port checks it
    except ValueError:
        return "is not a URL"
    if parts.scheme not in {"http", "https"} or not host:
        return "must begin with https:// or http:// and a host"
    if "@" in parts.netloc:
        return "must not hold a user or password: credentials have settings of their own"
    return None


def path_problem(path: str) -> str | None:
    """Return why a text can't be a path, or None."""
    if not path.isprintable() or " " in path:
        return "holds a space or a character that can't be seen"
    if "?" in path or "#" in path:
        return "must end before `?` and `#`: parameters have settings of their own"
    if "{" in path or "}" in path:
        return "holds a brace, which stands for a value: write `{` as %7B, and `}` as %7D"
    return None


def header_problem(value: str) -> str | None:
    """Return why a text can't be the value of a header, or None."""
    if value != value.strip() or any(ord(character) < ord(" ") for character in value):
        return "can't be sent in a header: it holds a line break, or a space at an end"
    try:
        value.encode("latin-1")
    except UnicodeEncodeError:
        return "can't be sent in a header: it holds a character that is not in Latin-1"
    return None


def header_name_problem(name: str) -> str | None:
    """Return why a text can't be the name of a header, or None."""
    return None if TOKEN.fullmatch(name) else "is not the name of a header"


def account_problem(account: str) -> str | None:
    """Return why a text can't be the name of an account, or None."""
    try:
        account.encode()
    except UnicodeEncodeError:
        return "holds half of a character (a lone surrogate), which no table can store"
    return "holds a NUL character, which many databases can't store" if "\0" in account else None
