"""The SDK's files for targets, and what is to be in the tables after each of them."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import Any

from singer_sdk.testing import target_test_streams

FILES = resources.files(target_test_streams)


@dataclass(frozen=True)
class Loaded:
    """What is to be in the tables after files were loaded, one run each.

    Attributes:
        files: The files; more than one, if they build on each other.
        tables: The columns of each table, and its rows in the order of the files.
    """

    files: tuple[str, ...]
    tables: dict[str, tuple[tuple[str, ...], list[tuple[Any, ...]]]]

    @property
    def id(self) -> str:
        return "+".join(self.files)


ESCAPES = 'various " \\ / \n escape sequences'
DOUBLE = "Double quoting: \\u0000 \\u0041 \\u0001"
CONTROL = "Control Characters in string: \0 A \1"
STRINGS = [
    "simple string 2837",
    "απλή συμβολοσειρά",
    "简单的字串",
    "chaîne simple",
    'quoted "string"',
    ESCAPES,
    "m",
    "ā",
    "ƙ",
    DOUBLE,
]
OBJECTS = [
    {"name": name, "value": value}
    for name, value in zip(
        (
            "simple",
            "greek",
            "chinese",
            "french",
            "quoted string",
            "escape sequences",
            "unicode",
            "unicode",
            "unicode",
        ),
        STRINGS,
        strict=False,
    )
] + [{"name": "Double quoting", "value": " \\u0000 \\u0041 \\u0001"}]
ARRAYS = [
    ["simple string", *STRINGS[1:3]],
    ["chaîne simple", 'quoted "string"'],
    [ESCAPES],
    ["m", "ā", "ƙ"],
    ["aaa", DOUBLE],
]

EXPECTED = [
    Loaded(
        ("array_data",),
        {
            "test_array_data": (
                ("id", "fruits"),
                [
                    (1, ["apple", "orange", "pear"]),
                    (2, ["banana", "apple"]),
                    (3, ["pear"]),
                    (4, ["orange", "banana", "apple", "pear"]),
                ],
            )
        },
    ),
    Loaded(
        ("camelcase",),
        {
            "test_camelcase": (
                ("id", "client_name"),
                [("1", "Gitter Windows Desktop App"), ("2", "Gitter iOS App")],
            )
        },
    ),
    Loaded(
        ("camelcase_complex_schema",),
        {
            "forecasting_type_to_category": (
                (
                    "id",
                    "is_deleted",
                    "created_date",
                    "created_by_id",
                    "last_modified_date",
                    "last_modified_by_id",
                    "system_modstamp",
                    "forecasting_type_id",
                    "forecasting_item_category",
                    "display_position",
                    "is_adjustable",
                    "is_owner_adjustable",
                    "age",
                    "new_camel_cased_attribute",
                    "_attribute_startswith_underscore",
                ),
                [],
            )
        },
    ),
    Loaded(
        ("duplicate_records",),
        {"test_duplicate_records": (("id", "metric"), [(2, 20), (1, 100)])},
    ),
    Loaded(("no_primary_keys",), {"test_no_pk": (("id", "metric"), [(1, 11), (2, 22), (3, 33)])}),
    Loaded(
        ("no_primary_keys", "no_primary_keys_append"),
        {
            "test_no_pk": (
                ("id", "metric"),
                [(1, 11), (2, 22), (3, 33), (1, 101), (2, 202), (3, 303), (4, 404), (5, 505)],
            )
        },
    ),
    Loaded(
        ("optional_attributes",),
        {
            "test_optional_attributes": (
                ("id", "optional"),
                [(1, "This is optional"), (2, None), (3, "Also optional"), (4, None)],
            )
        },
    ),
    Loaded(
        ("pk_updates",),
        {
            "example_stream": (
                ("id", "name", "email"),
                [(1, "Alice", "alice@example.com"), (2, "Bob", "bob@example.com")],
            )
        },
    ),
    Loaded(
        ("record_missing_fields",),
        {"record_missing_fields": (("id", "optional"), [(1, "now you see me"), (2, None)])},
    ),
    Loaded(
        ("schema_no_properties",),
        {
            "test_object_schema_with_properties": (
                ("object_store",),
                [({"id": 1, "metric": 187},), ({"id": 2, "metric": 203},)],
            ),
            "test_object_schema_no_properties": (
                ("object_store",),
                [({"id": 1, "metric": 1},), ({"id": 2, "metric": 2},)],
            ),
        },
    ),
    Loaded(
        ("schema_updates",),
        {
            "test_schema_updates": (
                ("id", "a1", "a2", "a3", "a4", "a5", "a6"),
                [
                    (1, 101.0, "string1", None, None, None, None),
                    (2, 102.0, "string2", True, None, None, None),
                    (3, 103.0, "string3", False, {"id": 1, "value": 1}, ["banana", "apple"], None),
                    (4, 104.0, "string4", True, {"id": 2, "value": 22}, ["orange", "pear"], None),
                    (5, 105.0, "string5", False, {"id": 3, "value": 33}, ["apple"], 985),
                    (6, 106.0, "string6", True, {"id": 4, "value": 444}, ["banana", "orange"], 341),
                ],
            )
        },
    ),
    Loaded(
        ("special_chars_in_attributes",),
        {
            "test_special_chars_in_attributes": (
                ("_id", "d"),
                [
                    (
                        "a2e98886",
                        {"env": "prod", "agent:type": "desktop", "agent:os:version": "10.13.1"},
                    )
                ],
            )
        },
    ),
    Loaded(
        ("multiple_state_messages",),
        {
            "test_multiple_state_messages_a": (
                ("id", "metric"),
                [(1, 100), (2, 200), (3, 300), (4, 400), (5, 500), (6, 600)],
            ),
            "test_multiple_state_messages_b": (
                ("id", "metric"),
                [(1, 110), (2, 220), (3, 330), (4, 440), (5, 550), (6, 660)],
            ),
        },
    ),
    Loaded(
        ("user_location_data",),
        {
            "test_users": (
                ("id", "name"),
                [(1, "Yannis"), (2, "Micael"), (3, "Jacob"), (4, "Josh"), (5, "Thomas")],
            ),
            "test_locations": (("id", "name"), [(1, "Philadelphia"), (2, "NY"), (3, "SF")]),
            "test_user_in_location": (
                ("id", "user_id", "location_id", "info"),
                [
                    (1, 1, 1, {"weather": "rainy", "mood": "sad"}),
                    (2, 1, 2, {"weather": "sunny", "mood": "satisfied"}),
                    (3, 1, 3, {"weather": "sunny", "mood": "happy"}),
                ],
            ),
        },
    ),
    Loaded(
        ("user_location_data", "user_location_upsert_data"),
        {
            "test_users": (
                ("id", "name"),
                [
                    (3, "Jacob"),
                    (4, "Josh"),
                    (1, "Johny"),
                    (2, "George"),
                    (5, "Jim"),
                    (8, "Thomas"),
                    (12, "Paul"),
                    (13, "Mary"),
                ],
            ),
            "test_locations": (
                ("id", "name"),
                [(2, "NY"), (1, "Philly"), (3, "San Francisco"), (6, "Colorado"), (8, "Boston")],
            ),
            "test_user_in_location": (
                ("id", "user_id", "location_id", "info"),
                [
                    (3, 1, 3, {"weather": "sunny", "mood": "happy"}),
                    (1, 1, 4, {"weather": "rainy", "mood": "sad"}),
                    (2, 2, 3, {"weather": "sunny", "mood": "satisfied"}),
                    (6, 3, 2, {"weather": "sunny", "mood": "happy"}),
                    (14, 4, 1, {"weather": "cloudy", "mood": "ok"}),
                ],
            ),
        },
    ),
]


def lines_of(file: str) -> list[str]:
    return (FILES / f"{file}.singer").read_text(encoding="utf-8").splitlines()
