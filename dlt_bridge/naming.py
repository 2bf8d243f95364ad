"""Names of tables and columns: dlt's snake_case, with the letters of all alphabets.

The schema of each pipeline stores the name of this module, and dlt imports it by that name. So the
module must keep its name, and a name must always become the same name.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from itertools import pairwise

from dlt.common.normalizers.naming.snake_case import NamingConvention as SnakeCase
from typing_extensions import override

# Names may differ only in these: `# of orders`, `% of orders`. Before a letter or a digit, they
# have no meaning: `$id`, `#1`.
_SIGNS = {"%": " percent ", "#": " number ", "$": " dollar "}
_SIGN = re.compile(r"[%#$](?![a-zA-Z0-9])")
# The replacements of snake_case.
_REDUCED = {"+": "x", "*": "x", "@": "a", "|": "l"}
# Invisible characters that select a form of the character before them.
_SELECTOR = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
# The beginnings of words, where `A` is any capital letter, `a` any small letter, `0` any digit.
_WORD = re.compile("(?<=[^_])(?=Aa)|(?<=[a0])(?=A)")
_UNDERSCORES = re.compile("_+")


class NamingConvention(SnakeCase):
    """snake_case that keeps the letters and digits of all alphabets.

    A name of ASCII characters becomes the same as in snake_case, except that `%`, `#` and `$`
    become words where they have a meaning. Symbols beyond ASCII become their Unicode names (`€`
    becomes `euro`). All other characters that are neither letters nor digits separate words.

    Lengths are counted in bytes of UTF-8, as PostgreSQL counts them. A name that is normalized
    already does not change.
    """

    def __init__(self, max_length: int | None = None) -> None:
        super().__init__(max_length)  # type: ignore[arg-type]  # None is its default

    @override
    def normalize_identifier(self, identifier: str) -> str:
        composed = unicodedata.normalize("NFC", identifier)
        named = _SIGN.sub(lambda sign: _SIGNS[sign[0]], composed)
        if named != composed or not named.isascii():
            named = _in_words(named)
        if named.isascii():
            return super().normalize_identifier(named or identifier)
        return self.shorten_identifier(_snake_case(named), identifier, self.max_length)

    @staticmethod
    @cache
    @override
    def shorten_identifier(
        normalized_ident: str,
        identifier: str,
        max_length: int | None,
        collision_prob: float = 0.001,
    ) -> str:
        shortened = normalized_ident
        length = len(shortened)
        while max_length and len(shortened.encode()) > max_length:
            length = min(length - 1, max_length)
            shortened = SnakeCase.shorten_identifier(
                normalized_ident, identifier, length, collision_prob
            )
        return shortened


@cache
def _in_words(name: str) -> str:
    """Return a name with spaces, and nothing else, between its words."""
    return " ".join("".join(map(_word, _SELECTOR.sub("", name))).split())


def _word(character: str) -> str:
    """Return the replacement of a character; spaces around it make it a word of its own."""
    category = unicodedata.category(character)
    if character == "_" or category[0] in "LMN":
        return character
    if category == "Cf":
        # Invisible, such as a byte order mark.
        return ""
    if character.isascii():
        return _REDUCED.get(character, " ")
    name = unicodedata.name(character, "")
    if category in {"Sc", "Sm", "So"} or name.endswith(" SIGN"):
        name = name.removeprefix("FULLWIDTH ").removesuffix(" SIGN").removesuffix(" SYMBOL")
        return f" {name.lower().replace('-', ' ')} "
    return " "


def _snake_case(words: str) -> str:
    """Return words as snake_case would, if it knew all letters."""
    name = words.replace(" ", "_")
    shape = "".join(map(_shape, name))
    breaks = [0, *(word.start() for word in _WORD.finditer(shape)), len(name)]
    name = "_".join(name[start:end] for start, end in pairwise(breaks))
    name = unicodedata.normalize("NFC", name.lower())
    if name[0].isdecimal():
        name = f"_{name}"
    # Two underscores separate the parts of a path, so that none may be within a name.
    kept = name.rstrip("_")
    return _UNDERSCORES.sub("_", kept + "x" * (len(name) - len(kept)))


def _shape(character: str) -> str:
    if character != character.lower():
        return "A"
    if character.islower():
        return "a"
    if character.isdecimal():
        return "0"
    return "_" if character == "_" else "-"
