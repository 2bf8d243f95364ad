"""Names of tables and columns: dlt's snake_case, but with the letters of all alphabets.

dlt imports this module by its name, which stands in the schema of each pipeline that began with
it. So what a name becomes here must never change.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from itertools import pairwise

from dlt.common.normalizers.naming.snake_case import NamingConvention as SnakeCase
from typing_extensions import override

# Names may differ by nothing but these: `# of orders`, `% of orders`. Before a letter or a digit
# they say nothing: `$id`, `#1`.
_SIGNS = {"%": " percent ", "#": " number ", "$": " dollar "}
_SIGN = re.compile(r"[%#$](?![a-zA-Z0-9])")
# As snake_case has them.
_REDUCED = {"+": "x", "*": "x", "@": "a", "|": "l"}
# What chooses between the forms of a character, and is not seen.
_SELECTOR = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
# Where words begin, if `A` is any capital letter, `a` a small one, and `0` a digit.
_WORD = re.compile("(?<=[^_])(?=Aa)|(?<=[a0])(?=A)")
_UNDERSCORES = re.compile("_+")


class NamingConvention(SnakeCase):
    """Makes names as snake_case does, and keeps letters and digits of all alphabets.

    Names of ASCII characters are those of snake_case, but that `%`, `#` and `$` are words where
    they say something. Symbols beyond ASCII have their names in Unicode (`€` is `euro`), and all
    else that is neither a letter nor a digit stands between words.

    The length is that in UTF-8, as PostgreSQL counts it. A name that was made is not changed by
    making it again.
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
    """Return a name whose words have spaces between them, and nothing else."""
    return " ".join("".join(map(_word, _SELECTOR.sub("", name))).split())


def _word(character: str) -> str:
    """Return what stands for a character; spaces around it make it a word of its own."""
    category = unicodedata.category(character)
    if character == "_" or category[0] in "LMN":
        return character
    if category == "Cf":
        # Not seen, such as the mark with which a file begins.
        return ""
    if character.isascii():
        return _REDUCED.get(character, " ")
    name = unicodedata.name(character, "")
    if category in {"Sc", "Sm", "So"} or name.endswith(" SIGN"):
        name = name.removeprefix("FULLWIDTH ").removesuffix(" SIGN").removesuffix(" SYMBOL")
        return f" {name.lower().replace('-', ' ')} "
    return " "


def _snake_case(words: str) -> str:
    """Return words as snake_case would, if it had all letters."""
    name = words.replace(" ", "_")
    shape = "".join(map(_shape, name))
    breaks = [0, *(word.start() for word in _WORD.finditer(shape)), len(name)]
    name = "_".join(name[start:end] for start, end in pairwise(breaks))
    name = unicodedata.normalize("NFC", name.lower())
    if name[0].isdecimal():
        name = f"_{name}"
    # Two underscores are between the parts of a path.
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
