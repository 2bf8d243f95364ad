"""The distribution: pyproject.toml, the built files, and Pythons to install them in."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from zipfile import ZipFile

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
#: The Pythons that the classifiers name.
PYTHONS = re.findall(
    r"^Programming Language :: Python :: (\d+\.\d+)$",
    "\n".join(PROJECT["classifiers"]),
    re.MULTILINE,
)


def hatchling(*arguments: str, folder: Path = ROOT) -> str:
    """Run the build backend as `make` does, with the installed packages. Return its output."""
    command = [sys.executable, "-m", "hatchling", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


@dataclass(frozen=True)
class Dist:
    """A wheel and a source distribution in a folder."""

    folder: Path

    @cached_property
    def wheel(self) -> Path:
        (found,) = self.folder.glob("*.whl")
        return found

    @cached_property
    def sdist(self) -> Path:
        (found,) = self.folder.glob("*.tar.gz")
        return found

    @property
    def version(self) -> str:
        return self.wheel.name.split("-")[1]

    def wheel_files(self) -> dict[str, bytes]:
        with ZipFile(self.wheel) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def unpacked(self, folder: Path) -> Path:
        """Unpack the source distribution into a folder. Return its root."""
        with tarfile.open(self.sdist) as archive:
            if hasattr(tarfile, "data_filter"):  # from Python 3.11.4 on
                archive.extraction_filter = tarfile.data_filter
            archive.extractall(folder)
        return folder / self.sdist.name.removesuffix(".tar.gz")


def interpreter(version: str) -> str | None:
    """Return a Python of this version: this one, one of the variable PYTHONS, or one on PATH."""
    named = os.environ.get("PYTHONS", "").split()
    for candidate in named:
        assert version_of(candidate), f"PYTHONS names {candidate}, which does not run"
    candidates = [sys.executable, *named, shutil.which(f"python{version}")]
    return next((found for found in candidates if found and version_of(found) == version), None)


def version_of(python: str) -> str | None:
    """Return the version of a Python, or None if it does not run, as some shims of pyenv."""
    if not shutil.which(python):
        return None
    ask = "import sys; print('{}.{}'.format(*sys.version_info))"
    done = subprocess.run([python, "-c", ask], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None
