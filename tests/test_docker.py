"""The image loads chats, again and again, and its Dockerfile has no known mistakes.

With the variable IMAGE, the commands run in that image, as `make image` does. Otherwise the steps
of the Dockerfile build its environment in a folder, and the commands run there.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb
import psycopg2
import pytest
from dist import PYTHONS, ROOT
from interop.environments import program
from ruamel.yaml import YAML
from running import BIN

from tap_chat.sandbox import API_KEY, Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from postgres import PostgresServer

DOCKERFILE = ROOT / "Dockerfile"
COMPOSE = ROOT / "examples" / "docker" / "compose.yaml"
#: Replaces the UID of the image: the owner of the folder.
HERE = f"{os.getuid()}:{os.getgid()}"


def instructions() -> list[tuple[str, str]]:
    """Return the instructions of the Dockerfile with their arguments."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [(line.partition(" ")[0], line.partition(" ")[2].strip()) for line in lines if line]


def arguments(name: str) -> list[str]:
    return [text for instruction, text in instructions() if instruction == name]


@dataclass(frozen=True)
class Image:
    """The image, or the folder that replaces it.

    Attributes:
        folder: The folder of the host that is the working folder of the image.
        name: The name of the image; without one, the commands run on the host.
        root: The folder with the files of the image.
    """

    folder: Path
    name: str | None
    root: Path

    def run(self, *command: str, **environment: str) -> str:
        done = subprocess.run(
            [*self._docker(environment), *command]
            if self.name
            else [str(self.root / "opt" / "tap-chat" / "bin" / command[0]), *command[1:]],
            cwd=self.folder,
            env=os.environ if self.name else self._environment | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def _docker(self, environment: dict[str, str]) -> list[str]:
        variables = [f"--env={name}={value}" for name, value in environment.items()]
        mounted = f"--volume={self.folder}:/data"
        options = ["--rm", "--init", "--network=host", f"--user={HERE}", mounted, *variables]
        assert self.name
        return ["docker", "run", *options, self.name]

    @property
    def _environment(self) -> dict[str, str]:
        declared = dict(re.findall(r'(\w+)=("[^"]*"|\S+)', arguments("ENV")[-1]))
        assert declared["HOME"] == arguments("WORKDIR")[-1] == "/data"
        path = f"{self.root}/opt/tap-chat/bin:{os.defpath}"
        # For root, dlt keeps pipelines outside of the home folder; the image's user is not root.
        own = {"HOME": str(self.folder), "PATH": path, "DLT_DATA_DIR": str(self.folder / ".dlt")}
        return declared | own


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the steps of the Dockerfile, with a folder instead of the root of the image."""
    root = tmp_path_factory.mktemp("image")
    if os.environ.get("IMAGE"):
        return root
    place = root
    variables = {"PATH": f"{BIN}:{os.defpath}", "VERSION": "0.0.0", "HOME": os.environ["HOME"]}
    trusting = {"UV_SYSTEM_CERTS": "true", "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", "")}
    # The image gains from compiled files; the test would lose the time.
    quick = trusting | {"UV_COMPILE_BYTECODE": "0"}
    registry = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
    for name, text in instructions():
        inside = re.sub(r"(?<![\w.$}])/(opt|src|data)\b", rf"{root}/\1", text)
        if name == "WORKDIR":
            place = root / text.lstrip("/")
            place.mkdir(exist_ok=True)
        elif name == "ENV" and "PATH=" not in text:
            variables |= dict(re.findall(r"(\w+)=(\S+)", inside))
        elif name == "COPY" and not text.startswith("--from"):
            *sources, target = text.split()
            for source in sources:
                copy = shutil.copytree if (ROOT / source).is_dir() else shutil.copy
                copy(ROOT / source, place / target)
        elif name == "RUN":
            subprocess.run(
                ["sh", "-euc", inside],
                cwd=place,
                env=registry | variables | {name: value for name, value in quick.items() if value},
                check=True,
            )
    return root


@pytest.fixture
def image(root: Path, tmp_path: Path) -> Image:
    return Image(tmp_path, os.environ.get("IMAGE"), root)


@pytest.fixture
def account() -> Iterator[Sandbox]:
    with Sandbox(World(messages=20, users=3, conversations=4)) as running:
        yield running


def settings(account: Sandbox) -> dict[str, str]:
    return {
        "TAP_CHAT_START_DATE": "2024-01-01",
        "TAP_CHAT_FRESHCHAT_API_URL": f"{account.url}/v2",
        "TAP_CHAT_FRESHCHAT_API_KEY": API_KEY,
    }


def compose() -> dict[str, Any]:
    services: dict[str, Any] = YAML(typ="safe", pure=True).load(COMPOSE.read_text())["services"]
    return services


def test_dockerfile_has_no_known_mistake() -> None:
    hadolint = [program("hadolint", "hadolint"), "--failure-threshold=style", str(DOCKERFILE)]
    done = subprocess.run(hadolint, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_versions_are_those_of_the_project() -> None:
    bases = {text.split()[0] for text in arguments("FROM")}
    [python] = [re.fullmatch(r"python:(3\.\d+)-slim-\w+", base) for base in bases]
    assert python
    assert python[1] in PYTHONS
    [pinned] = re.findall(r"^uv==(\S+)", (ROOT / "requirements-dev.txt").read_text(), re.MULTILINE)
    assert f"--from=ghcr.io/astral-sh/uv:{pinned} /uv /usr/local/bin/uv" in arguments("COPY")


def test_image_gets_the_copied_files_alone() -> None:
    copied = {
        source
        for text in arguments("COPY")
        if not text.startswith("--from")
        for source in text.split()[:-1]
    }
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[1] == "*"
    assert {line.removeprefix("!") for line in lines if line.startswith("!")} == copied


def test_image_does_not_run_as_root() -> None:
    [user] = arguments("USER")
    assert int(user.partition(":")[0]) > 0


def test_first_command_shows_the_help(image: Image) -> None:
    [command] = arguments("CMD")
    assert "--config" in image.run(*json.loads(command))
    assert "singer" in image.run("dlt", "--help")


def test_image_loads_into_a_duckdb_file_and_then_what_is_new(
    image: Image, account: Sandbox
) -> None:
    command = ("dlt", "singer", "run", "tap-chat --config=ENV", "--dataset", "chats")
    for now in (None, "2026-06-01T00:00:00Z"):
        if now:
            account.world = account.world.changed({"now": now})
        printed = image.run(*command, **settings(account))
        assert API_KEY not in printed
        with closing(duckdb.connect(image.folder / "tap_chat.duckdb")) as database:
            found = database.execute("select count(*) from chats.freshchat_users").fetchall()
        assert found == [(account.world.rows["freshchat_users"],)]


def test_compose_loads_into_postgresql(
    image: Image, account: Sandbox, postgres: PostgresServer
) -> None:
    service = compose()["tap-chat"]
    [(name, url)] = service["environment"].items()
    assert re.fullmatch(r"postgresql://chats:\$\{POSTGRES_PASSWORD:\?\}@postgres:5432/chats", url)
    with postgres.database() as warehouse:
        image.run(*service["command"], **settings(account), **{name: warehouse})
        with closing(psycopg2.connect(warehouse)) as connection, connection.cursor() as cursor:
            cursor.execute("select count(*) from chats.freshchat_users")
            assert cursor.fetchall() == [(account.world.rows["freshchat_users"],)]


def test_compose_waits_for_the_database() -> None:
    services = compose()
    for needed in services["tap-chat"]["depends_on"]:
        assert "healthcheck" in services[needed]
    assert set(services["tap-chat"]["depends_on"]) == services.keys() - {"tap-chat"}
