"""The published files are complete, and work in an environment that has only Python.

`DIST` names a folder with the files; without it, the tests build them. `PYTHONS` names more
interpreters than this one and those on PATH.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest
from demo import config_of, rows_in_api
from dist import PYTHONS, ROOT, Dist, hatchling, interpreter
from packaging.metadata import Metadata
from running import BIN, chat_config
from serving import Server, paged, rows

from tap_chat.platforms.registry import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Loads with the bridge, counts the rows of the streams, and prints the path of the code.
LOAD = """
import json, sys
import dlt, dlt_bridge, tap_chat

config, streams = map(json.loads, sys.argv[1:])
duckdb = dlt.destinations.duckdb("wheel.duckdb")
# The folder, because dlt keeps root's pipelines outside of HOME.
pipeline = dlt.pipeline("wheel", "pipelines", destination=duckdb, dataset_name="chats")
pipeline.run(dlt_bridge.singer("tap-chat", config))
with pipeline.sql_client() as sql:
    rows = {name: sql.execute_sql(f"select count(*) from {name}")[0][0] for name in streams}
print(json.dumps([rows, tap_chat.__file__, dlt_bridge.__file__]))
"""


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Dist:
    if given := os.environ.get("DIST"):
        return Dist(Path(given).resolve())
    folder = tmp_path_factory.mktemp("dist")
    hatchling("build", "--directory", str(folder))
    return Dist(folder)


@dataclass(frozen=True)
class Place:
    """An environment with only the wheel, and an empty working folder."""

    venv: Path
    folder: Path

    def environment(self) -> dict[str, str]:
        path = f"{self.venv / 'bin'}:{os.defpath}"
        # For root, dlt keeps pipelines outside of the home folder.
        data = str(self.folder / "dlt")
        return {"PATH": path, "HOME": str(self.folder), "DLT_DATA_DIR": data}

    def run(self, *command: str) -> str:
        done = subprocess.run(
            [str(self.venv / "bin" / command[0]), *command[1:]],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module", params=PYTHONS)
def place(
    request: pytest.FixtureRequest, dist: Dist, tmp_path_factory: pytest.TempPathFactory
) -> Place:
    python = interpreter(request.param)
    if not python:
        pytest.skip(f"no Python {request.param}: neither in the variable PYTHONS nor on PATH")
    place = Place(tmp_path_factory.mktemp("venv") / "venv", tmp_path_factory.mktemp("home"))
    for command in (
        ["venv", "--python", python, str(place.venv)],
        ["pip", "install", "--python", str(place.venv), f"{dist.wheel}[duckdb,sandbox]"],
    ):
        # As in meltano.yml, trust the certificates of the machine.
        trusting = os.environ | {"UV_SYSTEM_CERTS": "true"}
        uv = [str(BIN / "uv"), "--quiet", *command]
        subprocess.run(uv, cwd=place.folder, env=trusting, check=True)
    return place


@pytest.fixture
def sandbox_url(place: Place) -> Iterator[str]:
    command = str(place.venv / "bin" / "tap-chat-sandbox")
    with subprocess.Popen(
        command, cwd=place.folder, env=place.environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()


def test_sdist_has_what_git_has(dist: Dist, tmp_path: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a clone")
    top = dist.unpacked(tmp_path)
    found = {str(path.relative_to(top)) for path in top.rglob("*") if path.is_file()}
    list_files = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    tracked = subprocess.check_output(list_files, cwd=ROOT, text=True).splitlines()
    assert found == {"PKG-INFO", *(name for name in tracked if (ROOT / name).exists())}


def test_sdist_builds_the_same_wheel(dist: Dist, tmp_path: Path) -> None:
    top = dist.unpacked(tmp_path)
    hatchling("build", "--target=wheel", "--directory", str(tmp_path), folder=top)
    assert Dist(tmp_path).wheel.name == dist.wheel.name
    assert Dist(tmp_path).wheel_files() == dist.wheel_files()


def test_wheel_has_the_typed_packages_and_the_licence_alone(dist: Dist) -> None:
    files = dist.wheel_files()
    info = f"tap_chat-{dist.version}.dist-info"
    assert {name.partition("/")[0] for name in files} == {"tap_chat", "dlt_bridge", info}
    assert {"tap_chat/py.typed", "dlt_bridge/py.typed"} <= files.keys()
    declarations = {f"tap_chat/platforms/{platform.name}.yaml" for platform in SHIPPED}
    assert declarations
    assert declarations <= files.keys()
    assert files[f"{info}/licenses/LICENSE"] == (ROOT / "LICENSE").read_bytes()


def test_metadata_is_valid_and_its_links_work_outside_of_the_repository(dist: Dist) -> None:
    raw = dist.wheel_files()[f"tap_chat-{dist.version}.dist-info/METADATA"]
    metadata = Metadata.from_email(raw, validate=True)
    assert metadata.description_content_type == "text/markdown"
    assert metadata.license_expression == "Apache-2.0"
    assert "meltano_sdk" in (metadata.keywords or [])
    links = re.findall(r"\]\(([^)]+)\)", metadata.description or "")
    assert [link for link in links if not re.match(r"https://|#", link)] == []


def test_wheel_has_the_commands(place: Place, dist: Dist) -> None:
    assert (
        place.run("tap-chat", "--version").split()[1].removeprefix("v").rstrip(",") == dist.version
    )
    about = json.loads(place.run("tap-chat", "--about", "--format=json"))
    assert about["version"] == dist.version
    assert about["supported_python_versions"] == PYTHONS
    assert len(json.loads(place.run("tap-chat", "--discover"))["streams"]) > 10


def test_wheel_sends_its_version_to_the_api(place: Place, dist: Dist) -> None:
    with Server(paged(rows(1))) as server:
        (place.folder / "config.json").write_text(json.dumps(chat_config(server)))
        place.run("tap-chat", "--config=config.json")
    assert server.requests[0].headers["user-agent"] == f"tap-chat/{dist.version}"


def test_wheel_syncs_from_its_own_sandbox(place: Place, sandbox_url: str) -> None:
    (place.folder / "config.json").write_text(json.dumps(config_of(sandbox_url)))
    messages = map(json.loads, place.run("tap-chat", "--config=config.json").splitlines())
    found = Counter(message["stream"] for message in messages if message["type"] == "RECORD")
    assert found == rows_in_api(sandbox_url)


def test_wheel_loads_into_duckdb(place: Place, sandbox_url: str) -> None:
    expected = rows_in_api(sandbox_url)
    given = (json.dumps(config_of(sandbox_url)), json.dumps(list(expected)))
    found, *modules = json.loads(place.run("python", "-c", LOAD, *given).splitlines()[-1])
    assert found == expected
    assert all(Path(module).is_relative_to(place.venv) for module in modules)


def test_wheel_loads_by_its_commands(place: Place, sandbox_url: str) -> None:
    config = {"chat": config_of(sandbox_url)["chat"]}
    (place.folder / "config.json").write_text(json.dumps(config))
    target = {"destination": "duckdb", "credentials": "target.duckdb", "dataset_name": "data"}
    (place.folder / "target.json").write_text(json.dumps(target))
    place.run("dlt", "singer", "run", "tap-chat", "--config=config.json", "--dataset=data")
    command = "tap-chat --config config.json | target-dlt --config target.json"
    subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        cwd=place.folder,
        env=place.environment(),
        check=True,
    )
    expected = rows_in_api(sandbox_url)["chat_messages"]
    for file in ("tap_chat.duckdb", "target.duckdb"):
        with duckdb.connect(str(place.folder / file), read_only=True) as database:
            count = database.execute("select count(*) from data.chat_messages").fetchall()
        assert count == [(expected,)], file
