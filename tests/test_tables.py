"""The settings in docs/ and meltano.yml are those of `tap-chat --about`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import tables
from running import BIN

if TYPE_CHECKING:
    from pathlib import Path


def test_settings_have_not_drifted() -> None:
    for path, text in tables.tables().items():
        assert path.read_text() == text, f"{path.name} is old: run `make tables`"


def test_text_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="markers"):
        tables.replaced("no markers", "tap-chat", "new")


def test_meltano_takes_every_kind_of_setting_from_the_environment(tmp_path: Path) -> None:
    shutil.copy(tables.ROOT / "meltano.yml", tmp_path)
    given = {
        "TAP_CHAT_START_DATE": "2025-01-01",
        "TAP_CHAT_CHAT_API_KEY_IN": "header",
        "TAP_CHAT_CHAT_FIELDS": '{"channel": {"type": "string"}}',
        "TAP_CHAT_REST": '{"matrix": "matrix.yaml"}',
        "TAP_CHAT_FRESHCHAT_MODE": "updated",
        "TAP_CHAT_LIVECHAT_INCLUDE_PENDING": "1",
        "TAP_CHAT_FLATTENING_ENABLED": "true",
    }
    command = [str(BIN / "meltano"), "--log-level=error", "config"]

    def printed(*options: str) -> dict[str, Any]:
        words = [*command, *options, "print", "--format=json", "tap-chat"]
        shown = subprocess.check_output(words, cwd=tmp_path, env=os.environ | given)
        settings: dict[str, Any] = json.loads(shown)
        return settings

    # A declaration may hold a credential.
    assert "matrix" not in printed()["rest"]
    assert printed("--unsafe") == {
        "start_date": "2025-01-01",
        "rest": {"matrix": "matrix.yaml"},
        "chat": {"api_key_in": "header", "fields": {"channel": {"type": "string"}}},
        "freshchat": {"mode": "updated"},
        "livechat": {"include_pending": 1},
        "flattening_enabled": True,
    }
