"""The config with which tap-chat reads the sandbox."""

from __future__ import annotations

import json
import os
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

from tap_chat.sandbox.registry import DIALECTS
from tap_chat.sandbox.samples import API_KEY, OPENED

if TYPE_CHECKING:
    from pathlib import Path

    from tap_chat.sandbox.world import World


def sandbox_config(url: str, world: World) -> dict[str, Any]:
    """Return the config of all platforms of a sandbox.

    Args:
        url: The address of the sandbox, or of one of its accounts.
        world: The data of the account.
    """
    sections = {dialect.name: dialect.config_of(url, world) for dialect in DIALECTS}
    return {"start_date": OPENED.isoformat(), **sections}


def write_config(path: Path, config: dict[str, Any]) -> None:
    """Write a config of the sandbox that only this user can read. It replaces an older one.

    The file is there as a whole or not at all.

    Raises:
        FileExistsError: Another file is there, which is not a config of a sandbox.
        OSError: The file can't be written.
    """
    if path.exists() and not _is_of_sandbox(path):
        raise FileExistsError
    text = json.dumps(config, indent=2) + "\n"
    with NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        try:
            file.write(text)
            file.flush()
            os.replace(file.name, path)  # noqa: PTH105 - as os.unlink below
        except OSError:
            os.unlink(file.name)  # noqa: PTH108 - the name is a text
            raise


def _is_of_sandbox(path: Path) -> bool:
    """Return whether every section of a config has the key of the sandbox, so no key is lost."""
    try:
        config = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return False
    if not isinstance(config, dict):
        return False
    sections = [value for value in config.values() if isinstance(value, dict)]
    return bool(sections) and all(API_KEY in section.values() for section in sections)
