"""Files with credentials: nobody else can read them, and git ignores them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

#: Read and written by the owner.
PRIVATE = 0o600


def write_private(path: Path, text: str) -> None:
    """Write a file that no other user can read, whatever the umask.

    Args:
        path: The file, which may exist.
        text: What it shall hold.
    """
    path.touch(mode=PRIVATE)
    path.chmod(PRIVATE)
    path.write_text(text, encoding="utf-8")


def ignore(folder: Path, patterns: Iterable[str]) -> bool:
    """Add patterns to the `.gitignore` of a folder, and return whether one was not there.

    Args:
        folder: The folder.
        patterns: The patterns.
    """
    path = folder / ".gitignore"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    new = [pattern for pattern in patterns if pattern not in lines]
    if new:
        path.write_text("\n".join([*lines, *new, ""]), encoding="utf-8")
    return bool(new)
