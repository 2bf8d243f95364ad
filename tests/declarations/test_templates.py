"""Templates are expanded as dlt expands them."""

from __future__ import annotations

from typing import Any

import pytest
from dlt.sources.rest_api.config_setup import expand_placeholders
from hypothesis import given
from hypothesis import strategies as st

from tap_chat.declarations.templates import escaped, expand, template

NAMES = ["resources.users.id", "resources.users.a.b", "incremental.start_value", "id"]
LITERALS = st.text().map(escaped)
PLACEHOLDERS = st.builds(
    "{{{}{}{}}}".format,
    st.sampled_from(NAMES),
    st.sampled_from(["", "!r", "!s", "!a"]),
    st.sampled_from(["", ":>12", ":^5"]),
)
TEXTS = st.lists(LITERALS | PLACEHOLDERS, max_size=4).map("".join)
VALUES = st.integers() | st.text() | st.floats(allow_nan=False) | st.booleans()
DOCUMENTS = st.recursive(
    TEXTS | VALUES.filter(lambda value: not isinstance(value, str)) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


@given(
    document=DOCUMENTS,
    values=st.fixed_dictionaries(dict.fromkeys(NAMES, VALUES)),
    keep_types=st.booleans(),
)
def test_documents_are_expanded_as_by_dlt(
    *, document: Any, values: dict[str, Any], keep_types: bool
) -> None:
    expected = expand_placeholders(document, values, preserve_value_type=keep_types)
    assert repr(expand(document, values, keep_types=keep_types)) == repr(expected)


@given(text=st.text())
def test_escaped_text_is_expanded_to_itself(text: str) -> None:
    assert expand(escaped(text), {}) == text


@pytest.mark.parametrize("text", ["{", "}", "{a", "a}", "{a!x}", "{a:{b}}", "{a!}"])
def test_wrong_braces_are_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        template(text)
