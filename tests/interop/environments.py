"""Environments with taps and targets of other projects, each built once.

`requirements/<name>.in` names the packages of an environment; `<name>.txt` pins them with hashes.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
import sysconfig
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from dist import ROOT
from running import BIN

if TYPE_CHECKING:
    from collections.abc import Callable

REQUIREMENTS = Path(__file__).parent / "requirements"
FOLDER = ROOT / ".venv-interop"
#: Environments with pendulum 2.1, which needs distutils: Python 3.12 has none.
UP_TO_3_11 = frozenset({"pipelinewise-tap-mysql", "singer-jsonl"})
#: Environments that Python 3.14 can't run.
UP_TO_3_13 = {
    "target-duckdb": "the DuckDB of target-duckdb has no build for Python 3.14",
    "pipelinewise": "pipelinewise-target-postgres pins a joblib that Python 3.14 can't run",
}


@cache
def program(environment: str, name: str) -> str:
    """Return the path of a program of an environment. Build the environment if it does not exist.

    Args:
        environment: The name of a file in `requirements/`.
        name: The program.
    """
    if environment in UP_TO_3_11 and sys.version_info >= (3, 12):
        pytest.skip(f"{environment} needs pendulum 2.1, which has no build for Python 3.12")
    if environment in UP_TO_3_13 and sys.version_info >= (3, 14):
        pytest.skip(UP_TO_3_13[environment])
    return str(_built(environment) / "bin" / name)


def packages(environment: str) -> str:
    """Return the folder of an environment's packages."""
    return sysconfig.get_path("purelib", vars={"base": str(_built(environment))})


@cache
def node_modules(name: str) -> Path:
    """Return the folder of the Node modules for a folder in `requirements/`."""
    lock = REQUIREMENTS / name / "package-lock.json"

    def build(place: Path) -> None:
        assert shutil.which("npm"), "apt-get install npm"
        place.mkdir()
        for file in (lock, lock.with_name("package.json")):
            shutil.copy(file, place)
        words = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(words, cwd=place, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    return _made(name, lock.read_bytes(), build) / "node_modules"


def _built(name: str) -> Path:
    pins = REQUIREMENTS / f"{name}.txt"

    def build(place: Path) -> None:
        _uv("venv", "--python", sys.executable, str(place))
        _uv("pip", "sync", "--require-hashes", "--python", str(place), str(pins))

    return _made(name, pins.read_bytes() + sys.version.encode(), build)


def _made(name: str, made_of: bytes, build: Callable[[Path], None]) -> Path:
    place = FOLDER / name
    wanted = sha256(made_of).hexdigest()
    FOLDER.mkdir(exist_ok=True)
    with (FOLDER / f"{name}.lock").open("w") as lock:
        # The workers of a test run share the folder.
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = place / "built-from"
        if not done.exists() or done.read_text() != wanted:
            shutil.rmtree(place, ignore_errors=True)
            build(place)
            done.write_text(wanted)
    return place


def _uv(*words: str) -> None:
    # The certificates that pip trusts, for a proxy in front of the registry.
    done = subprocess.run(
        [str(BIN / "uv"), *words, "--quiet", "--no-config", "--system-certs"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
