"""What must be in no log, error, state or temporary file: credentials, and what people wrote.

Texts of the sandbox are made of a few words. Some of these no program says by itself.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from typing import TYPE_CHECKING

from tap_chat.sandbox import API_KEY, ENTITY_ID
from tap_chat.sandbox.samples import WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

#: As it is sent in a query or header, and as `Authorization: Basic` has it.
CREDENTIALS = (API_KEY, b64encode(f"{ENTITY_ID}:{API_KEY}".encode()).decode())
#: Words that are in no program, and three of any in a row.
STRANGE = ("straße", "日本語", "🚚", "won't", '"quoted"')


def _forms(word: str) -> set[str]:
    """Return a word as it is, as JSON spells it, and as Python does."""
    spelled = {json.dumps(word)[1:-1], repr(word)[1:-1], ascii(word)[1:-1]}
    return {word, *spelled}


_word = "|".join(re.escape(form) for word in WORDS for form in sorted(_forms(word)))
_strange = "|".join(re.escape(form) for word in STRANGE for form in sorted(_forms(word)))
_key = "|".join(map(re.escape, CREDENTIALS))
KEYS = re.compile(_key.encode())
TEXTS = re.compile(f"{_strange}|(?:{_word}) (?:{_word}) (?:{_word})".encode())


def leaks(text: str | bytes, *, texts: bool = True) -> list[bytes]:
    """Return the credentials in a text, and the words of people.

    Args:
        text: Output, a log, a file.
        texts: False where records belong, and only credentials do not.
    """
    found = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    return [*KEYS.findall(found), *(TEXTS.findall(found) if texts else ())]


def leaking_files(folder: Path, *, data: Iterable[str] = ()) -> dict[str, list[bytes]]:
    """Return the files of a folder that hold what they should not.

    Args:
        folder: The folder.
        data: Patterns of files that hold records, and so may hold texts, but no credentials.
    """
    patterns = list(data)
    found = {
        str(path.relative_to(folder)): leaks(
            path.read_bytes(), texts=not any(path.match(pattern) for pattern in patterns)
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    return {name: what for name, what in found.items() if what}
