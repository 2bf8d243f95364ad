"""The prose checker finds what its rules forbid, and only in prose."""

from __future__ import annotations

import re

import pytest
from prose import EXEMPT, ROOT, comments, files, findings, markdown_prose, python_prose
from prose_rules import RULES, Rule

PACKAGES = {"benchmarks", "dlt_bridge", "scripts", "tap_chat", "tests"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.pattern)
def test_rule_finds_its_example(rule: Rule) -> None:
    assert re.search(rule.pattern, rule.example, re.MULTILINE)


def test_general_rules_are_on() -> None:
    (finding,) = findings("page.md", "It works works.")
    assert finding.line == 1
    assert "works works" in finding.words


def test_questions_are_allowed() -> None:
    assert list(findings("page.md", "What is missing?")) == []


def test_code_of_a_page_is_not_prose() -> None:
    page = "# Page\n\n`anew` [again](anew.md)\n\n```text\nanew\n```\n\nRead it anew.\n"
    (finding,) = findings("page.md", markdown_prose(page))
    assert (finding.line, finding.words) == (9, "anew")


def test_options_of_a_card_are_not_prose() -> None:
    page = "::::{grid} 1 2 2 2\n:gutter: anew\n\n:::{card} Title\nRead it anew.\n:::\n::::\n"
    (finding,) = findings("page.md", markdown_prose(page))
    assert (finding.line, finding.words) == (5, "anew")


def test_comments_docstrings_and_messages_of_a_module_are_prose() -> None:
    module = '"""Read anew."""\n\nread = f"read anew: {read}"\nkey = "anew"  # made anew\n'
    assert [finding.line for finding in findings("module.py", python_prose(module))] == [1, 3, 4]


def test_names_and_keys_of_a_module_are_not_prose() -> None:
    assert not python_prose('anew = {"anew": anews["read_anew"]}').strip()


def test_names_of_tests_are_prose() -> None:
    module = "def test_table_is_made_anew() -> None: ..."
    assert [finding.words for finding in findings("module.py", python_prose(module))] == ["anew"]


def test_parts_of_accented_words_are_not_words() -> None:
    assert list(findings("module.py", python_prose('"""Read a chaîne simple."""'))) == []


def test_every_module_is_checked() -> None:
    modules = {path for path in ROOT.rglob("*.py") if path.relative_to(ROOT).parts[0] in PACKAGES}
    assert modules - files() == EXEMPT


def test_comments_of_other_files_are_prose() -> None:
    assert comments("key: anew # the reason\n# another") == "the reason\nanother"
