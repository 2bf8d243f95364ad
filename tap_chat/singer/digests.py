"""Digests of records and contexts, by which they are known again."""

from __future__ import annotations

import json
from hashlib import blake2b
from typing import Any

import msgspec

_encode = msgspec.json.Encoder(order="deterministic", decimal_format="number").encode


def digest_of(value: Any, size: int) -> bytes:  # noqa: ANN401
    """Return a digest of a decoded JSON value. The order of properties does not matter.

    Args:
        value: The value.
        size: The bytes of the digest.
    """
    return blake2b(canonical(value), digest_size=size).digest()


def canonical(value: Any) -> bytes:  # noqa: ANN401
    """Return JSON that is the same for equal values."""
    try:
        return _encode(value)
    except UnicodeEncodeError:
        # UTF-8 has no form for a lone surrogate, which half of an emoji is.
        return json.dumps(value, sort_keys=True, default=str).encode()
