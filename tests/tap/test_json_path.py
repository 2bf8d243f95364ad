"""JSONPaths: paths of names find what jsonpath-ng finds."""

from __future__ import annotations

import random
from typing import Any

import pytest
from jsonpath_ng.ext.parser import parse

from tap_chat.http.json_path import JSONPath, JSONPathError, compile_path, find_first

BODY: dict[str, Any] = {
    "data": {"items": [{"id": 1, "kind": "a"}, {"id": 2, "kind": "b"}], "next-page": 7},
    "my list": [{"id": 3}],
    "a.b": None,
    "2024": 5,
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("data.next-page", [7]),
        ("$.data.next-page", [7]),
        ("data.items", [BODY["data"]["items"]]),
        ("data.items[*].id", [1, 2]),
        ("data.items[-1].id", [2]),
        ("data.items[?(@.kind=='b')].id", [2]),
        ("$..id", [1, 2, 3]),
        ("$['my list'][*]", [{"id": 3}]),
        ('"a.b"', [None]),
        ("$['2024']", [5]),
        ("$", [BODY]),
        ("data.items.id", []),
        ("data.absent", []),
        ("a.b", []),
    ],
)
def test_a_path_finds_every_value(path: str, expected: list[Any]) -> None:
    assert JSONPath(path).find_all(BODY) == expected
    assert find_first(BODY, path) == (expected[0] if expected else None)


def test_names_and_the_list_of_a_wildcard_are_known_without_a_body() -> None:
    assert compile_path("$").names == ()
    assert compile_path("$['my list'].id").names == ("my list", "id")
    assert compile_path("data.items[*]").names is None
    assert compile_path("data['it\\'s'][*]").stem == ("data", "it's")
    assert compile_path("data[?(@.a==1)].b").stem == ("data",)
    are_lists = {"data[*]": True, "$[*]": True, "data[*].b": False, "data": False}
    assert {path: compile_path(path).is_list for path in are_lists} == are_lists


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("data.items[-1].id", True),
        ("data.items.x", True),
        ("$..id", True),
        ("data[*]", True),
        ("data.total", False),
        ("data", False),
        ("meta[0].total", False),
    ],
)
def test_path_into_the_records_is_known(path: str, expected: bool) -> None:  # noqa: FBT001
    assert compile_path(path).may_lead_into(("data", "items")) is expected
    assert compile_path("[-1].id").may_lead_into(())
    assert not compile_path("next").may_lead_into(())


@pytest.mark.parametrize("path", ["", "a b", "data[", "a..", "where", "data.where", "data[].id"])
def test_a_text_that_is_not_a_path_is_an_error_that_quotes_it(path: str) -> None:
    with pytest.raises(JSONPathError, match="is not a JSONPath") as caught:
        compile_path(path)
    assert f"`{path}`" in caught.value.problem


def test_a_path_of_names_finds_what_jsonpath_ng_finds() -> None:
    names = ["a", "b", "a-b", "_c", "where", "wherenot", "x1", "len", "A9_", "@id", "not"]
    chance = random.Random(18)

    def value(depth: int) -> Any:
        if not depth or chance.random() < 0.2:
            return chance.choice([None, 1, "t", True, [], {}])
        if chance.random() < 0.2:
            return [value(depth - 1) for _ in range(2)]
        return {name: value(depth - 1) for name in chance.sample(names, 5)}

    found = 0
    for _ in range(1500):
        start, end = chance.choice(["", "$."]), chance.choice(["", "", "[*]"])
        path = start + ".".join(chance.choices(names, k=chance.randint(1, 3))) + end
        body = value(4)
        try:
            expected = [match.value for match in parse(path).find(body)]
        except Exception:  # noqa: BLE001 - it has several
            with pytest.raises(JSONPathError):
                JSONPath(path)
            continue
        found += bool(expected)
        assert JSONPath(path).find_all(body) == expected
    assert found > 100
