"""The settings in README.md and meltano.yml are those of `tap-chat --about`."""

from __future__ import annotations

import pytest
import tables


def test_settings_have_not_drifted() -> None:
    for path, text in tables.tables().items():
        assert path.read_text() == text, f"{path.name} is old: run `make tables`"


def test_text_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="markers"):
        tables.replaced("no markers", "new")
