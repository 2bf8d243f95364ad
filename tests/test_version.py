"""The version comes from the tags of git."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from dist import ROOT, hatchling

if TYPE_CHECKING:
    from pathlib import Path


def version(folder: Path, *tags: str, commits: int) -> str:
    """Return the version of a repository whose first commit has these tags."""
    shutil.copy(ROOT / "pyproject.toml", folder)
    git(folder, "init")
    git(folder, "add", ".")
    for number in range(commits):
        git(folder, "commit", "--allow-empty", "--message=some")
        for tag in tags if number == 0 else ():
            git(folder, "tag", tag)
    return hatchling("version", folder=folder).strip()


def git(folder: Path, *arguments: str) -> None:
    me = ["-c", "user.name=me", "-c", "user.email=me@example.com"]
    subprocess.run(["git", *me, *arguments], cwd=folder, capture_output=True, check=True)


@pytest.mark.parametrize("tag", ["v0.1.0", "v12.0.3", "v0.2.0rc1"])
def test_tag_is_the_version(tmp_path: Path, tag: str) -> None:
    assert version(tmp_path, tag, commits=1) == tag[1:]


def test_tags_that_are_not_versions_are_ignored(tmp_path: Path) -> None:
    assert version(tmp_path, "pre-five", "v2", "1.0", "v0.1.0", commits=1) == "0.1.0"


def test_commits_after_a_release_are_before_the_next(tmp_path: Path) -> None:
    assert version(tmp_path, "v0.1.0", commits=3).startswith("0.1.1.dev2+g")


def test_commits_without_a_release_are_before_the_first(tmp_path: Path) -> None:
    assert version(tmp_path, "pre-five", commits=2).startswith("0.1.0.dev2+g")


def test_tree_without_git_has_a_version(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    assert hatchling("version", folder=tmp_path).strip() == "0.1.0.dev0"
