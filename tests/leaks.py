"""Find credentials and message texts in logs, errors, states and temporary files.

Texts of the sandbox are lines of a few topics, or consist of a few words. Some of these words occur
in no program.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from typing import TYPE_CHECKING

from tap_chat.sandbox import API_KEY, ENTITY_ID
from tap_chat.sandbox.lines import TOPICS
from tap_chat.sandbox.samples import WORDS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

#: The credentials, as in a query or header, and as in `Authorization: Basic`.
CREDENTIALS = (API_KEY, b64encode(f"{ENTITY_ID}:{API_KEY}".encode()).decode())
#: Words that occur in no program, and three words in a row.
STRANGE = ("straße", "日本語", "🚚", "won't", '"quoted"')


def _forms(word: str) -> set[str]:
    """Return a word unchanged, as JSON writes it, and as Python writes it."""
    spelled = {json.dumps(word)[1:-1], repr(word)[1:-1], ascii(word)[1:-1]}
    return {word, *spelled}


#: The longest part of each line without a letter that has several forms.
PARTS = {
    max(re.split(r"[\"'\\\n\t]", line), key=len)
    for topic in TOPICS
    for lines in topic
    for line in lines
}
#: One search for each is faster than a regular expression of all of them.
LITERALS = sorted({form.encode() for text in (*STRANGE, *PARTS) for form in _forms(text)})
_word = "|".join(re.escape(form) for word in WORDS for form in sorted(_forms(word)))
_key = "|".join(map(re.escape, CREDENTIALS))
KEYS = re.compile(_key.encode())
WORDS_IN_A_ROW = re.compile(f"(?:{_word}) (?:{_word}) (?:{_word})".encode())


def leaks(text: str | bytes, *, texts: bool = True) -> list[bytes]:
    """Return the credentials and the message texts in a text.

    Args:
        text: Output, a log, a file.
        texts: Whether to look for message texts; False for files with records.
    """
    found = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    keys = KEYS.findall(found)
    if not texts:
        return keys
    literals = [literal for literal in LITERALS if literal in found]
    return [*keys, *literals, *WORDS_IN_A_ROW.findall(found)]


def leaking_files(folder: Path, *, data: Iterable[str] = ()) -> dict[str, list[bytes]]:
    """Return the files of a folder that contain secrets.

    Args:
        folder: The folder.
        data: Patterns of files with records, which may contain texts but no credentials.
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
