"""The names that the naming convention of the bridge makes."""

from __future__ import annotations

import random
import string

import pytest
from dlt.common.normalizers.naming.snake_case import NamingConvention as SnakeCase

from dlt_bridge.naming import NamingConvention

POSTGRES, LONG = 63, 10_000
NAMES = {
    "имя": "имя",
    "ИмяКлиента": "имя_клиента",
    "ID клиента": "id_клиента",
    "客户": "客户",
    "金額\uff08円\uff09": "金額_円",
    "2024年": "_2024年",
    "اسم العميل": "اسم_العميل",
    "नाम": "नाम",
    "Größe": "größe",
    "E\u0301te\u0301": "été",
    "l\u2019été": "l_été",
    "\ufeffid": "id",
    "m²": "m²",
    "имя_": "имяx",
    "%": "percent",
    "#": "number",
    "$": "dollar",
    "# of orders": "number_of_orders",
    "% of orders": "percent_of_orders",
    "Rate (%)": "rate_percent",
    "$id": "_id",
    "Price €": "price_euro",
    "°C": "degree_c",
    "📈": "chart_with_upwards_trend",
    "❤️": "heavy_black_heart",
    "・": "x",
}


@pytest.mark.parametrize(("name", "made"), NAMES.items())
def test_letters_are_kept_and_signs_become_words(name: str, made: str) -> None:
    assert NamingConvention().normalize_path(name) == made


def test_ascii_names_are_those_of_snake_case() -> None:
    characters = sorted(set(string.printable) - set("%#$"))
    chance = random.Random(1)
    for length in (LONG, POSTGRES):
        ours, plain = NamingConvention(length), SnakeCase(length)
        for _ in range(2000):
            name = "n" + "".join(chance.choices(characters, k=chance.randint(1, 80)))
            # What dlt makes of a long path, it may change once more.
            name = name.replace("__", "_")
            assert ours.normalize_path(name) == plain.normalize_path(name)
            made = plain.normalize_path(name)
            assert ours.normalize_path(made) == made


def test_normalized_name_does_not_change_and_is_not_too_long() -> None:
    """PostgreSQL counts bytes, and truncates longer names."""
    chance = random.Random(1)
    for length in (LONG, POSTGRES):
        ours = NamingConvention(length)
        for start in (0x41, 0xC0, 0x370, 0x410, 0x620, 0x900, 0x3040, 0x4E00, 0x1D400, 0x1F300):
            for _ in range(100):
                letters = [chr(start + chance.randint(0, 200)) for _ in range(30)]
                name = "".join(
                    letter + chance.choice(["", "", "A", "b", "1", " ", "_a", "("])
                    for letter in letters
                )
                made = ours.normalize_path(name)
                assert ours.normalize_path(made) == made
                assert len(made.encode()) <= length


def test_long_names_that_differ_at_the_end_stay_different() -> None:
    ours = NamingConvention(POSTGRES)
    made = {ours.normalize_identifier("я" * 100 + last) for last in "бвг"}
    assert len(made) == 3
    assert {name[:10] for name in made} == {"я" * 10}
